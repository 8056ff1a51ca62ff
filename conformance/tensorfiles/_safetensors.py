"""Read safetensors files: a length, a JSON header, and the bytes of the arrays.

The format is described at https://huggingface.co/docs/safetensors: 8 bytes little-endian header
length, a JSON object that maps names to ``dtype``, ``shape`` and ``data_offsets`` (relative to the
end of the header), then the arrays, without gaps or overlaps. Arrays are views of the mapped file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import BinaryIO, NoReturn

from conformance.tensorfiles._file import Entry, TensorFile
from conformance.tensorfiles._mapping import map_file
from conformance.tensorfiles._stored import (
    Stored,
    build_array,
    check_name,
    check_shape,
    check_total,
    distinct,
)
from conformance.tensorfiles.dtypes import SAFETENSORS_CODES, DType, dtype_named
from conformance.verdicts import Json, LimitError, Location, MalformedError, UnsupportedError

MAX_HEADER_BYTES = 8 * 2**20
LENGTH_BYTES = 8
_METADATA = "__metadata__"
_DTYPES = {code: dtype_named(name) for name, code in SAFETENSORS_CODES.items()}
_REWRITE = "Write the file again with a safetensors library."


def read_safetensors(file: BinaryIO, display: str, limit_bytes: int) -> TensorFile:
    """Open the safetensors file ``file``, which may be closed afterwards."""
    return view_safetensors(map_file(file), display, limit_bytes)


def view_safetensors(view: memoryview, display: str, limit_bytes: int) -> TensorFile:
    """Open what ``view`` holds; of the arrays nothing is looked at until they are asked for."""
    start, header = _read_header(view, display)
    metadata = _read_metadata(header.pop(_METADATA, {}), display)
    spans = {name: _read_entry(name, entry, display, start) for name, entry in header.items()}
    _check_layout(spans, display, start, len(view))
    arrays = {name: stored for name, (stored, _) in spans.items()}
    check_total(display, arrays, limit_bytes)
    entries = {
        name: Entry(
            stored, partial(build_array, view[begin : begin + stored.nbytes], stored, fortran=False)
        )
        for name, (stored, begin) in spans.items()
    }
    where = Location(file=display, byte_offset=LENGTH_BYTES, element=_METADATA)
    return TensorFile(
        display,
        entries,
        metadata=metadata,
        metadata_where=dict.fromkeys(metadata, where),
        close=lambda: None,
    )


def header_end(start: bytes | memoryview) -> int:
    """Return where the header ends that begins with these 8 bytes; hostile ones say anything."""
    return LENGTH_BYTES + int.from_bytes(start[:LENGTH_BYTES], "little")


def _read_header(view: memoryview, display: str) -> tuple[int, dict[str, Json]]:
    """Return where the arrays begin, and the header."""
    where = Location(file=display, byte_offset=0, element="header length")
    available = len(view) - LENGTH_BYTES
    if available < 0:
        raise MalformedError(
            "the file is too short for a safetensors file",
            where=where,
            expected=f"at least {LENGTH_BYTES} bytes",
            found=f"{len(view)} bytes",
            fix=_REWRITE,
        )
    length = int.from_bytes(view[:LENGTH_BYTES], "little")
    if length > available:
        raise MalformedError(
            "the header is longer than the file",
            where=where,
            expected=f"a length of at most {available} bytes",
            found=f"{length} bytes",
            fix="Submit the whole file; if it is whole, it is not a safetensors file.",
        )
    if length > MAX_HEADER_BYTES:
        raise LimitError(
            "the header is too long",
            where=where,
            expected=f"at most {MAX_HEADER_BYTES} bytes",
            found=f"{length} bytes",
            fix="Store fewer arrays, or less metadata, in one file.",
        )
    start = LENGTH_BYTES + length
    return start, _parse_header(bytes(view[LENGTH_BYTES:start]), display)


def _parse_header(raw: bytes, display: str) -> dict[str, Json]:
    try:
        text = raw.decode("utf-8")
        header = json.loads(text, object_pairs_hook=distinct, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _bad_header(display, error.start, str(error)) from error
    except json.JSONDecodeError as error:
        raise _bad_header(display, len(text[: error.pos].encode()), error.msg) from error
    except (ValueError, RecursionError) as error:
        raise _bad_header(display, 0, str(error)) from error
    if not isinstance(header, dict):
        raise _bad_header(display, 0, f"a {type(header).__name__}")
    return header


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _bad_header(display: str, offset: int, found: str) -> MalformedError:
    return MalformedError(
        "the header cannot be read",
        where=Location(file=display, byte_offset=LENGTH_BYTES + offset, element="header"),
        expected="a JSON object in UTF-8, each key once",
        found=found,
        fix=_REWRITE,
    )


def _read_metadata(value: Json, display: str) -> Mapping[str, str]:
    if isinstance(value, dict) and all(isinstance(text, str) for text in value.values()):
        return value
    raise MalformedError(
        "the metadata is not a map of strings",
        where=Location(file=display, byte_offset=LENGTH_BYTES, element=_METADATA),
        expected="a JSON object whose values are strings",
        found=repr(value)[:80],
        fix="Store each metadata value as a string.",
    )


def _read_entry(name: str, entry: Json, display: str, start: int) -> tuple[Stored, int]:
    """Return what the header says of one array, and where its bytes begin in the file."""
    where = Location(file=display, byte_offset=LENGTH_BYTES, element=name[:80] or "header")
    check_name(name, where)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise MalformedError(
            f"the header entry of {name!r} is not complete",
            where=where,
            expected="an object with dtype, shape and data_offsets",
            found=repr(entry)[:80],
            fix=_REWRITE,
        )
    begin, end = _read_offsets(name, entry["data_offsets"], where)
    at = Location(file=display, byte_offset=start + begin, element=name)
    stored = Stored(
        _read_dtype(name, entry["dtype"], where), check_shape(entry["shape"], where), at
    )
    if stored.nbytes != end - begin:
        raise MalformedError(
            f"the bytes of {name!r} do not fit its element type and shape",
            where=at,
            expected=f"{stored.nbytes} bytes for {stored}",
            found=f"{end - begin} bytes ({begin} to {end})",
            fix=_REWRITE,
        )
    return stored, start + begin


def _read_offsets(name: str, value: Json, where: Location) -> tuple[int, int]:
    match value:
        case [int(begin), int(end)] if 0 <= begin <= end:
            return int(begin), int(end)
    raise MalformedError(
        f"the offsets of {name!r} are not a range",
        where=where,
        expected="two integers, the first not above the second",
        found=repr(value)[:80],
        fix=_REWRITE,
    )


def _read_dtype(name: str, code: Json, where: Location) -> DType:
    if isinstance(code, str) and code in _DTYPES:
        return _DTYPES[code]
    raise UnsupportedError(
        f"the element type of {name!r} is not known",
        where=where,
        expected=f"one of {', '.join(sorted(_DTYPES))}",
        found=repr(code)[:80],
        fix="Store the array in one of these types.",
    )


def _check_layout(
    spans: Mapping[str, tuple[Stored, int]], display: str, start: int, size: int
) -> None:
    """Refuse arrays that overlap, leave gaps, or do not end where the file ends."""
    position = start
    for name, (stored, begin) in sorted(
        spans.items(), key=lambda item: (item[1][1], item[1][0].nbytes)
    ):
        if begin != position:
            what = "overlaps the array before it" if begin < position else "leaves a gap before it"
            raise MalformedError(
                f"{name!r} {what}",
                where=stored.where,
                expected=f"an array that begins at byte {position}",
                found=f"byte {begin}",
                fix=_REWRITE,
            )
        position += stored.nbytes
        if position > size:
            raise MalformedError(
                f"the bytes of {name!r} lie beyond the end of the file",
                where=stored.where,
                expected=f"a file of at least {position} bytes",
                found=f"{size} bytes",
                fix="Submit the whole file: it seems to have been cut off.",
            )
    if position != size:
        raise MalformedError(
            "the file goes on after the last array",
            where=Location(file=display, byte_offset=position, element="end of the arrays"),
            expected=f"a file of {position} bytes",
            found=f"{size} bytes",
            fix="Remove what follows the arrays.",
        )
