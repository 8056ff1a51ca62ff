"""Element types: which holds every value of another, and how many bytes elements take in files."""

from __future__ import annotations

from typing import Any, TypeAlias

import ml_dtypes
import numpy as np

DType: TypeAlias = np.dtype[Any]
"""A NumPy or ml_dtypes element type."""


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


def widens(given: DType, wanted: DType) -> bool:
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
