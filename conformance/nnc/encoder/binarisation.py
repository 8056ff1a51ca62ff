"""Binarisation: the levels of one tensor as events, which the arithmetic coder then codes.

A tensor is first turned into a list of uint16 events, because the initialisation parameters at its
start are chosen from the bins that follow, and then coded. An event is ``2 * model + bin`` for a
context-coded bin, where ``model`` is the index of a context model (below 2000), or one of the
constants here.

The order of the bins and the choice of the context models are those of ISO/IEC 15938-17, as
NNCodec 2.1.3 reads them. The kernel mirrors the decoder's: where that reads a bin, this writes one.
Levels are *coded* levels, before the mapping of dependent quantization.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.cabac.jit import expand, kernel
from conformance.nnc.cabac.tables import (
    GREATER,
    HISTORY_SIGNIFICANCE,
    NEXT_STATE,
    PREFIX_LENGTH,
    SIGN,
    SIGNIFICANCE,
    TEMPORAL_SIGN,
    TEMPORAL_SIGNIFICANCE,
)

BYPASS: Final = 0xFF00
"""A bypass bin: ``BYPASS + bin``."""

BLOCK_ROW: Final = 0xFF10
"""A block row starts: all models go back to their initial state, the range to 256."""


def bypass_events(value: int, bits: int) -> NDArray[np.uint16]:
    """Return the ``bits`` lowest bits of a number as bypass bins, the most significant first."""
    return np.array([BYPASS + (value >> bit & 1) for bit in reversed(range(bits))], np.uint16)


@expand
def _put(events: NDArray[np.uint16], count: int, event: int) -> int:
    events[count] = event
    return count + 1


@kernel
def _put_bypass(events: NDArray[np.uint16], count: int, value: int, bits: int) -> int:
    for shift in range(bits - 1, -1, -1):
        count = _put(events, count, BYPASS + ((value >> shift) & 1))
    return count


@kernel
def _put_remainder(
    events: NDArray[np.uint16], count: int, rest: int, value: int, limit: int, model: int
) -> int:
    """The Exp-Golomb remainder: the magnitude is ``value + rest``, at most ``limit`` unless -1."""
    bits = 0
    for prefix in range(PREFIX_LENGTH):
        greater = rest >= (1 << bits)
        count = _put(events, count, 2 * (model + prefix) + greater)
        if not greater:
            break
        rest -= 1 << bits
        value += 1 << bits
        bits += 1
        if limit != -1 and value + (1 << bits) > limit:
            break
    return _put_bypass(events, count, rest, bits)


@expand
def _greater_model(base: int, negative: int, position: int, unary: int) -> int:
    if base != 0:
        return GREATER + 2 * unary + 2 * position + (0 if abs(base) >= position else 1)
    return GREATER + 2 * position + negative


@kernel
def _put_magnitude(
    events: NDArray[np.uint16],
    count: int,
    magnitude: int,
    negative: int,
    base: int,
    unary: int,
    limit: int,
) -> int:
    """What exceeds 1 of a magnitude: unary flags, then the remainder."""
    value = 1
    for position in range(unary):
        greater = magnitude > value
        model = _greater_model(base, negative, position, unary)
        count = _put(events, count, 2 * model + greater)
        if not greater:
            return count
        value += 1
        if limit != -1 and value >= limit:
            return count
    model = GREATER + 4 * unary
    return _put_remainder(events, count, magnitude - value, value, limit, model)


@expand
def _significance_model(previous: int, base: int, history: int, state: int) -> int:
    if history:
        return HISTORY_SIGNIFICANCE + state
    if base != 0:
        return TEMPORAL_SIGNIFICANCE + 2 * state + (abs(base) > 1)
    return SIGNIFICANCE + 3 * state + (1 if previous < 0 else 2 if previous > 0 else 0)


@expand
def _sign_model(previous: int, base: int) -> int:
    if base != 0:
        return TEMPORAL_SIGN + (base > 0)
    return SIGN + (1 if previous < 0 else 2 if previous > 0 else 0)


@kernel
def _put_level(
    events: NDArray[np.uint16],
    count: int,
    level: int,
    previous: int,
    base: int,
    history: int,
    state: int,
    unary: int,
    codebook_size: int,
    zero_offset: int,
) -> int:
    model = _significance_model(previous, base, history, state)
    count = _put(events, count, 2 * model + (level != 0))
    if level == 0:
        return count
    negative = 1 if level < 0 else 0
    if codebook_size == 0 or (zero_offset != 0 and zero_offset != codebook_size - 1):
        count = _put(events, count, 2 * _sign_model(previous, base) + negative)
    limit = -1
    if codebook_size > 0:
        limit = zero_offset if negative else codebook_size - zero_offset - 1
        if limit <= 1:
            return count
    return _put_magnitude(events, count, abs(level), negative, base, unary, limit)


@kernel
def skip_row(state: int, width: int) -> int:
    """The trellis state after a skipped row, which counts as ``width`` zeros."""
    for _ in range(width % 4):  # zeros permute the states in cycles of 1, 2 and 4
        state = NEXT_STATE[state, 0]
    return state


@expand
def _reserve(events: NDArray[np.uint16], count: int, room: int) -> NDArray[np.uint16]:
    """The same events in an array with ``room`` for more."""
    if count + room <= events.size:
        return events
    larger = np.empty(2 * events.size + room, np.uint16)
    larger[:count] = events[:count]
    return larger


@kernel
def binarise_levels(
    levels: NDArray[np.int32],
    width: int,
    block: int,
    resets: bool,
    dependent: bool,
    unary: int,
    codebook_size: int,
    zero_offset: int,
    reference: NDArray[np.int32],
    history: NDArray[np.int8],
    skipped: NDArray[np.bool_],
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """The events of all levels, and the trellis state at the start of each block row.

    ``block`` is the side of the scan's blocks, 0 without; ``resets`` whether block rows reset the
    models. ``reference`` and ``history`` are empty where unused; ``skipped`` has one flag a row.
    """
    height = levels.size // width
    rows = block or max(height, 1)
    columns = block or width
    block_rows = (height + rows - 1) // rows
    states = np.zeros(max(block_rows, 1), np.int64)
    events = np.empty(4 * levels.size + 4096, np.uint16)
    count = 0
    state = 0
    previous = 0
    for block_row in range(block_rows):
        states[block_row] = state
        events = _reserve(events, count, 1)
        if resets:
            count = _put(events, count, BLOCK_ROW)
            previous = 0
        if codebook_size == 1:
            continue
        for left in range(0, width, columns):
            right = min(left + columns, width)
            for row in range(block_row * rows, min((block_row + 1) * rows, height)):
                if skipped[row]:
                    if dependent:
                        state = skip_row(state, width)
                    continue
                for position in range(row * width + left, row * width + right):
                    level: Any = np.int64(levels[position])  # so that no magnitude wraps
                    base: Any = np.int64(reference[position]) if reference.size else np.int64(0)
                    past = int(history[position]) if history.size else 0
                    events = _reserve(events, count, unary + 2 * PREFIX_LENGTH + 4)
                    count = _put_level(
                        events, count, level, previous, base, past, state,
                        unary, codebook_size, zero_offset,
                    )  # fmt: skip
                    previous = level
                    if dependent:
                        state = NEXT_STATE[state, level & 1]
    return events[:count], states


def has_block_row_starts(coding: LevelCoding) -> bool:
    """Whether the block rows of a tensor reset the range and the models."""
    if coding.block_rows == 1:
        return coding.block > 0 and coding.resets_single_block_row
    return coding.block_rows > 1
