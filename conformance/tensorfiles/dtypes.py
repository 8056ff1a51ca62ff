"""The element types a tensor may have, by the names NumPy and ml_dtypes give them.

The names are those of tensor digests, of the ``dtype`` fields of the tensors codec and of the
evidence store; :data:`SAFETENSORS_CODES` gives the code each has in a safetensors header.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
"""An array of any element type."""

DType: TypeAlias = np.dtype[Any]
"""An element type, little-endian."""

SAFETENSORS_CODES: Mapping[str, str] = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "uint16": "U16",
    "int16": "I16",
    "uint32": "U32",
    "int32": "I32",
    "uint64": "U64",
    "int64": "I64",
    "float8_e4m3fn": "F8_E4M3",
    "float8_e5m2": "F8_E5M2",
    "float8_e8m0fnu": "F8_E8M0",
    "float16": "F16",
    "bfloat16": "BF16",
    "float32": "F32",
    "float64": "F64",
    "complex64": "C64",
}
"""NumPy or ml_dtypes name of each element type, and its code in a safetensors header."""

_EXTENDED: Mapping[str, type] = {
    "bfloat16": ml_dtypes.bfloat16,
    "float8_e4m3fn": ml_dtypes.float8_e4m3fn,
    "float8_e4m3fnuz": ml_dtypes.float8_e4m3fnuz,
    "float8_e5m2": ml_dtypes.float8_e5m2,
    "float8_e5m2fnuz": ml_dtypes.float8_e5m2fnuz,
    "float8_e8m0fnu": ml_dtypes.float8_e8m0fnu,
}


def dtype_named(name: str) -> DType:
    """Return the element type with this NumPy or ml_dtypes name ("float32", "bfloat16").

    The name must be one that this project uses; :class:`KeyError` otherwise.
    """
    if name in _EXTENDED:
        return np.dtype(_EXTENDED[name])
    if name in SAFETENSORS_CODES or name == "complex128":
        return np.dtype(name).newbyteorder("<")
    raise KeyError(name)


def is_floating(dtype: DType) -> bool:
    """Return whether ``dtype`` is a real floating-point type, one of ml_dtypes included."""
    return dtype.kind == "f" or is_extended(dtype)


def is_extended(dtype: DType) -> bool:
    """Return whether ``dtype`` is one of ml_dtypes, which NumPy's own files cannot name."""
    return dtype.name in _EXTENDED
