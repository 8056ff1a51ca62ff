"""External data: tensors that a model file keeps in another file, held inside the submission.

The location is untrusted. It is taken as a path with forward slashes relative to the folder of
the model file, and must lead to one of the model's own declared files. Format:
https://github.com/onnx/onnx/blob/main/docs/ExternalData.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath

from conformance.runtimes._protocol import ModelSource
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.wire import Span
from conformance.verdicts import ConformanceError, Location, MalformedError

_MAX_DIGITS = 18


def locate(record: TensorRecord, source: ModelSource) -> int:
    """Return the index in ``source.files`` of the file that holds the data of ``record``.

    Raises MalformedError if the location leaves the folder, ConformanceError if the file is not
    one of the model's declared files.
    """
    location = confined_location(record, source.display[0])
    folder = source.files[0].resolve().parent
    path = (folder / location).resolve()
    declared = [file.resolve() for file in source.files]
    if path not in declared[1:] or not path.is_relative_to(source.root.resolve()):
        raise ConformanceError(
            f"tensor {record.name!r} is stored in a file that the model does not declare",
            where=_where(record, source.display[0]),
            expected=f"one of {', '.join(source.display[1:]) or '(no other file is declared)'}",
            found=location,
            fix="List the external data file under the model's files.",
        )
    return declared.index(path)


def confined_location(record: TensorRecord, display: str) -> str:
    """Return the location of a tensor stored outside; MalformedError if it leaves the folder."""
    location = (record.external or {}).get("location", "")
    path = PurePosixPath(location)
    leaves = path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(location).anchor)
    if leaves or "\\" in location or "\0" in location or not path.name:
        raise MalformedError(
            f"the external data of tensor {record.name!r} lies outside the model's folder",
            where=_where(record, display),
            expected="a relative path with forward slashes and without '..'",
            found=repr(location),
            fix="Store the data next to the model file, and name it by a relative path.",
        )
    return location


def span_in(record: TensorRecord, size: int, display: str, model: str) -> Span:
    """Return the data of ``record`` in the external file ``display`` of ``size`` bytes.

    A length of 0 is one that is left out: ONNX Runtime derives both from the shape.

    Raises MalformedError if offset or length are not numbers, contradict the shape, or leave the
    file; ``model`` names the model file.
    """
    entries = record.external or {}
    offset = _number(record, entries, "offset", 0, model)
    length = _number(record, entries, "length", record.nbytes, model) or record.nbytes
    if length != record.nbytes:
        raise MalformedError(
            f"the external data of tensor {record.name!r} has the wrong length",
            where=_where(record, model),
            expected=f"{record.nbytes} bytes for {record.dtype.name} of shape {list(record.dims)}",
            found=f"length {length}",
            fix="Export the model and its external data again, together.",
        )
    if offset + length > size:
        raise MalformedError(
            f"the external data of tensor {record.name!r} is cut short",
            where=Location(file=display, byte_offset=size, element=record.element),
            expected=f"bytes {offset} to {offset + length}",
            found=f"a file of {size} bytes",
            fix="Put the whole external data file in place, as exported with the model.",
        )
    return Span(offset, offset + length)


def check_overlaps(places: Iterable[tuple[TensorRecord, str, Span]], model: str) -> None:
    """Raise MalformedError if two tensors share bytes of an external file.

    One piece of data could otherwise stand for any number of parameters, whose bytes bound what a
    model's files may hold.
    """
    last: dict[str, tuple[TensorRecord, Span]] = {}
    for record, display, span in sorted(places, key=lambda place: place[2]):
        if not span.size:
            continue
        if display in last and last[display][1].end > span.begin:
            other, around = last[display]
            raise MalformedError(
                f"the external data of two tensors overlap: {other.name!r} and {record.name!r}",
                where=_where(record, model),
                expected=f"its own bytes in {display}",
                found=f"bytes {span.begin} to {span.end}, and {around.begin} to {around.end}",
                fix="Store a tensor that is used twice once, under one name.",
            )
        last[display] = record, span


def external_locations(records: Iterable[TensorRecord], model: Path) -> tuple[str, ...]:
    """Return the confined locations of all external data of the model file, each once."""
    found = (confined_location(r, model.name) for r in records if r.external is not None)
    return tuple(dict.fromkeys(found))


def _number(
    record: TensorRecord, entries: Mapping[str, str], key: str, default: int, model: str
) -> int:
    text = entries.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise MalformedError(
            f"the external data of tensor {record.name!r} has no valid {key}",
            where=_where(record, model),
            expected="a number of bytes in decimal digits",
            found=repr(text[:40]),
            fix="Export the model and its external data again, together.",
        )
    return int(text)


def _where(record: TensorRecord, model: str) -> Location:
    return Location(
        file=model, byte_offset=record.byte_offset, element=f"{record.element}.external_data"
    )
