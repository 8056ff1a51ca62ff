"""From levels to values, in place: levels are decoded into the memory of the result.

A result starts as :func:`empty_result`; :func:`levels_of` is the part of its memory that takes the
int32 levels. For int32 and float32 that is all of it, for float64 the second half, which the
values overtake from the front without ever passing a level that is still needed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.quantization import Codebook
from conformance.nnc.tensors import DataType

Values = NDArray[np.int32] | NDArray[np.float32] | NDArray[np.float64]
CHUNK = 1 << 15
"""Elements converted at a time: their copies stay in the processor's cache."""


def empty_result(shape: tuple[int, ...], dtype: DataType) -> Values:
    """Return memory for a tensor, not yet written."""
    return np.empty(shape, dtype)


def levels_of(result: Values) -> NDArray[np.int32]:
    """Return the view of ``result`` that its levels are decoded into, 1-D and contiguous."""
    view = result.reshape(-1).view(np.int32)
    return view[view.size - result.size :]


def scale(result: NDArray[np.float32], step: float) -> None:
    """Turn the levels in ``result`` into ``float32(step) * float32(level)``."""
    levels, values = levels_of(result), result.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        factor = np.float32(step)
        for start in range(0, levels.size, CHUNK):
            part = slice(start, start + CHUNK)
            np.multiply(levels[part].astype(np.float32), factor, out=values[part])


def look_up(result: NDArray[np.float64], codebook: Codebook, step: float) -> None:
    """Turn the levels in ``result`` into the codebook's entries times ``step``, in float64.

    A :class:`ValueError` says which level is outside the codebook.
    """
    levels, values = levels_of(result), result.reshape(-1)
    with np.errstate(over="ignore"):
        entries = np.array(codebook.entries, np.float64) * step
    for start in range(0, levels.size, CHUNK):
        part = slice(start, start + CHUNK)
        indices = levels[part].astype(np.int64) + codebook.zero_offset
        outside = indices[(indices < 0) | (indices >= entries.size)]
        if outside.size:
            raise ValueError(f"level {outside[0] - codebook.zero_offset}")
        values[part] = entries[indices]
