"""The levels of one tensor as work that threads can share."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import EntryPoint, LevelCoding
from conformance.nnc.cabac.engine import Bytes, Engine, Models
from conformance.nnc.cabac.levels import GROUPS
from conformance.nnc.cabac.rows import (
    DONE,
    ENDED,
    OUTSIDE,
    RUN,
    Levels,
    Shape,
    decode_plain_rows,
    decode_tool_rows,
)

__all__ = ["DONE", "ENDED", "OUTSIDE", "LevelWork"]

NO_ENTRIES: Final = np.zeros((0, 3), np.int64)


class LevelWork:
    """Decodes block rows of one tensor; ``start`` are the models as its first one starts.

    Several threads may decode different block rows at once, each with an engine and models of its
    own, unless bits are counted.
    """

    def __init__(
        self,
        payload: Bytes,
        coding: LevelCoding,
        start: Models,
        out: Levels,
        skip: Bytes,
        *,
        hdsp: bool,
    ) -> None:
        self.payload, self.coding, self.out, self.skip = payload, coding, out, skip
        self.start = start.copy()
        self.resets = coding.scan_order > 0 and (
            coding.block_rows > 1 or coding.resets_single_block_row
        )
        self.reference = kernel_array(coding.reference, np.int32, coding.size)
        self.history = kernel_array(coding.history if hdsp else None, np.int8, coding.size)
        self.counts = False
        self.bits = np.zeros(len(GROUPS), np.int64)
        self.entries = NO_ENTRIES

    def count(self, flags: int, initialisation: int) -> None:
        """Count bits from now on; so many were spent before the levels."""
        self.counts = True
        self.bits[:2] = flags, initialisation
        self.entries = np.zeros((self.coding.block_rows, 3), np.int64)

    def decode(self, engine: Engine, models: Models, first: int, end: int) -> int:
        """Decode block rows ``first`` to before ``end``, carrying on the engine and models."""
        arguments = (self.payload, engine, models, self.start, self.out, self.skip)
        if self.is_plain:
            return int(decode_plain_rows(*arguments, self.shape, (first, end), self.entries))
        tools = (
            self.coding.codebook_size,
            self.coding.zero_offset,
            self.reference,
            self.history,
            self.bits if self.counts else np.zeros_like(self.bits),
        )
        return int(decode_tool_rows(*arguments, self.shape, (first, end), self.entries, tools))

    @property
    def is_plain(self) -> bool:
        """Whether the kernel without tools will do."""
        return not (
            self.coding.codebook_size or self.reference.size or self.history.size or self.counts
        )

    @property
    def shape(self) -> Shape:
        """The shape that kernels take; see :func:`decode_plain_rows`."""
        coding = self.coding
        tail = int(self.resets), coding.unary_length, int(coding.dependent)
        if coding.block:
            return coding.width, coding.height, coding.block, coding.block, *tail
        if self.skip.size:
            return coding.width, coding.height, coding.width, coding.height, *tail
        return coding.size, 1, RUN, 1, *tail

    def entry_points(self) -> tuple[EntryPoint, ...]:
        """Return the entry points met, one for each block row but the first."""
        rows = self.entries.tolist()
        return tuple(
            EntryPoint(value, state, position - rows[place][2])
            for place, (value, state, position) in enumerate(rows[1:])
        )


def kernel_array(values: NDArray[Any] | None, dtype: type[np.generic], size: int) -> NDArray[Any]:
    """Return an array as kernels take it: 1-D, contiguous, read-only, empty for None.

    Raises :class:`ValueError` where it has not ``size`` elements.
    """
    array = np.ascontiguousarray([] if values is None else values, dtype).reshape(-1).view()
    if array.size != (0 if values is None else size):
        raise ValueError(f"{size} levels need as many elements beside them, not {array.size}")
    array.setflags(write=False)
    return array
