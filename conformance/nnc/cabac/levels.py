"""The levels of a tensor: block rows, blocks, rows, and each level with or without tools.

A kernel is compiled for each of the two ways to decode a level: without the tools that nearly
every tensor does without, and with all of them. The tools shorten a level to what a codebook has
entries for, and choose other models by the reference and the history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.engine import (
    BLOCK_ROW_RANGE,
    NEXT_STATES,
    STATE,
    Bytes,
    Engine,
    Models,
    Number,
    Pointer,
    Stream,
    Window,
    consumed,
    decode_bin,
    decode_bypass,
    decode_even_bin,
    keep_window,
    offset_of,
    pointer_to,
    window_of,
)
from conformance.nnc.cabac.jit import expand, inline, kernel
from conformance.nnc.cabac.tables import (
    GREATER,
    HISTORY_SIGNIFICANCE,
    PREFIX_LENGTH,
    SIGN,
    SIGNIFICANCE,
    TEMPORAL_SIGN,
    TEMPORAL_SIGNIFICANCE,
)

Levels: TypeAlias = NDArray[np.int32]
Shape: TypeAlias = tuple[int, int, int, int, int, int, int]
LevelDecoder: TypeAlias = Callable[..., tuple[Number, Window]]
InCode: TypeAlias = tuple[Number, Number, Window]
"""The state of dependent quantization, the class of the level before, the window."""

DONE, ENDED, OUTSIDE = range(3)
"""Outcomes: all decoded, the payload ended before, the offset register is outside its range."""
RUN: Final = 4096
"""Levels between two looks at the end of the payload, where the scan has no blocks.

