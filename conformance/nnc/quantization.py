"""Step sizes and codebooks: what turns an integer level into a value (ISO/IEC 15938-17).

A uniform level stands for ``level * step_size(qp, density)``. A codebook level selects an entry,
which is a level of that uniform grid itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ldexp
from typing import Any

INT32_MIN, INT32_MAX = -(1 << 31), (1 << 31) - 1


def step_size(qp: int, density: int) -> float:
    """Return the step size of a quantization parameter, exactly.

    ``2 ** density`` parameters double the step. An :class:`OverflowError` says that it is no
    finite float64; a step too small for one is 0.
    """
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
            raise ValueError("an entry of the codebook is no 32-bit integer")


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
