"""The initialisation parameters of a tensor: which models have one, and the cheapest choice.

Each model that a tensor can use starts from one of nine table rows, its initialisation index. The
choice is made from the bins themselves: every model is run over its bins from all nine rows.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.tables import LPS_RANGE
from conformance.nnc.encoder.engine import start_model, update_model
from conformance.nnc.encoder.events import BLOCK_ROW, BYPASS
from conformance.nnc.encoder.jit import kernel
from conformance.nnc.encoder.levels import FIXED_MODELS

if TYPE_CHECKING:
    from conformance.nnc.cabac.coding import LevelCoding

INDICES: Final = 9
INDEX_BITS: Final = 3
SPARE_MODELS: Final = 37
"""Models from the first remainder model to the last one."""


def model_count(unary_length: int) -> int:
    """Context models in all."""
    return FIXED_MODELS + 4 * unary_length + SPARE_MODELS


def initialisation_model(unary_length: int) -> int:
    """The model of the flags that say whether an index other than 0 follows."""
    return FIXED_MODELS + 4 * unary_length + 34


def row_skip_model(unary_length: int) -> int:
    """The model of the row skip flags."""
    return FIXED_MODELS + 4 * unary_length + 36


def initialised_models(coding: LevelCoding, history: bool) -> NDArray[np.int64]:
    """The models with an initialisation parameter, in stream order.

    ``history`` is the flag of history-dependent significance.
    """
    temporal = coding.reference is not None
    models: list[int] = []
    if not coding.constant:
        models += range(24 if coding.dependent else 3)
        models += range(24, (40 if coding.dependent else 26) if temporal else 24)
        models += range(40, (48 if coding.dependent else 41) if history else 40)
        if not coding.one_sided:
            models += range(48, 53 if temporal else 51)
    return np.array(models + _magnitude_models(coding, temporal), np.int64)


def _magnitude_models(coding: LevelCoding, temporal: bool) -> list[int]:
    unary, largest = coding.unary_length, coding.largest
    spatial, both, remainder = 2 * unary, 4 * unary, coding.remainder_contexts
    if largest != -1:
        spatial = min(spatial, 2 * largest)
        both = min(both, 2 * (largest - 1) + 2 * unary)
        fitting = [a for a in range(remainder) if unary - 1 + 2 ** (a + 1) - 1 < largest]
        remainder = len(fitting)
    offsets = [*range(spatial), *(range(2 * unary, both) if temporal else ())]
    offsets += range(4 * unary, 4 * unary + remainder)
    return [FIXED_MODELS + offset for offset in offsets]


def _bin_costs() -> NDArray[np.float64]:
    """Bits of a less and a more probable bin by state magnitude, over the mean of all ranges."""
    edges = np.arange(256, 513, 32)
    ranges = np.array([(low + high) / 2 for low, high in pairwise(edges)])[:, None]
    less = -np.log2(LPS_RANGE / ranges).mean(0)
    more = -np.log2(1 - LPS_RANGE / ranges).mean(0)
    return np.stack([less, more])


BIN_COSTS: Final = _bin_costs()


@kernel
def _price_bin(states: NDArray[np.int64], index: int, bin_: int) -> float:
    """The cost of a bin for the model ``states[index]``, which is moved."""
    state = states[index, 1] + 16 * states[index, 0]
    cost = BIN_COSTS[int(bin_ == (state >= 0)), abs(state >> 7)]
    update_model(states, index, index, bin_)
    return float(cost)


@kernel
def price_indices(events: NDArray[np.uint16], models: int) -> NDArray[np.float64]:
    """Bits that each model's bins cost from each initialisation index: [models, 9]."""
    costs = np.zeros((models, INDICES))
    states = np.empty((models, INDICES, 2), np.int64)
    start = np.empty((INDICES, 2), np.int64)
    for index in range(INDICES):
        start_model(start, index, index)
    states[:] = start
    for event in events:
        if event < BYPASS:
            model = event >> 1
            for index in range(INDICES):
                costs[model, index] += _price_bin(states[model], index, event & 1)
        elif event == BLOCK_ROW:
            states[:] = start
    return costs


@kernel
def cheapest_indices(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """The index of each entry, from the costs of their bins and those of signalling: [entries]."""
    chosen = np.zeros(len(costs), np.int64)
    flag = np.empty((INDICES, 2), np.int64)
    start_model(flag, 0, 0)
    for entry in range(len(costs)):
        state = flag[0, 1] + 16 * flag[0, 0]
        positive = int(state >= 0)
        absent = BIN_COSTS[1 - positive, abs(state >> 7)]
        present = BIN_COSTS[positive, abs(state >> 7)] + INDEX_BITS
        best = 1 + int(np.argmin(costs[entry, 1:]))
        if costs[entry, best] + present < costs[entry, 0] + absent:
            chosen[entry] = best
        update_model(flag, 0, 0, int(chosen[entry] != 0))
    return chosen
