"""What precedes the levels of a tensor: its tool flags and initialisation parameters.

Each model that a tensor can use starts from one of nine table rows, its initialisation index. The
cheapest choice is made from the bins themselves: every model is run over its bins from all nine.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.cabac.jit import kernel
from conformance.nnc.cabac.tables import (
    LPS_RANGE,
    UTILITY_INITIALISATION,
    UTILITY_ROW_SKIP,
    model_count,
    remainder_base,
)
from conformance.nnc.encoder.binarisation import BLOCK_ROW, BYPASS, bypass_events
from conformance.nnc.encoder.engine import start_model, update_model
from conformance.nnc.encoder.settings import Initialisation, LevelTools

INDICES: Final = 9
INDEX_BITS: Final = 3


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


def choose_initialisation(
    coding: LevelCoding,
    initialise: Initialisation,
    events: NDArray[np.uint16],
    models: NDArray[np.int64],
) -> NDArray[np.int64]:
    """The initialisation index of each of ``models``."""
    if initialise == "zero":
        return np.zeros(models.size, np.int64)
    if initialise == "best":
        count = model_count(coding.unary_length)
        return cheapest_indices(price_indices(events, count)[models])
    chosen = np.asarray(initialise, np.int64)
    if chosen.shape != models.shape or not ((chosen >= 0) & (chosen < INDICES)).all():
        raise ValueError(f"{models.size} initialisation indices of 0 to 8 are needed")
    return chosen


def preamble_events(
    coding: LevelCoding, tools: LevelTools, chosen: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """The tool flags and initialisation parameters of a tensor."""
    parts = []
    first = remainder_base(coding.unary_length)
    if coding.has_tool_flags:
        if coding.parent:
            parts.append(bypass_events(int(tools.history_flag), 1))
        parts.append(bypass_events(int(tools.skipped is not None), 1))
        if tools.skipped is not None:
            model = first + UTILITY_ROW_SKIP
            parts.append((2 * model + tools.skipped).astype(np.uint16))
    model = first + UTILITY_INITIALISATION
    for index in chosen.tolist():
        parts.append(np.array([2 * model + bool(index)], np.uint16))
        if index:
            parts.append(bypass_events(index - 1, INDEX_BITS))
    return np.concatenate([np.empty(0, np.uint16), *parts])
