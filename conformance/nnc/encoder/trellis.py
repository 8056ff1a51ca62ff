"""Dependent quantization: the levels of least cost, found by the Viterbi algorithm.

Two interleaved quantizers share the grid of the step size: even multiples, and odd multiples with
zero. Which of them a sample uses depends on the state, and the state on the parities of the levels
before it. The cost of a path is its squared error in steps plus a weight times its bits, for which
a fixed table of bits by magnitude stands in.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.cabac.jit import expand, kernel
from conformance.nnc.cabac.tables import NEXT_STATE
from conformance.nnc.encoder.binarisation import skip_row

STATES: Final = len(NEXT_STATE)
CANDIDATES: Final = 3
RATE_ENTRIES: Final = 32
BITS_PER_OCTAVE: Final = 2.0
"""Bits that each doubling adds to a magnitude beyond the table: prefix and suffix."""
LARGEST: Final = float((1 << 30) - 1)
"""Largest coded level that is looked for, so that its double fits 32 bits."""


@expand
def _candidate(sample: float, odd: int, which: int) -> int:
    """The coded level of a candidate: 0, or one of the two next to ``sample`` (in steps)."""
    if which == 0:
        return 0
    magnitude = min(abs(sample), 2 * LARGEST)
    level = int((magnitude + odd) // 2) + which - 1
    return -level if sample < 0 else level


@expand
def _value(level: int, odd: int) -> Any:
    """What a coded level stands for, in steps."""
    doubled = np.int64(np.int32(2 * level))
    return doubled - odd * (np.int64(doubled > 0) - np.int64(doubled < 0))


@expand
def _rate(level: int, rates: NDArray[np.float64]) -> float:
    magnitude = abs(level)
    if magnitude < RATE_ENTRIES:
        return float(rates[magnitude])
    beyond = float(np.log2(magnitude / (RATE_ENTRIES - 1)))
    return float(rates[RATE_ENTRIES - 1]) + BITS_PER_OCTAVE * beyond


@kernel
def _advance(
    sample: float,
    weight: float,
    rates: NDArray[np.float64],
    costs: NDArray[np.float64],
    decisions: NDArray[np.uint8],
) -> None:
    """Move the paths' costs over one sample; ``decisions`` has state and candidate before."""
    reached = np.full(STATES, np.inf)
    for state in range(STATES):
        odd = state & 1
        for which in range(CANDIDATES):
            level = _candidate(sample, odd, which)
            error = sample - _value(level, odd)
            cost = costs[state] + error * error + weight * _rate(level, rates)
            after = NEXT_STATE[state, level & 1]
            if cost < reached[after]:
                reached[after] = cost
                decisions[after] = CANDIDATES * state + which
    costs[:] = reached


@kernel
def _skip(costs: NDArray[np.float64], before: NDArray[np.uint8], width: int) -> None:
    """Move the paths' costs over a skipped row; ``before`` has the states before it."""
    left = costs.copy()
    for state in range(STATES):
        after = skip_row(state, width)
        costs[after] = left[state]
        before[after] = state


@kernel
def search_trellis(
    samples: NDArray[np.float64],
    starts: NDArray[np.int64],
    width: int,
    weight: float,
    rates: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The coded levels of samples (in steps) in scan order.

    ``starts`` are the positions before which a skipped row moves the state, increasing, once for
    each skipped row; ``width`` is that of the matrix.
    """
    costs = np.full(STATES, np.inf)
    costs[0] = 0.0
    decisions = np.zeros((samples.size, STATES), np.uint8)
    skips = np.zeros((starts.size, STATES), np.uint8)
    skip = 0
    for position in range(samples.size):
        while skip < starts.size and starts[skip] == position:
            _skip(costs, skips[skip], width)
            skip += 1
        _advance(samples[position], weight, rates, costs, decisions[position])
    return _trace_back(samples, starts[:skip], int(np.argmin(costs)), decisions, skips)


@kernel
def _trace_back(
    samples: NDArray[np.float64],
    starts: NDArray[np.int64],
    state: int,
    decisions: NDArray[np.uint8],
    skips: NDArray[np.uint8],
) -> NDArray[np.int64]:
    levels = np.zeros(samples.size, np.int64)
    skip = starts.size
    for position in range(samples.size - 1, -1, -1):
        decision = int(decisions[position, state])
        state = decision // CANDIDATES
        levels[position] = _candidate(samples[position], state & 1, decision % CANDIDATES)
        while skip and starts[skip - 1] == position:
            skip -= 1
            state = int(skips[skip, state])
    return levels


def estimate_rates(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits of each magnitude, sign included, from how often plain rounding gives it."""
    magnitudes = np.minimum(np.rint(np.abs(samples) / 2), RATE_ENTRIES - 1).astype(np.int64)
    counts = np.bincount(magnitudes, minlength=RATE_ENTRIES) + 1.0
    bits = -np.log2(counts / counts.sum())
    bits[1:] += 1
    return np.asarray(np.maximum.accumulate(bits))


def quantize_dependent(
    samples: NDArray[np.float64],
    coding: LevelCoding,
    lagrangian: float,
    skipped: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """Coded levels of samples, which are in steps and in C order, for dependent quantization.

    ``lagrangian`` weighs bits against squared steps; levels of ``skipped`` rows are 0.
    """
    positions = scan_positions(coding)
    mask = np.zeros(coding.height, np.bool_) if skipped is None else skipped
    coded, starts = skip_starts(coding, positions, mask)
    chosen = positions[coded]
    ordered = np.ascontiguousarray(samples.ravel()[chosen], np.float64)
    levels = np.zeros(coding.size, np.int32)
    levels[chosen] = search_trellis(
        ordered, starts, coding.width, lagrangian, estimate_rates(ordered)
    )
    return levels


def trellis_values(
    levels: NDArray[np.int32],
    coding: LevelCoding,
    skipped: NDArray[np.bool_] | None = None,
) -> NDArray[np.int32]:
    """What a decoder gives for coded levels: themselves, or their values on the trellis."""
    if not coding.dependent or coding.constant:
        return levels
    positions = scan_positions(coding)
    mask = np.zeros(coding.height, np.bool_) if skipped is None else skipped
    coded, starts = skip_starts(coding, positions, mask)
    chosen = positions[coded]
    values = np.zeros(coding.size, np.int32)
    values[chosen] = map_levels(levels.ravel()[chosen], starts, coding.width)
    return values


@kernel
def map_levels(
    levels: NDArray[np.int32], starts: NDArray[np.int64], width: int
) -> NDArray[np.int32]:
    """The values of coded levels in scan order, wrapping as int32."""
    values = np.zeros(levels.size, np.int32)
    state = 0
    skip = 0
    for position in range(levels.size):
        while skip < starts.size and starts[skip] == position:
            state = skip_row(state, width)
            skip += 1
        level: Any = np.int64(levels[position])
        values[position] = np.int32(_value(level, state & 1))
        state = NEXT_STATE[state, level & 1]
    return values


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
