"""TensorFlow's element types as NumPy's."""

from __future__ import annotations

from collections.abc import Mapping

import ml_dtypes
import numpy as np

from conformance.runtimes.dtypes import DType
from conformance.verdicts import Location, UnsupportedError

STRING, RESOURCE, VARIANT = 7, 20, 21
"""Members of tensorflow.DataType that are not numbers."""

_DTYPES: dict[int, DType] = {
    1: np.dtype(np.float32),
    2: np.dtype(np.float64),
    3: np.dtype(np.int32),
    4: np.dtype(np.uint8),
    5: np.dtype(np.int16),
    6: np.dtype(np.int8),
    8: np.dtype(np.complex64),
    9: np.dtype(np.int64),
    10: np.dtype(np.bool_),
    14: np.dtype(ml_dtypes.bfloat16),
    17: np.dtype(np.uint16),
    18: np.dtype(np.complex128),
    19: np.dtype(np.float16),
    22: np.dtype(np.uint32),
    23: np.dtype(np.uint64),
    24: np.dtype(ml_dtypes.float8_e5m2),
    25: np.dtype(ml_dtypes.float8_e4m3fn),
}

QUANTISED: Mapping[int, int] = {11: 6, 12: 4, 13: 3, 15: 5, 16: 17}
"""TensorFlow's types of quantised integers, and the plain types with the same bytes."""


def known_dtype(number: int) -> DType | None:
    """Return the NumPy type for a member of tensorflow.DataType, or None."""
    return _DTYPES.get(number)


def dtype_of(number: int, where: Location) -> DType:
    """Return the NumPy type for a member of tensorflow.DataType, or raise UnsupportedError."""
    dtype = _DTYPES.get(number)
    if dtype is None:
        raise UnsupportedError(
            "a tensor has an element type that is not judged here",
            where=where,
            expected="a type of numbers or booleans that NumPy or ml_dtypes has",
            found=f"tensorflow.DataType {number}",
            fix="Store the tensor as float32, or in another plain type.",
        )
    return dtype


def named_dtype(name: str, where: Location) -> DType:
    """Return the type of that name; UnsupportedError if it is not of numbers or booleans."""
    for dtype in _DTYPES.values():
        if dtype.name == name:
            return dtype
    raise UnsupportedError(
        "a tensor has an element type that is not judged here",
        where=where,
        expected="a type of numbers or booleans that NumPy or ml_dtypes has",
        found=name[:80],
        fix="Give the layer a different dtype, such as float32.",
    )
