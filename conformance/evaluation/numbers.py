"""Numbers in JSON: what is not finite is written as a text."""

from __future__ import annotations

import math


def plain(value: float) -> float | str:
    """Return a finite number as it is, any other as ``"nan"``, ``"inf"`` or ``"-inf"``."""
    return float(value) if math.isfinite(value) else str(float(value))
