"""Reading the record of a ``TensorProto``, and refusing one that contradicts itself.

Field numbers: ``onnx.proto``, message TensorProto.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

from conformance.runtimes.dtypes import DType
from conformance.runtimes.onnx.dtypes import dtype_of
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.wire import LENGTH, VARINT, Field, Span, WireReader
from conformance.verdicts import Location, UnsupportedError

_DIMS, _DATA_TYPE, _SEGMENT, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 3, 8, 9, 13, 14
_STRINGS = 6
_TYPED = frozenset({4, 5, 6, 7, 10, 11})
_WIRE_TYPES = {
    _DIMS: (VARINT, LENGTH),
    _DATA_TYPE: (VARINT,),
    _NAME: (LENGTH,),
    _RAW: (LENGTH,),
    _EXTERNAL: (LENGTH,),
    _LOCATION: (VARINT,),
}
_ONCE = frozenset({_DATA_TYPE, _NAME, _RAW, _LOCATION})
_STORED_OUTSIDE = 1
_KEYS = frozenset({"location", "offset", "length", "checksum"})
_MAX_RANK = 32
_MAX_ELEMENTS = 1 << 48


@dataclass(slots=True)
class _Parts:
    dims: list[int] = field(default_factory=list)
    once: dict[int, Field] = field(default_factory=dict)
    external: dict[str, str] = field(default_factory=dict)
    typed: bool = False
    spare: int = 0


def read_record(
    reader: WireReader, span: Span, element: str, constant: str | None = None
) -> TensorRecord:
    """Return the record of the TensorProto in ``span``; ``element`` names it in messages.

    ``constant`` is the name of a tensor that is not an initializer; its own name says nothing then.

    Raises MalformedError if it contradicts itself, UnsupportedError for an unknown element type.
    """
    parts = _Parts()
    for entry in reader.fields(span, element):
        _take(reader, entry, parts, element)
    data_type = parts.once[_DATA_TYPE].value if _DATA_TYPE in parts.once else 0
    for key, value in parts.external.items():
        if key not in _KEYS:
            parts.spare += len(key) + len(value)
    outside = _LOCATION in parts.once and parts.once[_LOCATION].value == _STORED_OUTSIDE
    dtype = _dtype(reader, data_type, span, element)
    record = TensorRecord(
        element=element,
        span=span,
        name=constant or _name(reader, parts, span, element),
        data_type=data_type,
        dtype=dtype,
        dims=_checked(reader, parts.dims, span, element),
        raw=parts.once[_RAW].span if _RAW in parts.once else None,
        external=parts.external if outside else None,
        constant=constant is not None,
        spare=parts.spare,
    )
    _check_storage(reader, record, parts.typed)
    return record


def _take(reader: WireReader, entry: Field, parts: _Parts, element: str) -> None:
    number = entry.number
    wanted = _WIRE_TYPES.get(number, (entry.wire_type,))
    if entry.wire_type not in wanted:
        raise reader.malformed(
            "a field of a tensor has the wrong wire type",
            *(
                entry.start,
                element,
                f"wire type {' or '.join(map(str, wanted))} for field {number}",
            ),
            f"wire type {entry.wire_type}",
        )
    if number in parts.once or number == _SEGMENT:
        raise reader.malformed(
            "a tensor is stored in pieces",
            *(entry.start, element, "one data type, one name, one piece of data"),
            f"field {number} {'again' if number in parts.once else '(segment)'}",
        )
    if number in _ONCE:
        parts.once[number] = entry
    elif number == _DIMS:
        parts.dims += _numbers(reader, entry, element)
        _checked(reader, parts.dims, entry.span, element)
    elif number == _EXTERNAL:
        key, value = _entry(reader, entry.span, f"{element}.external_data")
        parts.external[key] = value
    elif number in _TYPED:
        parts.typed = parts.typed or number == _STRINGS or entry.span.size > 0
    else:
        parts.spare += entry.span.size


def _numbers(reader: WireReader, entry: Field, element: str) -> list[int]:
    if entry.wire_type == VARINT:
        return [entry.value]
    return list(itertools.islice(reader.varints(entry.span, f"{element}.dims"), _MAX_RANK + 1))


def _entry(reader: WireReader, span: Span, element: str) -> tuple[str, str]:
    """Return key and value of a StringStringEntryProto."""
    texts = {1: "", 2: ""}
    for entry in reader.fields(span, element):
        if entry.number in texts and entry.wire_type == LENGTH:
            texts[entry.number] = reader.text(entry.span, element)
    return texts[1], texts[2]


def _name(reader: WireReader, parts: _Parts, span: Span, element: str) -> str:
    name = reader.text(parts.once[_NAME].span, f"{element}.name") if _NAME in parts.once else ""
    if not name:
        raise reader.malformed(
            "a stored tensor has no name", span.begin, element, "a name", "none, or an empty one"
        )
    return name


def _dtype(reader: WireReader, data_type: int, span: Span, element: str) -> DType:
    if data_type == 0:
        raise reader.malformed(
            "a tensor has no element type", span.begin, element, "a data_type above 0", "0"
        )
    dtype = dtype_of(data_type)
    if dtype is None:
        raise UnsupportedError(
            "a tensor has an element type that is not known here",
            where=Location(file=reader.file, byte_offset=span.begin, element=element),
            expected="a TensorProto.DataType of the installed onnx",
            found=f"data_type {data_type}",
            fix="Store the tensor in a type that ONNX Runtime runs, or update this tool.",
        )
    return dtype


def _checked(reader: WireReader, dims: list[int], span: Span, element: str) -> tuple[int, ...]:
    """Return ``dims`` if arrays can have them; a negative number is a huge one on the wire."""
    if len(dims) > _MAX_RANK or math.prod(max(size, 1) for size in dims) > _MAX_ELEMENTS:
        signed = [size - (1 << 64) if size >> 63 else size for size in dims[:_MAX_RANK]]
        raise reader.malformed(
            "a tensor has an impossible shape",
            *(span.begin, f"{element}.dims"),
            f"at most {_MAX_RANK} sizes, none negative, at most 2^48 elements",
            f"{signed}{' and more' if len(dims) > _MAX_RANK else ''}",
        )
    return tuple(dims)


def _check_storage(reader: WireReader, record: TensorRecord, typed: bool) -> None:
    """Refuse data in two places, none where there must be some, and a wrong amount of raw data."""
    places = [
        name
        for name, used in (
            ("raw_data", record.raw is not None and (record.raw.size > 0 or typed)),
            ("typed data", typed),
            ("external_data", record.external is not None),
        )
        if used
    ]
    if len(places) > 1 or (not places and record.elements):
        raise reader.malformed(
            f"tensor {record.name!r} does not have its data in one place",
            *(record.span.begin, record.element, "raw_data, typed data or external_data"),
            " and ".join(places) or "no data",
        )
    if record.is_text and places not in ([], ["typed data"]):
        raise reader.malformed(
            f"tensor {record.name!r} does not hold its strings as strings",
            *(record.span.begin, record.element, "string_data", places[0]),
        )
    if record.raw is not None and record.external is None and not typed:
        _check_raw_size(reader, record, record.raw)


def _check_raw_size(reader: WireReader, record: TensorRecord, raw: Span) -> None:
    if raw.size != record.nbytes:
        raise reader.malformed(
            f"the data of tensor {record.name!r} has the wrong length",
            *(raw.begin, f"{record.element}.raw_data"),
            f"{record.nbytes} bytes for {record.dtype.name} of shape {list(record.dims)}",
            f"{raw.size} bytes",
        )
