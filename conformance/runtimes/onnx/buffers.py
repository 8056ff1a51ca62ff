"""Parameter data in memory, where ONNX Runtime reads it in place.

Every buffer starts at a multiple of 64 bytes. Vectorised kernels treat the first elements of an
array differently when it does not, and a reconstruction must not differ from its original in the
last bit because of where its arrays happen to lie.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from onnx import numpy_helper

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType
from conformance.runtimes.onnx.dtypes import is_packed

Buffer: TypeAlias = npt.NDArray[np.uint8]
"""Bytes, one-dimensional."""

_ALIGNMENT = 64


def buffer_of(array: npt.NDArray[Any], dtype: DType) -> Buffer:
    """Return ``array`` as ``dtype`` and as ONNX stores it: little-endian, row by row, packed.

    It is a view if the array already is all that, and a copy otherwise.
    """
    if is_packed(dtype):
        packed = numpy_helper.from_array(np.asarray(array, dtype=dtype)).raw_data
        return aligned(np.frombuffer(packed, np.uint8))
    if array.dtype == dtype and array.flags.c_contiguous:
        return aligned(array.reshape(-1).view(np.uint8))
    buffer = _empty(array.size * dtype.itemsize)
    target: Array = buffer.view(dtype).reshape(array.shape)
    np.copyto(target, array, casting="unsafe")
    return buffer


def aligned(data: Buffer) -> Buffer:
    """Return ``data``, or a copy of it, that starts at a multiple of 64 bytes."""
    if data.ctypes.data % _ALIGNMENT == 0:
        return data
    buffer = _empty(data.size)
    buffer[:] = data
    return buffer


def _empty(size: int) -> Buffer:
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    begin = -memory.ctypes.data % _ALIGNMENT
    return memory[begin : begin + size]
