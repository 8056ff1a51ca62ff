"""Element types: which holds every value of another, and how many bytes elements take in files."""

from __future__ import annotations

from typing import Any, TypeAlias

import ml_dtypes
import numpy as np

DType: TypeAlias = np.dtype[Any]
"""A NumPy or ml_dtypes element type."""

Array: TypeAlias = np.ndarray[Any, DType]

_BITS = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4_e2m1fn": 4}
"""Types of which model files pack several into a byte, and arrays do not."""


def packed_bytes(dtype: DType, elements: int) -> int:
    """Return the bytes that elements take in a file, several to a byte where they are so small."""
    return -(-elements * _BITS.get(dtype.name, 8 * dtype.itemsize) // 8)


def is_floating(dtype: DType) -> bool:
    """Return whether ``dtype`` is a real floating-point type, one of ml_dtypes included."""
    try:
        _range_of(dtype)
    except ValueError:
        return False
    return dtype.kind != "c"


def holds(wanted: DType, array: Array) -> bool:
    """Return whether type ``wanted`` holds every value of ``array`` exactly."""
    given = array.dtype
    if given.kind in "USO" or wanted.kind in "USO" or given.name == wanted.name:
        return given.name == wanted.name
    if is_floating(given) and is_floating(wanted) and _widens(given, wanted):
        return True
    return (given.kind == "c") <= (wanted.kind == "c") and _is_exact(array, wanted)


def same_values(wanted: Array, array: Array) -> bool:
    """Return whether two arrays of one shape hold the same values, whatever their types."""
    return holds(wanted.dtype, array) and _equal(array.astype(wanted.dtype), wanted)


def _is_exact(array: Array, wanted: DType) -> bool:
    with np.errstate(all="ignore"):
        narrow = array.astype(wanted)
        if array.dtype.kind in "iu" and is_floating(wanted):
            # Rounded up to a power of two, the largest integers leave the range of their type.
            limit = 2.0 ** (array.dtype.itemsize * 8 - (array.dtype.kind == "i"))
            if array.size and float(narrow.astype(np.float64).max()) >= limit:
                return False
        # Integers that wrap round come back, but not with their sign.
        return _equal(narrow.astype(array.dtype), array) and _equal(narrow < 0, array < 0)


def _equal(one: Array, other: Array) -> bool:
    if is_floating(one.dtype) and one.dtype.kind != "f":
        one, other = one.astype(np.float64), other.astype(np.float64)
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")


def _widens(given: DType, wanted: DType) -> bool:
    """Return whether every value of floating-point type ``given`` is exactly one of ``wanted``."""
    small, large = _range_of(given), _range_of(wanted)
    return bool(
        small.nmant <= large.nmant
        and float(small.max) <= float(large.max)
        and float(small.smallest_subnormal) >= float(large.smallest_subnormal)
    )


def _range_of(dtype: DType) -> Any:
    """Return the limits of a floating-point type; ValueError for any other."""
    return ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
