"""Step sizes and codebooks: what turns an integer level into a value, and doing so in place.

A uniform level stands for ``level * step_size(qp, density)``. A codebook level selects an entry,
which is a level of that uniform grid itself.

Levels are decoded into the memory of the result. It starts as :func:`empty_result`;
:func:`levels_of` is the part of its memory that takes the int32 levels. For int32 and float32 that
is all of it, for float64 the second half, which the values overtake from the front without ever
passing a level that is still needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ldexp
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

DataType: TypeAlias = Literal["int32", "float32", "float64"]
Values: TypeAlias = NDArray[np.int32] | NDArray[np.float32] | NDArray[np.float64]

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1
CHUNK = 1 << 15
"""Elements converted at a time: their copies stay in the processor's cache."""


def step_size(qp: int, density: int) -> float:
    """Return the step size of a quantization parameter, exactly.

    ``2 ** density`` parameters double the step. An :class:`OverflowError` says that it is not
    a finite float64; a step too small for one is 0.
    """
    # Between powers of two the steps grow evenly: a step is an integer of density + 1 bits times a
    # power of two. For negative parameters & and >> agree, as both round down.
    fraction = qp & ((1 << density) - 1)
    return ldexp((1 << density) + fraction, (qp >> density) - density)


@dataclass(frozen=True, slots=True)
class Codebook:
    """The integer levels that may occur, increasing; level 0 selects ``entries[zero_offset]``."""

    entries: tuple[int, ...]
    zero_offset: int

    def __post_init__(self) -> None:
        if not 0 <= self.zero_offset < len(self.entries):
            raise ValueError(
                f"the zero offset is {self.zero_offset} in a codebook of {len(self.entries)}"
            )
        if any(high <= low for low, high in pairwise(self.entries)):
            raise ValueError("the entries of a codebook do not increase")
        if self.entries[0] < INT32_MIN or self.entries[-1] > INT32_MAX:
            raise ValueError("an entry of the codebook is not a 32-bit integer")


def codebook_of(elements: Mapping[str, Any]) -> Codebook:
    """Return the codebook that the syntax elements of ``codebook()`` describe.

    A :class:`ValueError` says that the zero offset is outside, or an entry too large for int32.
    """
    size: int = elements["codebook_size"]
    zero_offset: int = (size >> 1) + elements["codebook_centre_offset"]
    left, right = elements["codebook_deltas_left"], elements["codebook_deltas_right"]
    centre: int = elements["codebook_zero_value"]
    below = tuple(steps(centre, left, -1))[::-1]
    return Codebook((*below, centre, *steps(centre, right, 1)), zero_offset)


def steps(start: int, deltas: Sequence[int] | None, direction: int) -> Iterator[int]:
    """Yield the entries outwards from ``start``: each delta is the distance less one."""
    entry = start
    for delta in deltas or ():
        entry += direction * (1 + delta)
        yield entry


def empty_result(shape: tuple[int, ...], dtype: DataType) -> Values:
    """Return memory for a tensor, not yet written."""
    return np.empty(shape, dtype)


def levels_of(result: Values) -> NDArray[np.int32]:
    """Return the view of ``result`` that its levels are decoded into, 1-D and contiguous."""
    view = result.reshape(-1).view(np.int32)
    return view[view.size - result.size :]


def scale(result: NDArray[np.float32], step: float) -> None:
    """Turn the levels in ``result`` into ``float32(step) * float32(level)``, in place.

    Levels beyond 24 bits are rounded to float32, and so is the product; one too large is infinite.
    """
    levels, values = levels_of(result), result.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        factor = np.float32(step)
        for start in range(0, levels.size, CHUNK):
            part = slice(start, start + CHUNK)
            np.multiply(levels[part].astype(np.float32), factor, out=values[part])


def look_up(result: NDArray[np.float64], codebook: Codebook, step: float) -> None:
    """Turn the levels in ``result`` into the codebook's entries times ``step``, float64, in place.

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
