"""The scan: block rows, blocks, rows and the levels in them.

Block rows go from top to bottom, the blocks of one from left to right, and each block row by row;
the last ones are cut where the matrix ends. Without blocks all of it is one block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.engine import (
    BLOCK_ROW_RANGE,
    STATE,
    Bytes,
    Engine,
    Models,
    Number,
    Pointer,
    Stream,
    Window,
    consumed,
    keep_window,
    offset_of,
    pointer_to,
    window_of,
)
from conformance.nnc.cabac.jit import expand, inline, kernel
from conformance.nnc.cabac.levels import Tools, decode_plain_level, decode_tool_level
from conformance.nnc.cabac.packed import NEXT_STATES

Levels: TypeAlias = NDArray[np.int32]
Shape: TypeAlias = tuple[int, int, int, int, int, int, int]
LevelDecoder: TypeAlias = Callable[..., tuple[Number, Window]]
InCode: TypeAlias = tuple[Number, Number, Window]
"""The state of dependent quantisation, the class of the level before, the window."""

DONE, ENDED, OUTSIDE = range(3)
"""Outcomes: all decoded, the payload ended before, the offset register is outside its range."""
RUN: Final = 4096
"""Levels between two looks at the end of the payload, where the scan has no blocks.

Behind the end bins are decoded from zeros, which does no harm: so it need not be looked for at each
level, but a short payload must not make a large tensor be decoded for long.
"""


@inline
def next_state(state: Number, parity: Number, dependent: Number) -> Number:
    """Return the state of dependent quantisation after a level; 0 without it."""
    return (NEXT_STATES >> ((state << 3) + (parity << 2))) & (7 * dependent)


@expand
def decode_part(
    stream: Stream,
    models: Pointer,
    levels: Pointer,
    part: tuple[Number, Number],
    coding: tuple[Number, Number],
    place_in_code: InCode,
    decode_level: LevelDecoder,
    tools: Tools,
) -> InCode:
    """Decode the levels of a part of a row, from ``part[0]`` to before ``part[1]``."""
    unary_length, dependent = coding
    state, before, window = place_in_code
    for place in range(part[0], part[1]):
        level, window = decode_level(
            stream, models, unary_length, state, before, place, tools, window
        )
        # The next level's contexts, and the state, look at the level as coded, not as mapped here.
        before = np.int64(level < 0) + 2 * np.int64(level > 0)
        # An odd state takes off the sign of what is left of the doubled level in 32 bits.
        doubled = np.int64(np.int32(level << dependent))
        towards_zero = np.int64(doubled < 0) - np.int64(doubled > 0)
        levels[place] = np.int32(doubled + towards_zero * (state & dependent))
        state = next_state(state, level & 1, dependent)
    return state, before, window


@expand
def skip_part(
    levels: Pointer, part: tuple[Number, Number], width: Number, state: Number, dependent: Number
) -> Number:
    """Write zeros; return the state after as many as the whole row has.

    Of the row of a matrix, that is, even where the part is that of one block: NNCodec moves the
    state so in each of them. The class of the level before stays.
    """
    for place in range(part[0], part[1]):
        levels[place] = np.int32(0)
    for _ in range(width & 3):  # four zeros bring back every state
        state = next_state(state, 0, dependent)
    return state


@expand
def decode_block_row(
    stream: Stream,
    models: Pointer,
    levels: Pointer,
    skip: tuple[Pointer, Number],
    shape: Shape,
    top: Number,
    place_in_code: InCode,
    decode_level: LevelDecoder,
    tools: Tools,
) -> InCode:
    """Decode a block row, or less of it where the payload ends."""
    width, height, block_width, block_height, _, unary_length, dependent = shape
    flags, flag_count = skip
    state, before, window = place_in_code
    for left in range(0, width, block_width):
        right = min(left + block_width, width)
        for row in range(top, min(top + block_height, height)):
            begin, end = row * width + left, row * width + right
            if flag_count and flags[row]:
                state = skip_part(levels, (begin, end), width, state, dependent)
                continue
            for first in range(begin, end, RUN):
                state, before, window = decode_part(
                    stream,
                    models,
                    levels,
                    (first, min(first + RUN, end)),
                    (unary_length, dependent),
                    (state, before, window),
                    decode_level,
                    tools,
                )
                if is_beyond(stream, window):
                    break
            if is_beyond(stream, window):
                break
        if is_beyond(stream, window):
            break
    return state, before, window


@inline
def is_beyond(stream: Stream, window: Window) -> Number:
    """Return whether more bits were taken than the payload has."""
    return consumed(window) > 8 * stream[1]


@expand
def decode_rows(
    payload: Bytes,
    engine: Engine,
    models: Models,
    start: Models,
    out: Levels,
    skip: Bytes,
    shape: Shape,
    rows: tuple[int, int],
    entries: NDArray[np.int64],
    decode_level: LevelDecoder,
    tools: Tools,
) -> Number:
    """Decode block rows, each level with ``decode_level``; see :func:`decode_plain_rows`."""
    stream, store = (pointer_to(payload), payload.size), pointer_to(models)
    levels, skips = pointer_to(out), (pointer_to(skip), skip.size)
    window, state = window_of(engine), engine[STATE]
    outcome = DONE
    for block_row in range(rows[0], rows[1]):
        if shape[4]:
            # With the range set to 256 the offset register may be no more than that: only a damaged
            # payload leaves more than 8 bits here.
            if offset_of(window) >= BLOCK_ROW_RANGE:
                outcome = OUTSIDE
                break
            window = window[0], BLOCK_ROW_RANGE, window[2], window[3]
            for index in range(start.size):
                store[index] = start[index]
        if entries.size:
            entries[block_row, 0] = offset_of(window)
            entries[block_row, 1] = state
            entries[block_row, 2] = consumed(window)
        top = block_row * shape[3]
        state, _, window = decode_block_row(
            stream, store, levels, skips, shape, top, (state, 0, window), decode_level, tools
        )
        if is_beyond(stream, window):
            outcome = ENDED
            break
    keep_window(engine, window)
    engine[STATE] = state
    return outcome


@kernel
def decode_plain_rows(
    payload: Bytes,
    engine: Engine,
    models: Models,
    start: Models,
    out: Levels,
    skip: Bytes,
    shape: Shape,
    rows: tuple[int, int],
    entries: NDArray[np.int64],
) -> Number:
    """Decode the block rows from ``rows[0]`` to before ``rows[1]``; return an outcome.

    ``engine`` and ``models`` are carried on; ``start`` are the models as block rows start.
    ``out`` takes the levels of the whole tensor and is written at every place of these block
    rows. ``skip`` says which matrix rows are zero; it is empty when none is. ``shape``: width,
    height, block width, block height, whether block rows reset, unary length, whether
    quantisation is dependent. ``entries`` takes the offset register, the state and the bits taken
    at the start of each block row, unless it is empty. There is no codebook, reference or history.
    """
    return decode_rows(
        payload, engine, models, start, out, skip, shape, rows, entries, decode_plain_level, ()
    )


@kernel
def decode_tool_rows(
    payload: Bytes,
    engine: Engine,
    models: Models,
    start: Models,
    out: Levels,
    skip: Bytes,
    shape: Shape,
    rows: tuple[int, int],
    entries: NDArray[np.int64],
    tools: tuple[Any, ...],
) -> Number:
    """Decode block rows as :func:`decode_plain_rows` does, with all tools, and count bits.

    ``tools``: codebook size or 0, zero offset, reference and history (both 1-D, empty when not in
    use), and payload bits by group, which are added to.
    """
    codebook_size, zero_offset, reference, history, bits = tools
    pointers = (
        codebook_size,
        zero_offset,
        reference.size > 0,
        pointer_to(reference),
        history.size > 0,
        pointer_to(history),
        pointer_to(bits),
    )
    return decode_rows(
        payload, engine, models, start, out, skip, shape, rows, entries, decode_tool_level, pointers
    )
