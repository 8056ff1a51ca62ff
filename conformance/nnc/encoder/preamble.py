"""What precedes the levels of a tensor: its tool flags and initialisation parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.encoder import initialisation
from conformance.nnc.encoder.events import bypass_events
from conformance.nnc.encoder.tools import Initialisation, LevelTools


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
        count = initialisation.model_count(coding.unary_length)
        return initialisation.cheapest_indices(initialisation.price_indices(events, count)[models])
    chosen = np.asarray(initialise, np.int64)
    if (
        chosen.shape != models.shape
        or not ((chosen >= 0) & (chosen < initialisation.INDICES)).all()
    ):
        raise ValueError(f"{models.size} initialisation indices of 0 to 8 are needed")
    return chosen


def preamble_events(
    coding: LevelCoding, tools: LevelTools, chosen: NDArray[np.int64]
) -> NDArray[np.uint16]:
    """The tool flags and initialisation parameters of a tensor."""
    parts = []
    if coding.has_tool_flags:
        if coding.parent:
            parts.append(bypass_events(int(tools.history_flag), 1))
        parts.append(bypass_events(int(tools.skipped is not None), 1))
        if tools.skipped is not None:
            model = initialisation.row_skip_model(coding.unary_length)
            parts.append((2 * model + tools.skipped).astype(np.uint16))
    model = initialisation.initialisation_model(coding.unary_length)
    for index in chosen.tolist():
        parts.append(np.array([2 * model + bool(index)], np.uint16))
        if index:
            parts.append(bypass_events(index - 1, initialisation.INDEX_BITS))
    return np.concatenate([np.empty(0, np.uint16), *parts])
