"""The bins of a payload as events, between binarisation and arithmetic coding.

A tensor is first turned into a list of uint16 events, because the initialisation parameters at its
start are chosen from the bins that follow, and then coded. An event is ``2 * model + bin`` for a
context-coded bin, where ``model`` is the index of ISO/IEC 15938-17's context models (below 2000),
or one of the constants here.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

BYPASS: Final = 0xFF00
"""A bypass bin: ``BYPASS + bin``."""

BLOCK_ROW: Final = 0xFF10
"""A block row starts: all models go back to their initial state, the range to 256."""


def bypass_events(value: int, bits: int) -> NDArray[np.uint16]:
    """Return the ``bits`` lowest bits of a number as bypass bins, the most significant first."""
    return np.array([BYPASS + (value >> bit & 1) for bit in reversed(range(bits))], np.uint16)
