"""The arithmetic decoder: bins with a context and without, pieces of every kernel.

During a kernel the registers are a window on the payload, (value, rng, spare, byte). ``rng`` is
the range. The offset register is kept with the bits that follow it: ``value`` has its 9 bits at
bit 53 and upwards, below them ``spare`` payload bits that were read ahead, then zeros. So the
offset is compared in place and a renormalisation is one shift. ``byte`` is the next payload byte
to read; behind the last one come zeros, and :func:`consumed` tells that they were used. From
kernel to kernel the window is in an array of ``ENGINE_SIZE``, with the state of dependent
quantisation.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from conformance.nnc.cabac.jit import inline, kernel
from conformance.nnc.cabac.packed import (
    LIKELIHOOD,
    LPS_RANGES,
    ONE_BIN,
    S0_SELECTION,
    S1_SELECTION,
    STEPS,
    ZERO_BIN,
)

Bytes: TypeAlias = NDArray[np.uint8]
Engine: TypeAlias = NDArray[np.int64]
Models: TypeAlias = NDArray[np.int64]
Number: TypeAlias = Any
"""An int64 in a kernel."""
Pointer: TypeAlias = Any
"""What :func:`pointer_to` gives."""
Stream: TypeAlias = tuple[Pointer, Number]
"""A pointer to the payload and its size in bytes."""
Window: TypeAlias = tuple[Number, Number, Number, Number]
"""value, rng, spare, byte."""

VALUE, RANGE, SPARE, BYTE, STATE = range(5)
ENGINE_SIZE: Final = 5
POINT: Final = 53
"""Where the offset register is in ``value``."""
START_RANGE: Final = 510
"""The range at the start of a payload; the offset register starts as its first 9 bits."""
BLOCK_ROW_RANGE: Final = 256
"""The range at the start of a block row: the least there is, so that the offset register is below
it in 8 bits, as entry points have it."""
AHEAD: Final = 16
"""Bypass bins decoded at once; so many bits must have been read ahead."""


def emit_leading_zeros(_typing_context: object, number: Any) -> Any:
    """Count the zero bits above the highest one of a positive int64."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], context.get_constant(types.boolean, True))

    return number(number), generate


