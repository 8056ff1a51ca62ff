"""Read a ``.pb`` file that holds one ONNX TensorProto, as ONNX's own test data does.

Field numbers are those of onnx.proto (https://github.com/onnx/onnx), message TensorProto. Data in
``raw_data`` are views of the mapped file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import BinaryIO, NoReturn

import numpy as np

from conformance.tensorfiles._file import Entry, TensorFile
from conformance.tensorfiles._mapping import map_file
from conformance.tensorfiles._protobuf import (
    Field,
    Wire,
    count_varints,
    unpack_varints,
    walk,
)
from conformance.tensorfiles._stored import (
    MAX_DIMENSIONS,
    Stored,
    build_array,
    check_name,
    check_shape,
    check_total,
)
from conformance.tensorfiles.dtypes import Array, DType, dtype_named
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

_DIMS, _DATA_TYPE, _STRINGS, _NAME, _RAW = 1, 2, 6, 8, 9
_SEGMENT, _EXTERNAL_DATA, _DATA_LOCATION = 3, 13, 14
_ELSEWHERE = {_SEGMENT, _EXTERNAL_DATA, _DATA_LOCATION}
_FLOAT_DATA, _INT32_DATA, _INT64_DATA, _DOUBLE_DATA, _UINT64_DATA = 4, 5, 7, 10, 11
_FIXED_DATA = {_FLOAT_DATA, _DOUBLE_DATA}
_TYPED_DATA = {*_FIXED_DATA, _INT32_DATA, _INT64_DATA, _UINT64_DATA}
_MAX_RUNS = 1024
_TEXT_TYPE = 8
_TYPES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
    9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64",
    15: "complex128", 16: "bfloat16", 17: "float8_e4m3fn", 18: "float8_e4m3fnuz",
    19: "float8_e5m2", 20: "float8_e5m2fnuz", 24: "float8_e8m0fnu",
}  # fmt: skip
_FIELD_OF_TYPE = {
    "float32": _FLOAT_DATA,
    "complex64": _FLOAT_DATA,
    "float64": _DOUBLE_DATA,
    "complex128": _DOUBLE_DATA,
    "int64": _INT64_DATA,
    "uint32": _UINT64_DATA,
    "uint64": _UINT64_DATA,
}
_RESAVE = "Write the file again with onnx.save_tensor(onnx.numpy_helper.from_array(...))."


@dataclass(slots=True)
class _Parts:
    """The fields of a TensorProto, as they come."""

    display: str
    dims: list[int] = field(default_factory=list)
    data_type: int = 0
    name: str = ""
    strings: list[bytes] = field(default_factory=list)
    raw: Field | None = None
    typed: list[Field] = field(default_factory=list)


def read_tensorproto(file: BinaryIO, display: str, limit_bytes: int) -> TensorFile:
    """Open the TensorProto in ``file``; one without a name has the name ``""``."""
    parts = _collect(map_file(file), display)
    name = parts.name
    if name:
        check_name(name, Location(file=display, byte_offset=0, element="TensorProto.name"))
    if parts.data_type == _TEXT_TYPE:
        entry = _text_entry(parts, name, limit_bytes)
    else:
        entry = _number_entry(parts, name)
    check_total(display, {name: entry.stored}, limit_bytes)
    _check_size(parts, name, entry.stored)
    return TensorFile(display, {name: entry}, metadata={}, metadata_where={}, close=lambda: None)


def _collect(message: memoryview, display: str) -> _Parts:
    parts = _Parts(display)
    for item in walk(message, display):
        where = Location(file=display, byte_offset=item.offset, element="TensorProto")
        if item.number == _DATA_TYPE:
            parts.data_type = item.value
        elif item.number == _DIMS:
            _add_dims(parts, item, where)
        elif item.number in _TYPED_DATA:
            _add_typed(parts, item, where)
        elif item.number in _ELSEWHERE and (item.value or item.wire is Wire.BYTES):
            _refuse_elsewhere(where)
        elif item.wire is Wire.BYTES:
            _add_bytes(parts, item, where)
    return parts


def _add_bytes(parts: _Parts, item: Field, where: Location) -> None:
    if item.number == _NAME:
        parts.name = _text(item.payload, where)
    elif item.number == _RAW:
        parts.raw = item
    elif item.number == _STRINGS:
        parts.strings.append(bytes(item.payload))


def _add_dims(parts: _Parts, item: Field, where: Location) -> None:
    if item.wire is Wire.VARINT:
        parts.dims.append(item.value)
    else:
        for piece in unpack_varints(item.payload, parts.display, item.offset):
            parts.dims.extend(piece[: MAX_DIMENSIONS + 1].tolist())
    if len(parts.dims) > MAX_DIMENSIONS:
        check_shape(parts.dims, where)


def _add_typed(parts: _Parts, item: Field, where: Location) -> None:
    if item.wire is not Wire.BYTES or len(parts.typed) == _MAX_RUNS:
        raise MalformedError(
            "the numbers of the tensor are not packed",
            where=where,
            expected=f"at most {_MAX_RUNS} runs of packed numbers, as onnx.proto demands",
            found=f"a run more, or a field of wire type {item.wire.value}",
            fix=_RESAVE,
        )
    parts.typed.append(item)


def _refuse_elsewhere(where: Location) -> NoReturn:
    raise MalformedError(
        "the data of the tensor are not in the file",
        where=where,
        expected="a whole tensor with its data inside",
        found="external data, or one segment of a tensor",
        fix=_RESAVE,
    )


def _text(payload: memoryview | bytes, where: Location) -> str:
    try:
        return bytes(payload).decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(
            "a string is not UTF-8",
            where=where,
            expected="UTF-8",
            found=str(error),
            fix="Write strings in UTF-8.",
        ) from error


def _text_entry(parts: _Parts, name: str, limit_bytes: int) -> Entry:
    where = Location(file=parts.display, byte_offset=0, element=name)
    shape = check_shape(parts.dims, where)
    texts = [_text(raw, where) for raw in parts.strings]
    width = max(1, *map(len, texts), 1)
    stored = Stored(np.dtype(f"<U{width}"), shape, where)
    if len(texts) * stored.dtype.itemsize > limit_bytes:
        raise LimitError(
            "the strings take more memory than is allowed",
            where=where,
            expected=f"at most {limit_bytes} bytes",
            found=f"{len(texts)} strings, the longest of {width} characters",
            fix="Split the file into smaller ones, or shorten the longest string.",
        )
    return Entry(stored, partial(_build_text, texts, stored))


def _build_text(texts: list[str], stored: Stored) -> Array:
    return np.array(texts, dtype=stored.dtype.newbyteorder("=")).reshape(stored.shape)


def _number_entry(parts: _Parts, name: str) -> Entry:
    data = parts.raw or next(iter(parts.typed), None)
    where = Location(file=parts.display, byte_offset=data.offset if data else 0, element=name)
    dtype = _dtype(parts.data_type, where)
    stored = Stored(dtype, check_shape(parts.dims, where), where)
    if parts.raw is not None:
        return Entry(stored, partial(build_array, parts.raw.payload, stored, fortran=False))
    expected = _FIELD_OF_TYPE.get(dtype.name, _INT32_DATA)
    if any(item.number != expected for item in parts.typed):
        raise MalformedError(
            f"the data of {name!r} are in a field for a different element type",
            where=where,
            expected=f"field {expected} for {dtype.name}",
            found=f"fields {sorted({item.number for item in parts.typed})}",
            fix=_RESAVE,
        )
    return Entry(stored, partial(_build_typed, parts, stored))


def _dtype(code: int, where: Location) -> DType:
    if code in _TYPES:
        return dtype_named(_TYPES[code])
    raise UnsupportedError(
        "the element type of the tensor is not read here",
        where=where,
        expected=f"a TensorProto.DataType of {', '.join(_TYPES.values())} or string",
        found=f"data_type {code}",
        fix="Store the tensor in one of these types.",
    )


def _build_typed(parts: _Parts, stored: Stored) -> Array:
    runs = [piece for item in parts.typed for piece in _unpack(item, parts.display, stored)]
    joined = np.concatenate(runs) if runs else np.zeros(0, np.uint8)
    return build_array(joined.view(np.uint8), stored, fortran=False)


def _unpack(item: Field, display: str, stored: Stored) -> Iterator[Array]:
    """Yield the elements of a run; varints keep as many low bits as the element type has."""
    if item.number in _FIXED_DATA:
        yield np.frombuffer(item.payload, np.uint8)
        return
    for piece in unpack_varints(item.payload, display, item.offset):
        yield piece.astype(f"<u{stored.dtype.itemsize}")


def _check_size(parts: _Parts, name: str, stored: Stored) -> None:
    """Refuse data that are more or fewer than the shape says."""
    unit, expected = "bytes", stored.nbytes
    if parts.data_type == _TEXT_TYPE:
        unit, expected, found = "strings", stored.count, len(parts.strings)
    elif parts.raw is not None:
        found = len(parts.raw.payload)
    elif any(item.number in _FIXED_DATA for item in parts.typed):
        found = sum(len(item.payload) for item in parts.typed)
    else:
        unit, expected = "numbers", stored.count
        found = sum(count_varints(item.payload) for item in parts.typed)
    if expected != found:
        raise MalformedError(
            f"the data of {name!r} do not fit its element type and shape",
            where=stored.where,
            expected=f"{expected} {unit} for {stored}",
            found=f"{found} {unit}",
            fix=_RESAVE,
        )