After the end bins are decoded from zeros, which does no harm: so each level need not look for it,
but a short payload must not keep a large tensor decoding for long.
"""
IN_SIGNIFICANCE, IN_SIGN, IN_GREATER, IN_REMAINDER, IN_BYPASS = range(2, 7)

Tools: TypeAlias = tuple[Any, ...]
"""Codebook size or 0, zero offset, whether there is a reference, a pointer to it, whether there
is a history, a pointer to it, a pointer to the bits by group."""


@inline
def decode_plain_level(
    stream: Stream,
    models: Pointer,
    unary_length: Number,
    state: Number,
    before: Number,
    _place: Number,
    _tools: Tools,
    window: Window,
) -> tuple[Number, Window]:
    """Decode a level; ``before`` is the class of the one before: 0 for 0, 1 below, 2 above.

    ``state`` is that of dependent quantization. A level is a flag whether it is not 0, its sign, up
    to ``unary_length`` flags whether it is greater, and an Exp-Golomb code of order 0 of the rest
    whose prefix has contexts. It wraps around at 32 bits, as in NNCodec.
    """
    level: Number = 0
    bit, window = decode_bin(stream, models, SIGNIFICANCE + 3 * state + before, window)
    if bit:
        level = 1
        # Signs are nearly even, where a processor predicts no branch; the other bins are not.
        sign, window = decode_even_bin(stream, models, SIGN + before, window)
        index, end = GREATER + sign, GREATER + 2 * unary_length
        while bit and index < end:
            bit, window = decode_bin(stream, models, index, window)
            level += bit
            index += 2
        if bit:
            prefix, count = GREATER + 4 * unary_length, 0
            while bit and count < PREFIX_LENGTH:  # 2^0 + 2^1 + ... for each prefix bin of 1
                bit, window = decode_bin(stream, models, prefix + count, window)
                level += bit << count
                count += bit
            suffix, window = decode_bypass(stream, count, window)
            level += suffix
        level = np.int64(np.int32((level ^ -sign) + sign))  # negated if sign is 1
    return level, window


@inline
def decode_tool_level(
    stream: Stream,
    models: Pointer,
    unary_length: Number,
    state: Number,
    before: Number,
    place: Number,
    tools: Tools,
    window: Window,
) -> tuple[Number, Window]:
    """Decode the level at ``place`` with every tool that ``tools`` names.

    ``base`` is the level of the reference at the same place. Levels of a codebook are bounded by
    its entries: what a bound already says is not coded. The history goes before the reference where
    both choose a model of significance. Bits are counted by what was consumed: subtracted before an
    element and added after it.
    """
    codebook_size, zero_offset, temporal, reference, hdsp, history, bits = tools
    level: Number = 0
    if codebook_size != 1:
        base: Number = 0
        if temporal:
            base = np.int64(reference[place])
        index = SIGNIFICANCE + 3 * state + before
        if hdsp and history[place]:
            index = HISTORY_SIGNIFICANCE + state
        elif base != 0:
            index = TEMPORAL_SIGNIFICANCE + 2 * state + np.int64(abs(base) > 1)
        bits[IN_SIGNIFICANCE] -= consumed(window)
        bit, window = decode_bin(stream, models, index, window)
        bits[IN_SIGNIFICANCE] += consumed(window)
        if bit:
            sign, window = decode_tool_sign(stream, models, before, base, tools, window)
            largest = -1  # no bound
            if codebook_size > 0:
                largest = zero_offset if sign else codebook_size - zero_offset - 1
            level, bit, window = decode_tool_flags(
                stream, models, unary_length, base, sign, largest, bits, window
            )
            if bit and (largest == -1 or level < largest):
                prefix = GREATER + 4 * unary_length
                level, window = decode_tool_remainder(
                    stream, models, prefix, level, largest, bits, window
                )
            level = np.int64(np.int32((level ^ -sign) + sign))
    return level, window


@expand
def decode_tool_sign(
    stream: Stream, models: Pointer, before: Number, base: Number, tools: Tools, window: Window
) -> tuple[Number, Window]:
    """Decode a sign, 1 for negative; a codebook with levels of one sign only implies it."""
    codebook_size, zero_offset, _, _, _, _, bits = tools
    sign = np.int64(zero_offset != 0)
    if codebook_size == 0 or 0 < zero_offset < codebook_size - 1:
        index = SIGN + before
        if base != 0:
            index = TEMPORAL_SIGN + np.int64(base > 0)
        bits[IN_SIGN] -= consumed(window)
        sign, window = decode_bin(stream, models, index, window)
        bits[IN_SIGN] += consumed(window)
    return sign, window


@expand
def decode_tool_flags(
    stream: Stream,
    models: Pointer,
    unary_length: Number,
    base: Number,
    sign: Number,
    largest: Number,
    bits: Pointer,
    window: Window,
) -> tuple[Number, Number, Window]:
    """Decode the flags of a level greater than 0; return it and the last flag.

    ``largest`` is the largest magnitude that the codebook has with this sign, -1 without one. With
    a reference the model depends on its magnitude, not on the sign of the level.
    """
    level, bit, flag = 1, 1, 0
    bits[IN_GREATER] -= consumed(window)
    while bit and flag < unary_length and (largest == -1 or level < largest):
        index = GREATER + 2 * flag + sign
        if base != 0:
            index = GREATER + 2 * (unary_length + flag) + np.int64(abs(base) < flag)
        bit, window = decode_bin(stream, models, index, window)
        level += bit
        flag += 1
    bits[IN_GREATER] += consumed(window)
    return level, bit, window


@expand
def decode_tool_remainder(
    stream: Stream,
    models: Pointer,
    prefix: Number,
    level: Number,
    largest: Number,
    bits: Pointer,
    window: Window,
) -> tuple[Number, Window]:
    """Decode what a level is more than its flags say; return the level.

    Each 1 of the prefix adds 1, 2, 4, ... to the level, and a bit to the suffix; with a codebook it
    ends where its next bin would lead past ``largest``. The suffix is not bounded: a damaged one
    gives a level outside the codebook, which is found when it is looked up.
    """
    bit, count = 1, 0
    bits[IN_REMAINDER] -= consumed(window)
    while bit and count < PREFIX_LENGTH and (largest == -1 or level + (1 << count) <= largest):
        bit, window = decode_bin(stream, models, prefix + count, window)
        level += bit << count
        count += bit
    bits[IN_REMAINDER] += consumed(window)
    bits[IN_BYPASS] -= consumed(window)
    suffix, window = decode_bypass(stream, count, window)
    bits[IN_BYPASS] += consumed(window)
    return level + suffix, window


@inline
def next_state(state: Number, parity: Number, dependent: Number) -> Number:
    """Return the state of dependent quantization after a level; 0 without it.

    ``dependent`` is 0 or 1: it masks the state instead of branching.
    """
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
        # The next level's contexts, and the state, depend on the level as coded, not as mapped.
        before = np.int64(level < 0) + 2 * np.int64(level > 0)
        # level' = 2 * level - (state & 1) * sign(level), or level without dependent quantization:
        # an odd state takes off the sign of what is left of the doubled level in 32 bits.
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

    In a scan by blocks a part of the row moves the state by the whole width as well: that is what
    NNCodec 2.1.3 does (rule NNC-LEVEL-001). The class of the level before stays.
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
    """Decode a block row, or less of it where the payload ends.

    Its blocks go from left to right, each row by row; the last ones are cut where the matrix ends.
    Without blocks all of the matrix is one block.
    """
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
            # The range becomes 256 and the offset stays: one beyond it has no meaning.
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
    quantization is dependent. ``entries`` takes the offset register, the state and the bits taken
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
