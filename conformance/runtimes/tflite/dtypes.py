"""Element types of TFLite tensors as NumPy and ml_dtypes types, and how they lie in a file.

Numbers are little-endian. Those of 4 and 2 bits are packed, the first into the lowest bits of a
byte; what is left over of the last byte is zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import ml_dtypes
import numpy as np
import numpy.typing as npt

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType

_NAMES = (
    *("float32", "float16", "int32", "uint8", "int64", "STRING", "bool", "int16", "complex64"),
    *("int8", "float64", "complex128", "uint64", "RESOURCE", "VARIANT", "uint32", "uint16"),
    *("int4", "bfloat16", "int2", "uint4", "float8_e4m3fn", "float8_e5m2"),
)
_BITS: Mapping[str, int] = {"int4": 4, "uint4": 4, "int2": 2}
_BYTE = 8


def type_name(code: int) -> str:
    """Return the name of a tensor type: of its NumPy or ml_dtypes type where it has one."""
    return _NAMES[code] if 0 <= code < len(_NAMES) else f"type {code}"


def dtype_of(code: int) -> DType | None:
    """Return the element type of a tensor type; None if it has no numbers, or is not known."""
    name = type_name(code)
    if not name.islower() or " " in name:
        return None
    return np.dtype(getattr(ml_dtypes, name, None) or name)


def stored_bytes(dtype: DType, elements: int) -> int:
    """Return how many bytes that many elements take in a file."""
    return -(-elements * _BITS.get(dtype.name, dtype.itemsize * _BYTE) // _BYTE)


def unpacked(data: npt.NDArray[np.uint8], dtype: DType, shape: tuple[int, ...]) -> Array:
    """Return the array that the bytes ``data`` hold: a view of them, but for packed types."""
    bits = _BITS.get(dtype.name)
    if bits is None:
        return data.view(dtype).reshape(shape)
    fields = np.empty((data.size, _BYTE // bits), np.uint8)
    for place in range(_BYTE // bits):
        np.right_shift(data, place * bits, out=fields[:, place])
    fields &= np.uint8((1 << bits) - 1)
    numbers = fields.reshape(-1)[: math.prod(shape)].view(np.int8)
    if dtype.name.startswith("int"):
        sign = np.int8(1 << (bits - 1))
        numbers ^= sign
        numbers -= sign
    return numbers.astype(dtype).reshape(shape)


def packed(array: Array, dtype: DType) -> npt.NDArray[np.uint8]:
    """Return the bytes of ``array``, which is of ``dtype``, as a file holds them."""
    bits = _BITS.get(dtype.name)
    if bits is None:
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    per_byte = _BYTE // bits
    fields = np.zeros(-(-array.size // per_byte) * per_byte, np.uint8)
    fields[: array.size] = array.reshape(-1).astype(np.int8).view(np.uint8)
    fields &= np.uint8((1 << bits) - 1)
    shifts = np.arange(0, _BYTE, bits, dtype=np.uint8)
    whole: npt.NDArray[np.uint8] = np.bitwise_or.reduce(
        fields.reshape(-1, per_byte) << shifts, axis=1
    )
    return whole
