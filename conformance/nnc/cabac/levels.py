"""One level: with the tools that nearly every tensor does without, and without them.

A level is a flag that it is not 0, its sign, up to N flags that its magnitude is greater still
(N is the unary length), and for what is left an Exp-Golomb code of order 0: its prefix has context
models, its suffix has not. The tools shorten this to what a codebook has levels for, and choose
other models by the reference and the history.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np

from conformance.nnc.cabac.contexts import (
    GREATER,
    HISTORY_SIGNIFICANCE,
    PREFIX_LENGTH,
    SIGN,
    SIGNIFICANCE,
    TEMPORAL_SIGN,
    TEMPORAL_SIGNIFICANCE,
)
from conformance.nnc.cabac.engine import (
    Number,
    Pointer,
    Stream,
    Window,
    consumed,
    decode_bin,
    decode_bypass,
    decode_even_bin,
)
from conformance.nnc.cabac.jit import expand, inline

GROUPS: Final = (
    "flags",
    "initialisation",
    "significance",
    "sign",
    "greater-than",
    "remainder",
    "bypass",
)
"""What payload bits are counted by."""
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
    """Decode a level; ``before`` is the class of the one before: 0 for 0, 1 below, 2 above."""
    level: Number = 0
    bit, window = decode_bin(stream, models, SIGNIFICANCE + 3 * state + before, window)
    if bit:
        level = 1
        # Signs are nearly even, where a processor foretells no branch; the other bins are not.
        sign, window = decode_even_bin(stream, models, SIGN + before, window)
        index, end = GREATER + sign, GREATER + 2 * unary_length
        while bit and index < end:
            bit, window = decode_bin(stream, models, index, window)
            level += bit
            index += 2
        if bit:
            prefix, count = GREATER + 4 * unary_length, 0
            while bit and count < PREFIX_LENGTH:
                bit, window = decode_bin(stream, models, prefix + count, window)
                level += bit << count
                count += bit
            suffix, window = decode_bypass(stream, count, window)
            level += suffix
        # Negated if the sign is 1; levels are 32-bit integers and wrap around as such.
        level = np.int64(np.int32((level ^ -sign) + sign))
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

    The history goes before the reference where both have something to say of significance. Bits are
    counted as the difference of what was consumed after and before: less before, more after.
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
    """Decode a sign, 1 for negative; a codebook with one sign only tells it."""
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

    ``largest`` is what the codebook has on the side of ``sign``, -1 without one: a level that
    cannot be greater has no flag that says so. A reference chooses by its magnitude, not the sign.
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

    Each 1 in the prefix adds 1, 2, 4, ... to the level, and a bit to the suffix; the prefix ends
    where the next would lead beyond ``largest``. The suffix is not bounded: a wrong one gives a
    level outside the codebook, which is found when it is looked up.
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