def emit_pointer(_typing_context: object, array: Any) -> Any:
    """Return a pointer to the first element of a contiguous array.

    Unlike an array it is not reference counted, which would be done for every bin.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    pointer: Any = types.CPointer
    return pointer(array.dtype)(array), generate


leading_zeros: Final[Any] = intrinsic(emit_leading_zeros)
pointer_to: Final[Any] = intrinsic(emit_pointer)


@inline
def refill(stream: Stream, window: Window) -> Window:
    """Read four bytes ahead."""
    payload, size = stream
    value, rng, spare, byte = window
    word: Number = 0
    if byte + 4 <= size:
        for place in range(4):
            word = word << 8 | np.int64(payload[byte + place])
    else:
        for place in range(byte, byte + 4):
            word <<= 8
            if place < size:
                word |= np.int64(payload[place])
    # After a shift ``spare`` may be negative: the word then fills up the offset register as well.
    return value | word << (POINT - 32 - spare), rng, spare + 32, byte + 4


@inline
def shift_in(stream: Stream, shift: Number, window: Window) -> Window:
    """Shift range and offset register, at most 9 bits.

    Between bins the range has 9 bits, 256 to 510, as the table of ranges needs it; a bin leaves
    less, and so many shifts as bring back bit 8 renormalise it.
    """
    value, rng, spare, byte = window
    window = value << shift, rng << shift, spare - shift, byte
    if spare < shift:
        window = refill(stream, window)
    return window


@inline
def adapt(models: Pointer, index: Number, model: Number, bit: Number) -> None:
    """Adapt the model at ``index`` to a bin."""
    # Both selections are made before either state moves, and neither sum leaves its bits, so that
    # two additions are the same as S0 and S1 and S01 = S1 + 16 * S0 one after another.
    selection = model + ZERO_BIN + bit * (ONE_BIN - ZERO_BIN)
    models[index] = (
        model
        + STEPS[selection >> S1_SELECTION & 255]
        + STEPS[256 + (selection >> S0_SELECTION & 255)]
    )


@inline
def lps_range_of(likelihood: Number, rng: Number) -> Number:
    """Return the range of the less probable bin: of eight, the one by bits 7..5 of ``rng``."""
    return LPS_RANGES[np.uint64(likelihood)] >> (rng >> 2 & 56) & 255


@inline
def decode_bin(
    stream: Stream, models: Pointer, index: Number, window: Window
) -> tuple[Number, Window]:
    """Decode a bin with the model at ``index`` and adapt the model."""
    value, rng, spare, byte = window
    model = models[index]
    likelihood = model >> LIKELIHOOD
    lps_range = lps_range_of(likelihood, rng)
    mps_range = rng - lps_range
    bit = likelihood >> 5
    if value < mps_range << POINT:
        # At least 128 is left of the range, so that one shift is enough, and none from 256 on.
        window = shift_in(stream, mps_range >> 8 ^ 1, (value, mps_range, spare, byte))
    else:
        bit ^= 1
        value -= mps_range << POINT
        shift = leading_zeros(lps_range) - 55  # 55 zeros of 64 are above a range of 9 bits
        window = shift_in(stream, shift, (value, lps_range, spare, byte))
    adapt(models, index, model, bit)
    return bit, window


@inline
def decode_even_bin(
    stream: Stream, models: Pointer, index: Number, window: Window
) -> tuple[Number, Window]:
    """Do what :func:`decode_bin` does without a branch: faster where nobody can foretell it."""
    value, rng, spare, byte = window
    model = models[index]
    likelihood = model >> LIKELIHOOD
    lps_range = lps_range_of(likelihood, rng)
    mps_range = rng - lps_range
    # -1, a mask of ones, where the offset is not below the range of the more probable bin, else 0.
    less_probable = ((mps_range << POINT) - 1 - value) >> 63
    value -= mps_range << POINT & less_probable
    bit = likelihood >> 5 ^ less_probable & 1
    rng = mps_range ^ (mps_range ^ lps_range) & less_probable
    window = shift_in(stream, leading_zeros(rng) - 55, (value, rng, spare, byte))
    adapt(models, index, model, bit)
    return bit, window


@inline
def decode_bypass(stream: Stream, count: Number, window: Window) -> tuple[Number, Window]:
    """Decode ``count`` bins without a context, at most 32, the first the most significant.

    Bin by bin it would be a long division: shift the offset, compare it with the range, subtract.
    The range stays, so it is one division for all of them, and exact: the bins are the quotient of
    the offset with ``count`` more bits, and the remainder is the offset after them. The offset is
    below the range, so the quotient has no more bits than there are bins.
    """
    number = 0
    while count > 0:
        some = min(count, AHEAD)
        if window[2] < some:
            window = refill(stream, window)
        value, rng, spare, byte = window
        point = POINT - some
        quotient = np.int64(np.uint64(value >> point) // np.uint64(rng))
        window = (value - (quotient * rng << point)) << some, rng, spare - some, byte
        number = number << some | quotient
        count -= some
    return number, window


@inline
def consumed(window: Window) -> Number:
    """Return how many payload bits were taken, the 9 of the first offset included."""
    return 8 * window[3] - window[2]


@inline
def offset_of(window: Window) -> Number:
    """Return the offset register."""
    return window[0] >> POINT


@inline
def window_of(engine: Engine) -> Window:
    """Return the window that an engine keeps."""
    return engine[VALUE], engine[RANGE], engine[SPARE], engine[BYTE]


@inline
def keep_window(engine: Engine, window: Window) -> None:
    """Let an engine keep a window."""
    engine[VALUE], engine[RANGE], engine[SPARE], engine[BYTE] = window


@kernel
def seek(payload: Bytes, engine: Engine, taken: Number, offset: Number) -> None:
    """Set the engine to so many bits ``taken`` and the offset register, leaving the range.

    What is left of the byte they end in is read ahead, so that all further reading is by bytes.
    """
    byte, used = taken >> 3, taken & 7
    value = offset << POINT
    spare = 0
    if used:
        spare = 8 - used
        if byte < payload.size:
            value |= np.int64(payload[byte]) % (1 << spare) << (POINT - spare)
        byte += 1
    engine[VALUE], engine[SPARE], engine[BYTE] = value, spare, byte


@kernel
def read_bypass(payload: Bytes, engine: Engine, count: Number) -> Number:
    """Return ``count`` bypass bins, at most 32, as an unsigned integer.

    Behind the end of the payload they are zeros, which :func:`position` tells afterwards.
    """
    stream = pointer_to(payload), payload.size
    number, window = decode_bypass(stream, count, window_of(engine))
    keep_window(engine, window)
    return number


def position(engine: Engine) -> int:
    """Return how many payload bits an engine has taken, the 9 of the first offset included.

    It is more than the payload has where zeros behind its end were used.
    """
    return 8 * int(engine[BYTE]) - int(engine[SPARE])


def offset_register(engine: Engine) -> int:
    """Return the offset register of an engine, 9 bits."""
    return int(engine[VALUE]) >> POINT
