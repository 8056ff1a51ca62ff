"""Walk the fields of one protobuf message without building it.

The wire format is described at https://protobuf.dev/programming-guides/encoding. Payloads are
views of the buffer, offsets are positions in it, and groups (long deprecated) are refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from conformance.verdicts import Location, MalformedError

_MAX_VARINT_BYTES = 10
_CONTINUES = 0x80
_SEVEN_BITS = 0x7F
_PIECE_BYTES = 2**20


class Wire(IntEnum):
    """How a field is stored."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    FIXED32 = 5


_FIXED_BYTES = {Wire.FIXED64: 8, Wire.FIXED32: 4}


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its number, how it is stored, where its payload is and what it holds.

    ``value`` is the number of a varint; for the other wire types it is 0 and ``payload`` counts.
    """

    number: int
    wire: Wire
    offset: int
    payload: memoryview
    value: int = 0


def walk(message: memoryview, display: str) -> Iterator[Field]:
    """Yield the fields of ``message`` in order; a MalformedError says where it breaks off."""
    position = 0
    while position < len(message):
        start = position
        key, position = _varint(message, position, display)
        number, kind = key >> 3, key & 7
        if kind not in Wire.__members__.values() or not number:
            raise _broken(display, start, "a field number and wire type", f"key {key:#x}")
        wire = Wire(kind)
        value, length = 0, 0
        if wire is Wire.VARINT:
            value, end = _varint(message, position, display)
            length = end - position
        elif wire is Wire.BYTES:
            length, position = _varint(message, position, display)
        else:
            length = _FIXED_BYTES[wire]
        if length > len(message) - position:
            raise _broken(
                display,
                start,
                f"{length} bytes in field {number}",
                f"{len(message) - position} bytes to the end of the file",
            )
        yield Field(number, wire, position, message[position : position + length], value)
        position += length


def _varint(message: memoryview, position: int, display: str) -> tuple[int, int]:
    """Return the number at ``position``, and the position after it."""
    value = 0
    for index, byte in enumerate(message[position : position + _MAX_VARINT_BYTES]):
        value |= (byte & _SEVEN_BITS) << (7 * index)
        if not byte & _CONTINUES:
            return value, position + index + 1
    raise _broken(display, position, "a number of at most 10 bytes", "one that does not end")


def unpack_varints(
    payload: memoryview, display: str, offset: int
) -> Iterator[npt.NDArray[np.uint64]]:
    """Decode packed varints, as unsigned 64-bit numbers, a bounded piece at a time."""
    position = 0
    while position < len(payload):
        data = np.frombuffer(payload[position : position + _PIECE_BYTES], np.uint8)
        ends = np.flatnonzero(data < _CONTINUES)
        lengths = np.diff(ends, prepend=-1)
        if not ends.size or lengths.max() > _MAX_VARINT_BYTES:
            raise _broken(display, offset + position, "numbers of at most 10 bytes", "a longer one")
        yield _join_digits(data, ends, lengths)
        position += int(ends[-1]) + 1


def _join_digits(
    data: npt.NDArray[np.uint8], ends: npt.NDArray[np.intp], lengths: npt.NDArray[np.intp]
) -> npt.NDArray[np.uint64]:
    values = np.zeros(ends.size, np.uint64)
    for index in range(int(lengths.max())):
        longer = lengths > index
        digits = data[(ends - lengths + 1)[longer] + index] & np.uint8(_SEVEN_BITS)
        values[longer] |= digits.astype(np.uint64) << np.uint64(7 * index)
    return values


def count_varints(payload: memoryview) -> int:
    """Count packed varints without decoding them."""
    return int(np.count_nonzero(np.frombuffer(payload, np.uint8) < _CONTINUES))


def _broken(display: str, offset: int, expected: str, found: str) -> MalformedError:
    return MalformedError(
        "the protobuf message is damaged",
        where=Location(file=display, byte_offset=offset, element="protobuf field"),
        expected=expected,
        found=found,
        fix="Write the file again with onnx.save_tensor, and submit the whole file.",
    )
