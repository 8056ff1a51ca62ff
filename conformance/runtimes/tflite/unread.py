"""Bytes of a model file that are not part of the network: they would count as its original size."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from conformance.runtimes._protocol import Unread
from conformance.runtimes.tflite.flatbuffer import Reader
from conformance.runtimes.tflite.model import Model, Range
from conformance.runtimes.tflite.stored import Stored

_FREE_BYTES: Mapping[str, int] = {"text": 256}
"""Bytes of a name that are part of the graph."""

_FREE_OF_TABLE = 1 << 10
_METADATA = "model.metadata["
_LENGTH_BYTES = 4


def unread_in(reader: Reader, model: Model, tensors: Sequence[Stored]) -> tuple[Unread, ...]:
    """Return unaccounted bytes, metadata, unused buffers, and excess in strings and tables.

    Raises MalformedError if parts of the file overlap: to replace one would change the other too.
    """
    data = {each.data for each in tensors}
    sparse = {each.element for each in tensors if each.positions is not None}
    pieces = (*_excess(reader, model, data, sparse), *_unaccounted(reader))
    return tuple(Unread(reader.file, place, size) for size, place in pieces)


def _excess(
    reader: Reader, model: Model, data: Collection[Range], sparse: Collection[str]
) -> Iterator[tuple[int, str]]:
    """Yield the bytes that are too much in one place, and the place."""
    buffers = {each for each in model.buffers if each is not None}
    metadata = 0
    for (begin, end), (use, element) in reader.claimed.items():
        if element.startswith(_METADATA):
            metadata += end - begin
            continue
        free = _FREE_BYTES.get(use, _FREE_OF_TABLE)
        held = next((r for r in _held(begin, end) if r in buffers), None)
        if element.partition(".sparsity.")[0] in sparse:
            continue  # which values there are is part of the tensor, and was checked with it
        if held is None and end - begin > free:
            yield end - begin - free, element
        elif held is not None and held not in data:
            yield held.size, f"{element}, of no tensor"
    yield metadata, "model.metadata"


def _unaccounted(reader: Reader) -> Iterator[tuple[int, str]]:
    """Yield the bytes that nothing leads to; MalformedError where parts of the file overlap."""
    after = 0
    for (begin, end), (use, element) in sorted(reader.claimed.items()):
        if begin < after:
            raise reader.malformed(
                "two parts of the file overlap",
                *(begin, element, f"a {use} that begins at byte {after} or later"),
                f"byte {begin}",
            )
        yield _gap(reader, after, begin)
        after = end
    yield _gap(reader, after, len(reader.data))


def _gap(reader: Reader, begin: int, end: int) -> tuple[int, str]:
    size = end - begin - reader.padding.get(begin, 0)
    return max(0, size), f"unaccounted bytes {begin} to {end}"


def _held(begin: int, end: int) -> tuple[Range, Range]:
    """Return what a range holds as a vector, after its length, and as data outside the tables."""
    return Range(begin + _LENGTH_BYTES, end), Range(begin, end)
