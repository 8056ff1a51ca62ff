"""The order of levels in a payload, and where skipped rows fall into it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import LevelCoding


def scan_positions(coding: LevelCoding) -> NDArray[np.int64]:
    """The C-order position of each level, in scan order."""
    positions = np.arange(coding.size).reshape(coding.height, coding.width)
    if not coding.block:
        return positions.ravel()
    block = coding.block
    parts = [
        positions[top : top + block, left : left + block].ravel()
        for top in range(0, coding.height, block)
        for left in range(0, coding.width, block)
    ]
    return np.concatenate([np.empty(0, np.int64), *parts])


def skip_starts(
    coding: LevelCoding, positions: NDArray[np.int64], skipped: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which of the scanned positions are coded, and before which of these a row part is skipped."""
    coded = ~skipped[positions // coding.width]
    columns = positions % coding.width
    first = columns % coding.block == 0 if coding.block else columns == 0
    return coded, np.cumsum(coded)[~coded & first]
