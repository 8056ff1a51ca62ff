"""Bytes of a model file that are no part of the network: they would count as its original size."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Sequence

from conformance.runtimes.tflite.flatbuffer import Reader
from conformance.runtimes.tflite.model import Model, Range
from conformance.runtimes.tflite.stored import Stored
from conformance.verdicts import ConformanceError, Location

_MOST_BYTES = 64 << 10
_FREE_BYTES = 1 << 10
_LENGTH_BYTES = 4
_MOST_SHOWN = 5


def check_surplus(
    reader: Reader, model: Model, tensors: Sequence[Stored], parameters: Container[str]
) -> None:
    """Refuse a file in which more than 64 KiB are no part of the network.

    Those are gaps, metadata, buffers of no tensor, tensors that nothing uses and that are none of
    the ``parameters``, and what any one text or table has beyond 1 KiB. Raises MalformedError if
    parts of the file overlap: to replace one would change the other too.
    """
    data = {each.data for each in tensors}
    sparse = {each.element for each in tensors if each.positions is not None}
    found = list(_surplus(reader, model, data, sparse))
    found += (
        (each.data.size, f"{each.element} {each.name}, which nothing uses")
        for each in tensors
        if each.name not in parameters and not each.is_used
    )
    gaps = _gaps(reader)
    if gaps:
        found.append((gaps, "gaps between its parts"))
    total = sum(size for size, _ in found)
    if total > _MOST_BYTES:
        raise _too_much(reader.file, total, found)


def _surplus(
    reader: Reader, model: Model, data: Collection[Range], sparse: Collection[str]
) -> Iterator[tuple[int, str]]:
    """Yield the bytes that are too much in one place, and the place."""
    buffers = {each for each in model.buffers if each is not None}
    for (begin, end), (_, element) in reader.claimed.items():
        held = next((r for r in _held(begin, end) if r in buffers), None)
        if element.partition(".sparsity.")[0] in sparse:
            continue  # which values there are is part of the tensor, and was checked with it
        if held is None and end - begin > _FREE_BYTES:
            yield end - begin - _FREE_BYTES, element
        elif held is not None and held not in data:
            yield held.size, f"{element}, of no tensor"


def _gaps(reader: Reader) -> int:
    """Return the bytes that nothing leads to; MalformedError where parts of the file overlap."""
    gaps = after = 0
    for (begin, end), (use, element) in sorted(reader.claimed.items()):
        if begin < after:
            raise reader.malformed(
                "two parts of the file overlap",
                *(begin, element, f"a {use} that begins at byte {after} or later"),
                f"byte {begin}",
            )
        gaps += _gap(reader, after, begin)
        after = end
    return gaps + _gap(reader, after, len(reader.data))


def _gap(reader: Reader, begin: int, end: int) -> int:
    return max(0, end - begin - reader.padding.get(begin, 0))


def _held(begin: int, end: int) -> tuple[Range, Range]:
    """Return what a range holds as a vector, after its length, and as data outside the tables."""
    return Range(begin + _LENGTH_BYTES, end), Range(begin, end)


def _too_much(file: str, total: int, found: list[tuple[int, str]]) -> ConformanceError:
    largest = sorted(found, reverse=True)
    more = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
    shown = [f"{size} bytes of {place}" for size, place in largest[:_MOST_SHOWN]]
    return ConformanceError(
        "the model file holds far more than the network",
        where=Location(file=file, element=largest[0][1]),
        expected=f"at most {_MOST_BYTES} bytes that no tensor in use is made of",
        found="; ".join([f"{total} bytes", *shown, *more]),
        mend="Remove metadata, padding and unused buffers: their bytes would count as the "
        "original's size.",
    )
