"""The arithmetic decoder: bins with a context and without, pieces of every kernel.

The registers and tables are arranged for speed, because nearly all time is spent on bins; the bins
are those of the arithmetic decoder of ISO/IEC 15938-17.

During a kernel the registers are a window on the payload, (value, rng, spare, byte). ``rng`` is
the range, 256 to 510 between two bins. The offset register is kept with the bits that follow it:
``value`` has its 9 bits at bit 53 and upwards, below them ``spare`` payload bits that were read
ahead, then zeros; bits 62 and 63 are 0, so that it compares as a signed number. So the offset is
compared in place and a renormalisation is one shift. ``byte`` is the next payload byte to read;
after the last one come zeros, and :func:`consumed` says that they were used. From kernel to kernel
the window is in an array of ``ENGINE_SIZE``, with the state of dependent quantization.

A context model is one integer, made of :mod:`~conformance.nnc.cabac.tables`:

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

from typing import Any, Final, TypeAlias

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from conformance.nnc.cabac.jit import inline, kernel
from conformance.nnc.cabac.tables import LPS_RANGE, NEXT_STATE, RATES, START_STATES, TRANSITION

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
"""Where the offset register is in ``value``: 9 bits from here leave the two highest at 0."""
START_RANGE: Final = 510
"""The range before the first bin of a payload."""
BLOCK_ROW_RANGE: Final = 256
"""The range at the start of a block row: the least there is, so that an offset fits 8 bits."""
AHEAD: Final = 16
"""Bypass bins decoded at once; so many bits must have been read ahead.

:func:`refill` adds 32 bits and keeps up to 15, which fit below the offset register.
"""

RATE_PAIRS: Final = ((5, 4), (4, 5), (6, 6), (7, 5))
"""The rates (a, b) that occur in :data:`~conformance.nnc.cabac.tables.RATES`."""
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
for the arithmetic shift of a negated state: (-s) >> 3 is -1 - ((s - 1) >> 3)."""
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
    # S0 stays within 123 and S1 within 1923 of 0, so that S01 >> 7 is -31 to 30: the column for
    # -32 is there to make up 64.
    columns = np.abs(np.arange(64) - 32).clip(max=31)
    return np.ascontiguousarray(LPS_RANGE.T[columns].astype(np.uint8)).view(np.int64).reshape(-1)


def pack_steps(which: int, unit: int) -> NDArray[np.int64]:
    """Return what to add to a packed model, by the selecting byte of S0 (``which`` 0) or S1 (1).

    ``unit`` is 1 of the state in a packed model.
    """
    # The selecting byte is bin, rates, state from the top: hence 2 * 4 tables of 32 numbers. A
    # packed state is never negative: its upper bits are the index 16 + (state >> shift) itself. For
    # a bin of 0 the index is 16 + (-state >> shift), which is 31 less the index of state - 1.
    rates = [pair[which] for pair in RATE_PAIRS]
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
"""Four bits for each of 2 * state + parity: states are below 8, so the sign bit is 0."""


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
    # After a renormalisation ``spare`` may be -9 to -1: then the offset register lacks that many
    # bits, which the shift to its left fills.
    return value | word << (POINT - 32 - spare), rng, spare + 32, byte + 4


@inline
def shift_in(stream: Stream, shift: Number, window: Window) -> Window:
    """Shift range and offset register, at most 9 bits.

    Between two bins the range has 9 bits, as the table of ranges needs it; a bin leaves less, and
    as many shifts as bring back bit 8 renormalise it.
    """
    value, rng, spare, byte = window
    window = value << shift, rng << shift, spare - shift, byte
    if spare < shift:
        window = refill(stream, window)
    return window


@inline
def adapt(models: Pointer, index: Number, model: Number, bit: Number) -> None:
    """Adapt the model at ``index`` to a bin.

    Both selections are made before either state moves, and neither sum leaves its bits, so that two
    additions do the same as moving S0, then S1, then adding them up.
    """
    selection = model + ZERO_BIN + bit * (ONE_BIN - ZERO_BIN)
    models[index] = (
        model
        + STEPS[selection >> S1_SELECTION & 255]
        + STEPS[256 + (selection >> S0_SELECTION & 255)]
    )


@inline
def lps_range_of(likelihood: Number, rng: Number) -> Number:
    """Return the range of the less probable bin.

    ``likelihood`` is 32 + (S01 >> 7). ``rng >> 2 & 56`` is 8 times bits 7..5 of the range. The
    index is unsigned so that numba does not look whether it counts from the end.
    """
    return LPS_RANGES[np.uint64(likelihood)] >> (rng >> 2 & 56) & 255


@inline
def decode_bin(
    stream: Stream, models: Pointer, index: Number, window: Window
) -> tuple[Number, Window]:
    """Decode a bin with the model at ``index`` and adapt the model.

    Fast where the more probable bin nearly always comes.
    """
    value, rng, spare, byte = window
    model = models[index]
    likelihood = model >> LIKELIHOOD
    lps_range = lps_range_of(likelihood, rng)
    mps_range = rng - lps_range
    bit = likelihood >> 5
    if value < mps_range << POINT:
        # No range in the table is more than half of rng: what is left is 128 or more, and doubled
        # at most once.
        window = shift_in(stream, mps_range >> 8 ^ 1, (value, mps_range, spare, byte))
    else:
        bit ^= 1
        value -= mps_range << POINT
        shift = leading_zeros(lps_range) - 55  # up to bit 8 of 64
        window = shift_in(stream, shift, (value, lps_range, spare, byte))
    adapt(models, index, model, bit)
    return bit, window


@inline
def decode_even_bin(
    stream: Stream, models: Pointer, index: Number, window: Window
) -> tuple[Number, Window]:
    """Do what :func:`decode_bin` does without a branch: faster where it cannot be predicted."""
    value, rng, spare, byte = window
    model = models[index]
    likelihood = model >> LIKELIHOOD
    lps_range = lps_range_of(likelihood, rng)
    mps_range = rng - lps_range
    # All ones if the offset is not below mps_range, else 0: a mask for what changes then.
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

    Bin by bin (double the offset, compare with the range, subtract it) it is a long division of
    the offset by the range, whose quotient is the bins; so it is one division for all of them. It
    is exact, and the quotient has as many bits as there are bins, as the offset is below the range.
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
    """Return how many payload bits were taken, the 9 of the first offset included.

    Zeros after the payload's end count as well: more than it has means that it ended too early.
    """
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

    After the end of the payload they are zeros, which :func:`position` shows afterwards.
    """
    stream = pointer_to(payload), payload.size
    number, window = decode_bypass(stream, count, window_of(engine))
    keep_window(engine, window)
    return number


def position(engine: Engine) -> int:
    """Return how many payload bits an engine has taken, the 9 of the first offset included.

    It is more than the payload has where zeros after its end were used.
    """
    return 8 * int(engine[BYTE]) - int(engine[SPARE])


def offset_register(engine: Engine) -> int:
    """Return the offset register of an engine, 9 bits."""
    return int(engine[VALUE]) >> POINT
