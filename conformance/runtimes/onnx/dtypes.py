"""Element types of ONNX tensors as NumPy and ml_dtypes types."""

from __future__ import annotations

import numpy as np
from onnx import helper

from conformance.runtimes.dtypes import DType

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
    """Return whether ONNX stores several elements of ``dtype`` in a byte."""
    return bits_of(dtype) < _BYTE
