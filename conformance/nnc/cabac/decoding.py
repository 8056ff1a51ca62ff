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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac import engine as registers
from conformance.nnc.cabac.coding import EntryPoint, LevelCoding, LevelReport
from conformance.nnc.cabac.contexts import (
    UTILITY_INITIALISATION,
    UTILITY_ROW_SKIP,
    model_count,
    remainder_base,
)
from conformance.nnc.cabac.engine import BLOCK_ROW_RANGE, ENGINE_SIZE, RANGE, STATE
from conformance.nnc.cabac.errors import PayloadError
from conformance.nnc.cabac.levels import GROUPS
from conformance.nnc.cabac.packed import START_MODELS
from conformance.nnc.cabac.preparation import initialised_models, read_flags, read_indices
from conformance.nnc.cabac.threads import decode_in_threads
from conformance.nnc.cabac.work import ENDED, OUTSIDE, LevelWork

__all__ = ["EntryPoint", "LevelCoding", "LevelReport", "PayloadDecoder", "PayloadError"]

OFFSET_BITS: Final = 9
"""Bits of the offset register, the first of the payload."""
STOP_BIT: Final = 0x80
"""The last bit taken is 1, and zeros fill its byte: this, where it is the first of the byte."""


class PayloadDecoder:
    """Reads one payload from its start: integers and the levels of tensors, then its end.

    ``payload`` is 1-D uint8; nothing outside it is read. With ``count_bits`` reports have
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
        offset = int(payload[0]) << 1 | int(payload[1]) >> 7
        if offset >= registers.START_RANGE:
            raise PayloadError(f"the offset register starts at {offset}, outside its range", 0)
        registers.seek(self._payload, self._engine, OFFSET_BITS, offset)
        self._engine[RANGE] = registers.START_RANGE

    @property
    def position_bits(self) -> int:
        """Payload bits taken so far: the 9 of the first offset and one for each shift."""
        return registers.position(self._engine)

    def read_iae(self, count: int) -> int:
        """Return ``count`` bypass bins, 1 to 32, as a two's complement integer: iae(count)."""
        number = int(registers.read_bypass(self._payload, self._engine, count))
        self._check_end("an integer")
        return number - (number >> count - 1 << count)

    def read_levels(
        self,
        coding: LevelCoding,
        out: NDArray[np.int32],
        entry_points: Sequence[EntryPoint] = (),
        threads: int = 1,
    ) -> LevelReport:
        """Decode the levels of a tensor into ``out``, 1-D, contiguous, in C order.

        All of ``out`` is written unless the payload cannot be decoded. With entry points, large
        tensors are decoded by as many ``threads``; what they say never changes the result. Raises
        :class:`ValueError` where ``out`` is not int32 of shape ``(coding.size,)``.
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
        work = LevelWork(self._payload, coding, models, out, skip, hdsp=hdsp)
        if self._count_bits:
            work.count(flags_end - start, self.position_bits - flags_end)
        if not decode_in_threads(work, self._engine, entry_points, threads):
            self._check_outcome(work.decode(self._engine, models, 0, coding.block_rows))
        skipped = int(np.count_nonzero(skip))
        if not self._count_bits:
            return LevelReport(row_skip, skipped, hdsp)
        return LevelReport(
            row_skip,
            skipped,
            hdsp,
            initialisation=tuple(zip(order.tolist(), indices.tolist(), strict=True)),
            bits=dict(zip(GROUPS, work.bits.tolist(), strict=True)),
            entry_points=work.entry_points(),
        )

    def finish(self) -> int:
        """Read the terminating bin, which ends the payload; return the bytes taken.

        It has the uppermost 2 of the range, whatever was decoded before. No bit is taken for it:
        nothing renormalises after it.
        """
        offset = registers.offset_register(self._engine)
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
                hdsp = bool(registers.read_bypass(self._payload, self._engine, 1))
            row_skip = bool(registers.read_bypass(self._payload, self._engine, 1))
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
            offset = registers.offset_register(self._engine)
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
