"""Monthly mean sunspot numbers, always cut into the same windows.

``series_sunspots.csv`` holds the numbers from January 1749 to December 2008 of the National
Geophysical Data Center, as statsmodels 0.15.0 ships them (``sunspots_monthly.dat``), which says
that they are in the public domain. Each item is a window of 36 months and the month after it. The
last 240 months are for testing, the months before them for training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

FILE = Path(__file__).with_name("series_sunspots.csv")
WINDOW = 36
TEST_ITEMS = 240
UNIT = 100
"""Sunspot numbers are divided by it."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows, float32 of shape (N, 36, 1), and the months after them, of shape (N, 1)."""

    months: NDArray[np.float32]
    following: NDArray[np.float32]


def load_numbers() -> NDArray[np.float64]:
    """Return the monthly sunspot numbers, oldest first."""
    numbers: NDArray[np.float64] = np.loadtxt(FILE, delimiter=",", skiprows=1, usecols=2)
    return numbers


def load_windows() -> tuple[Windows, Windows]:
    """Return the training part and the test part."""
    series = (load_numbers() / UNIT).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(series, WINDOW + 1)
    first_test = len(windows) - TEST_ITEMS
    return _part(windows[:first_test]), _part(windows[first_test:])


def _part(windows: NDArray[np.float32]) -> Windows:
    copy = np.ascontiguousarray(windows)
    return Windows(copy[:, :-1, np.newaxis].copy(), copy[:, -1:].copy())
