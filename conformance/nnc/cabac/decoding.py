"""Decode the payload of a compressed data unit: one arithmetic codeword.

    decoder = PayloadDecoder(payload)
    qp = decoder.read_iae(8)
    decoder.read_levels(LevelCoding(height=64, width=147, ...), levels)
    used = decoder.finish()

Everything the payload can hold is either decoded or a :class:`PayloadError`. The layout of the
payload is that of ISO/IEC 15938-17 as NNCodec 2.1.3 writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.block_rows import BlockRowDecoder, decode_in_threads
from conformance.nnc.cabac.coding import GROUPS, EntryPoint, LevelCoding, LevelReport, PayloadError
from conformance.nnc.cabac.engine import (
    BLOCK_ROW_RANGE,
    ENGINE_SIZE,
    RANGE,
    START_MODELS,
    START_RANGE,
    STATE,
    Bytes,
    Engine,
    Models,
    Number,
    decode_bin,
    decode_bypass,
    keep_window,
    offset_register,
    pointer_to,
    position,
    read_bypass,
    seek,
    window_of,
)
from conformance.nnc.cabac.jit import kernel
from conformance.nnc.cabac.levels import ENDED, OUTSIDE
from conformance.nnc.cabac.tables import (
    GREATER,
    HISTORY_SIGNIFICANCE,
    SIGN,
    SIGNIFICANCE,
    STATES,
    TEMPORAL_SIGN,
    TEMPORAL_SIGNIFICANCE,
    UTILITY_INITIALISATION,
    UTILITY_ROW_SKIP,
    model_count,
    remainder_base,
)

OFFSET_BITS: Final = 9
"""Bits of the offset register, which are read before the first bin."""
STOP_BIT: Final = 0x80
"""The last bit taken is 1, and zeros fill its byte: this, where it is the first of the byte."""
INDEX_BITS: Final = 3
"""Bypass bins of an initialisation index of 1 to 8, less 1."""


class PayloadDecoder:
    """Reads one payload from its start: integers and the levels of tensors, then its end.

    ``payload`` is uint8, 1-D; nothing outside it is read. With ``count_bits`` reports have
    all their parts, and decoding is slower. Every method raises :class:`PayloadError` where the
    payload cannot be decoded.
    """

    def __init__(self, payload: NDArray[np.uint8], *, count_bits: bool = False) -> None:
        self._payload = np.ascontiguousarray(payload, np.uint8).view()
        self._payload.setflags(write=False)
        self._count_bits = count_bits
        self._engine = np.zeros(ENGINE_SIZE, np.int64)
        if payload.size * 8 < OFFSET_BITS:
            raise PayloadError("the payload ends before its first bin", 8 * payload.size)
        offset = int(payload[0]) << 1 | int(payload[1]) >> 7  # the first 9 bits
        if offset >= START_RANGE:
            raise PayloadError(f"the offset register starts at {offset}, outside its range", 0)
        seek(self._payload, self._engine, OFFSET_BITS, offset)
        self._engine[RANGE] = START_RANGE

    @property
    def position_bits(self) -> int:
        """Payload bits taken so far: the 9 of the first offset and one for each shift."""
        return position(self._engine)

    def read_iae(self, count: int) -> int:
        """Return ``count`` bypass bins, 1 to 32, as a two's complement integer: iae(count)."""
        number = int(read_bypass(self._payload, self._engine, count))
        self._check_end("an integer")
        return number - (number >> count - 1 << count)  # the highest bit is the sign

    def read_levels(
        self,
        coding: LevelCoding,
        out: NDArray[np.int32],
        entry_points: Sequence[EntryPoint] = (),
        threads: int = 1,
    ) -> LevelReport:
        """Decode the levels of a tensor into ``out``, int32, 1-D, contiguous, in C order.

        In the payload there come the tool flags, the initialisation parameters and the levels.
        All of ``out`` is written unless the payload cannot be decoded. With entry points, large
        tensors are decoded by as many ``threads``; what they say never changes the result.

        Raises :class:`PayloadError`, and :class:`ValueError` for memory or arrays of ``coding`` of
        the wrong size.
        """
        if out.shape != (coding.size,) or out.dtype != np.int32 or not out.flags.c_contiguous:
            raise ValueError(
                f"levels need contiguous int32 memory of shape ({coding.size},), "
                f"not {out.dtype} of shape {out.shape}"
            )
        models = np.full(model_count(coding.unary_length), START_MODELS[0], np.int64)
        start = self.position_bits
        hdsp, row_skip, skip = self._read_tool_flags(coding, models)
        flags_end = self.position_bits
        order, indices = self._read_initialisation(coding, models, hdsp=hdsp)
        self._engine[STATE] = 0
        rows = BlockRowDecoder(self._payload, coding, models, out, skip, hdsp=hdsp)
        if self._count_bits:
            rows.count(flags_end - start, self.position_bits - flags_end)
        if not decode_in_threads(rows, self._engine, entry_points, threads):
            self._check_outcome(rows.decode(self._engine, models, 0, coding.block_rows))
        skipped = int(np.count_nonzero(skip))
        if not self._count_bits:
            return LevelReport(row_skip, skipped, hdsp)
        return LevelReport(
            row_skip,
            skipped,
            hdsp,
            initialisation=tuple(zip(order.tolist(), indices.tolist(), strict=True)),
            bits=dict(zip(GROUPS, rows.bits.tolist(), strict=True)),
            entry_points=rows.entry_points(),
        )

    def finish(self) -> int:
        """Read the terminating bin, which ends the payload; return the bytes taken.

        The bin is 1 where the offset is in the upper 2 of the range. Nothing is renormalised after
        it: the last bit taken is the stop bit.
        """
        offset = offset_register(self._engine)
        if offset < int(self._engine[RANGE]) - 2:
            raise PayloadError("the terminating bin is not there", self.position_bits)
        self._check_end("the terminating bin")
        return -(-self.position_bits // 8)

    @property
    def stop_pattern(self) -> bool:
        """Whether the payload's last bit taken is 1 and only zeros follow in its byte.

        Nothing depends on it, so :meth:`finish` does not insist.
        """
        last = self.position_bits - 1
        rest = int(self._payload[last // 8]) & 0xFF >> last % 8
        return rest == STOP_BIT >> last % 8

    def _read_tool_flags(
        self, coding: LevelCoding, models: NDArray[np.int64]
    ) -> tuple[bool, bool, NDArray[np.uint8]]:
        """Read whether the history is in use, whether rows are skipped, and which."""
        hdsp = row_skip = False
        if coding.has_tool_flags:
            if coding.parent:
                hdsp = bool(read_bypass(self._payload, self._engine, 1))
            row_skip = bool(read_bypass(self._payload, self._engine, 1))
        skip = np.empty(coding.height if row_skip else 0, np.uint8)
        model = remainder_base(coding.unary_length) + UTILITY_ROW_SKIP
        read_flags(self._payload, self._engine, models, model, skip)
        self._check_end("the flags of the rows")
        return hdsp, row_skip, skip

    def _read_initialisation(
        self, coding: LevelCoding, models: NDArray[np.int64], *, hdsp: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Initialise the models; return those in the payload and their indices."""
        order = initialised_models(coding, hdsp=hdsp)
        indices = np.empty_like(order)
        utility = remainder_base(coding.unary_length) + UTILITY_INITIALISATION
        read_indices(self._payload, self._engine, models, utility, order, indices)
        self._check_end("how the contexts start")
        return order, indices

    def _check_outcome(self, outcome: int) -> None:
        """Raise what a kernel found."""
        if outcome == OUTSIDE:
            offset = offset_register(self._engine)
            raise PayloadError(
                f"the offset register is {offset} at the start of a block row, "
                f"where it must be below {BLOCK_ROW_RANGE}",
                self.position_bits,
            )
        if outcome == ENDED:
            raise PayloadError("the payload ends before the last level", 8 * self._payload.size)

    def _check_end(self, what: str) -> None:
        """Raise if more bits were taken than there are."""
        if self.position_bits > 8 * self._payload.size:
            raise PayloadError(f"the payload ends before {what}", 8 * self._payload.size)


@kernel
def read_flags(payload: Bytes, engine: Engine, models: Models, index: Number, flags: Bytes) -> None:
    """Fill ``flags``, uint8, 1-D, with bins of the model at ``index``.

    It does not notice that the payload ends: callers look at the position afterwards.
    """
    stream, store, window = (
        (pointer_to(payload), payload.size),
        pointer_to(models),
        window_of(engine),
    )
    for place in range(flags.size):
        flags[place], window = decode_bin(stream, store, index, window)
    keep_window(engine, window)


@kernel
def read_indices(
    payload: Bytes,
    engine: Engine,
    models: Models,
    utility: Number,
    order: NDArray[np.int64],
    indices: NDArray[np.int64],
) -> None:
    """Set the models that ``order`` names to the starts that the payload says.

    ``indices`` is as long as ``order`` and takes the initialisation index of each, 0 to 8. The
    utility model that codes their flags adapts as any other, but is never in ``order``.
    """
    stream, store, window = (
        (pointer_to(payload), payload.size),
        pointer_to(models),
        window_of(engine),
    )
    for place in range(order.size):
        index = 0
        bit, window = decode_bin(stream, store, utility, window)
        if bit:
            number, window = decode_bypass(stream, INDEX_BITS, window)
            index = 1 + number
        indices[place] = index
        models[order[place]] = START_MODELS[index]
    keep_window(engine, window)


def initialised_models(coding: LevelCoding, *, hdsp: bool) -> NDArray[np.int64]:
    """Return the models whose initialisation index is in the payload, in this order: int64, 1-D.

    Others start with index 0: no level of the tensor uses them.
    """
    return models_in_order(
        dependent=coding.dependent,
        temporal=coding.reference is not None,
        hdsp=hdsp,
        unary_length=coding.unary_length,
        remainder_contexts=coding.remainder_contexts,
        largest=coding.largest,
        constant=coding.constant,
        one_sided=coding.one_sided,
    )


@lru_cache(maxsize=64)
def models_in_order(
    *,
    dependent: bool,
    temporal: bool,
    hdsp: bool,
    unary_length: int,
    remainder_contexts: int,
    largest: int,
    constant: bool,
    one_sided: bool,
) -> NDArray[np.int64]:
    """Return the models of :func:`initialised_models`, from what decides about them.

    The array is cached: it must not be written to.
    """
    states = STATES if dependent else 1
    models: list[int] = []
    if not constant:
        models += range(SIGNIFICANCE, SIGNIFICANCE + 3 * states)
        if temporal:
            models += range(TEMPORAL_SIGNIFICANCE, TEMPORAL_SIGNIFICANCE + 2 * states)
        if hdsp:
            models += range(HISTORY_SIGNIFICANCE, HISTORY_SIGNIFICANCE + states)
        if not one_sided:
            models += range(SIGN, TEMPORAL_SIGN + 2 if temporal else TEMPORAL_SIGN)
    flags = 2 * unary_length
    models += range(GREATER, GREATER + bounded(flags, 2 * largest, largest))
    if temporal:
        first = GREATER + flags
        models += range(first, first + bounded(flags, 2 * (largest - 1), largest))
    first = remainder_base(unary_length)
    models += range(first, first + remainders(remainder_contexts, unary_length, largest))
    return np.array(models, np.int64)


def bounded(count: int, limit: int, largest: int) -> int:
    """Return how many of ``count`` models are in use: a codebook's levels may not reach all.

    ``largest`` is the largest magnitude of its levels, -1 without one. Flag j asks whether a
    magnitude exceeds j + 1, for which there must be levels that do; it has two models.
    """
    return count if largest == -1 else max(0, min(count, limit))


def remainders(count: int, unary_length: int, largest: int) -> int:
    """Return how many positions of the remainder's prefix are in use.

    Position a is reached by magnitudes above N - 1 + (2^(a + 1) - 1), N being the unary length.
    """
    if largest == -1:
        return count
    return sum(1 for place in range(count) if unary_length - 2 + (2 << place) < largest)


WARM_UP = (
    LevelCoding(2, 2, 0, dependent=False, unary_length=1),
    LevelCoding(2, 2, 0, dependent=False, unary_length=1, codebook_size=4, zero_offset=2),
)
"""A tensor without tools and one with a codebook: between them they need every kernel."""


def warm_up() -> None:
    """Compile every kernel, or load it if it was compiled before."""
    decoder = PayloadDecoder(np.zeros(64, np.uint8))
    decoder.read_iae(1)
    for coding in WARM_UP:
        decoder.read_levels(coding, np.empty(coding.size, np.int32))
