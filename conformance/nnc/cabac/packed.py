"""The tables of ``tables``, repacked so that the kernels decode a bin with few steps.

A context model is one integer:

    bits 0..11   S1 + 2048
    bits 12..13  its pair of rates
    bit 14       0
    bits 15..22  S0 + 128
    bits 23..24  its pair of rates
    bit 25       0
    bits 26..38  S01 + 4096

So the more probable bin is bit 38 and what selects the range is the upper bits. To adapt S0, what
counts is its 5 upper bits, the rates and the bin, and so for S1: with the bin in the zero bits
above, each is one byte of the integer. Both adaptations are additions, to S01 at the same time.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.tables import LPS_RANGE, NEXT_STATE, RATES, START_STATES, TRANSITION

RATE_PAIRS: Final = ((5, 4), (4, 5), (6, 6), (7, 5))
S1_RATES: Final = 12
S0: Final = 15
S0_RATES: Final = 23
S01: Final = 26

LIKELIHOOD: Final = S01 + 7
"""A model shifted right by this is 32 + (S01 >> 7), 6 bits."""
S1_SELECTION: Final = 7
S0_SELECTION: Final = S0 + 3
"""A model shifted right by this has at its lower end the byte that selects an adaptation."""
ZERO_BIN: Final = -1 - (1 << S0)
"""Added to a model before the selection after a bin of 0: the states are less by 1, which makes up
for the arithmetic shift of a negated state."""
ONE_BIN: Final = (1 << S1_RATES + 2) + (1 << S0_RATES + 2)
"""Added to a model before the selection after a bin of 1."""


def pack_start_models() -> NDArray[np.int64]:
    """Return the packed model of every initialisation index."""
    models = []
    for (a, b), (s0, s1) in zip(RATES.tolist(), START_STATES.tolist(), strict=True):
        pair = RATE_PAIRS.index((a, b))
        rates = pair << S1_RATES | pair << S0_RATES
        states = s1 + 2048 | s0 + 128 << S0 | s1 + 16 * s0 + 4096 << S01
        models.append(rates | states)
    return np.array(models, np.int64)


def pack_lps_ranges() -> NDArray[np.int64]:
    """Return eight ranges in one integer, byte by byte, for every likelihood."""
    # S01 stays within +-3889 whatever the bins, so column 32 is never asked for; it has to exist.
    columns = np.abs(np.arange(64) - 32).clip(max=31)
    return np.ascontiguousarray(LPS_RANGE.T[columns].astype(np.uint8)).view(np.int64).reshape(-1)


def pack_steps(which: int, unit: int) -> NDArray[np.int64]:
    """Return what to add to a packed model, by the selecting byte of S0 (``which`` 0) or S1 (1).

    ``unit`` is 1 of the state in a packed model.
    """
    rates = [pair[which] for pair in RATE_PAIRS]
    # A packed state is never negative: its upper bits are the index 16 + (state >> shift) itself.
    # For a bin of 0 the index is 16 + (-state >> shift), 31 minus the index of state - 1.
    down = [-(TRANSITION[::-1] >> rate) for rate in rates]
    up = [TRANSITION >> rate for rate in rates]
    return np.concatenate(down + up) * unit


START_MODELS: Final = pack_start_models()
LPS_RANGES: Final = pack_lps_ranges()
STEPS: Final = np.concatenate(
    [pack_steps(1, 1 + (1 << S01)), pack_steps(0, (1 << S0) + (16 << S01))]
)
"""What to add to a model after a bin: 256 numbers for S1, then 256 for S0."""
NEXT_STATES: Final = sum(
    int(state) << 4 * place for place, state in enumerate(NEXT_STATE.reshape(-1))
)
"""Four bits for each of 2 * state + parity; the top bit of each is 0, that of all but 15 too."""
