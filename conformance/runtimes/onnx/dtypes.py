"""Element types of ONNX tensors as NumPy and ml_dtypes types, and when one holds another."""

from __future__ import annotations

from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
from onnx import helper

DType: TypeAlias = np.dtype[Any]
"""A NumPy or ml_dtypes element type."""

_BYTE = 8
_BITS = {"int2": 2, "uint2": 2, "int4": 4, "uint4": 4, "float4_e2m1fn": 4}


def dtype_of(data_type: int) -> DType | None:
    """Return the element type of a ``TensorProto.DataType``; None if it is not known here.

    Strings are of NumPy's ``object`` type. The six-bit floating-point types count as unknown:
    no runtime takes them.
    """
    try:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(data_type))
    except (KeyError, ValueError):
        return None
    return None if dtype.name.startswith("float6_") else dtype


def bits_of(dtype: DType) -> int:
    """Return the bits of one element as ONNX stores it: 4 for int4, not the 8 of ml_dtypes."""
    return _BITS.get(dtype.name, dtype.itemsize * _BYTE)


def is_packed(dtype: DType) -> bool:
    """Say whether ONNX stores several elements of ``dtype`` in a byte."""
    return bits_of(dtype) < _BYTE


def is_floating(dtype: DType) -> bool:
    """Say whether ``dtype`` is a real floating-point type, one of ml_dtypes included."""
    try:
        _range_of(dtype)
    except ValueError:
        return False
    return dtype.kind != "c"


def widens(given: DType, wanted: DType) -> bool:
    """Say whether every value of floating-point type ``given`` is exactly one of ``wanted``."""
    small, large = _range_of(given), _range_of(wanted)
    return bool(
        small.nmant <= large.nmant
        and float(small.max) <= float(large.max)
        and float(small.smallest_subnormal) >= float(large.smallest_subnormal)
    )


def _range_of(dtype: DType) -> Any:
    """Return the limits of a floating-point type; ValueError for any other."""
    return ml_dtypes.finfo(dtype)  # type: ignore[no-untyped-call]
