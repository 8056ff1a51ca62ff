"""The encoder's choices for the levels of one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Initialisation: TypeAlias = Literal["best", "zero"] | Sequence[int]


@dataclass(frozen=True, slots=True)
class LevelTools:
    """The encoder's choices for one tensor.

    ``skipped`` has one flag per matrix row (all its levels are 0 then); None leaves row skipping
    off. ``history_flag`` turns history-dependent significance on. ``initialisation`` is the index
    of every initialised model: the cheapest, all 0, or one value (0 to 8) each in stream order.
    """

    skipped: NDArray[np.bool_] | None = None
    history_flag: bool = False
    initialisation: Initialisation = "best"


NO_TOOLS = LevelTools()
