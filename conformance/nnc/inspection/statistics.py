"""Counts of a tensor's levels: range, zeros, and how often each small level occurs.

``level_statistics(levels)`` makes one pass over an int32 array; ``None`` stands for tensors that
have no levels (RAW_FLOAT).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALL = 8
"""Levels up to this magnitude are counted one by one."""
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class LevelStatistics:
    """The distribution of ``count`` levels; ``minimum`` and ``maximum`` are None without any.

    ``small[i]`` is how often level ``i - SMALL`` occurs; ``below`` and ``above`` count the rest.
    """

    count: int
    minimum: int | None
    maximum: int | None
    small: tuple[int, ...]
    below: int
    above: int

    @property
    def zeros(self) -> int:
        """How many levels are 0."""
        return self.small[SMALL]

    @property
    def nonzero(self) -> int:
        """How many levels are not 0."""
        return self.count - self.zeros

    def histogram(self) -> Iterator[tuple[str, int]]:
        """Yield ranges of levels that occur, as text, with their counts, lowest first."""
        if self.below:
            yield f"<= {-SMALL - 1}", self.below
        for index, count in enumerate(self.small):
            if count:
                yield str(index - SMALL), count
        if self.above:
            yield f">= {SMALL + 1}", self.above


def level_statistics(levels: NDArray[np.int32]) -> LevelStatistics:
    """Count the levels of a tensor, int32 of any shape."""
    flat = levels.reshape(-1)
    counts = np.zeros(2 * SMALL + 3, np.int64)
    for start in range(0, flat.size, _CHUNK):
        bounded = np.clip(flat[start : start + _CHUNK], -SMALL - 1, SMALL + 1)
        counts += np.bincount(bounded + (SMALL + 1), minlength=counts.size)
    below, *small, above = (int(count) for count in counts)
    return LevelStatistics(
        count=int(flat.size),
        minimum=int(flat.min()) if flat.size else None,
        maximum=int(flat.max()) if flat.size else None,
        small=tuple(small),
        below=below,
        above=above,
    )
