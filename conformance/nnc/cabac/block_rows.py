"""The block rows of a tensor, decoded one after another or in several threads.

Entry points are only a promise of the header. Each thread decodes a run of block rows from one,
and what it ends with must be the next one; else nothing counts and decoding starts over.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import GROUPS, EntryPoint, LevelCoding
from conformance.nnc.cabac.engine import (
    BLOCK_ROW_RANGE,
    ENGINE_SIZE,
    RANGE,
    STATE,
    Bytes,
    Engine,
    Models,
    offset_register,
    position,
    seek,
)
from conformance.nnc.cabac.levels import (
    DONE,
    RUN,
    Levels,
    Shape,
    decode_plain_rows,
    decode_tool_rows,
)
from conformance.nnc.cabac.tables import STATES
from conformance.nnc.parallel import run

NO_ENTRIES: Final = np.zeros((0, 3), np.int64)
WORTHWHILE = 1 << 16
"""Levels below which starting threads costs more than it gains."""


class BlockRowDecoder:
    """Decodes block rows of one tensor; ``start`` are the models as its first one starts.

    Several threads may decode different block rows at once, each with its own engine and
    models, unless bits are counted.
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
        raise ValueError(
            f"{size} levels need as many elements of reference and history, not {array.size}"
        )
    array.setflags(write=False)
    return array


def decode_in_threads(
    decoder: BlockRowDecoder, engine: Engine, entry_points: Sequence[EntryPoint], threads: int
) -> bool:
    """Decode all block rows and carry on ``engine``, or return False with ``engine`` untouched."""
    coding = decoder.coding
    count = max(1, min(threads, coding.block_rows))
    if (
        count == 1
        or coding.size < WORTHWHILE
        or decoder.counts
        or not decoder.resets
        or len(entry_points) != coding.block_rows - 1
    ):
        return False
    bounds = [coding.block_rows * part // count for part in range(count + 1)]
    starts = engines_at(decoder, engine, entry_points, bounds[1:-1])
    if starts is None:
        return False
    ends = [start.copy() for start in starts]
    outcomes = [DONE] * count

    def decode(part: int) -> None:
        models = decoder.start.copy()
        outcomes[part] = decoder.decode(ends[part], models, bounds[part], bounds[part + 1])

    run([partial(decode, part) for part in range(count)], (), range(count), threads)
    if any(outcomes) or not all(same_place(a, b) for a, b in zip(ends, starts[1:], strict=False)):
        return False
    engine[:] = ends[-1]
    return True


def engines_at(
    decoder: BlockRowDecoder,
    engine: Engine,
    entry_points: Sequence[EntryPoint],
    rows: Sequence[int],
) -> list[Engine] | None:
    """Return the engines at the first block row and at ``rows``; None if they cannot be.

    A ``bit_offset`` counts from the start of the block row before; the model states need not be
    known, because every block row resets them.
    """
    offsets = (entry.bit_offset for entry in entry_points)
    positions = list(accumulate(offsets, initial=position(engine)))
    if any(after < before for before, after in pairwise(positions)):
        return None
    if positions[-1] > 8 * decoder.payload.size:
        return None
    starts = [engine]
    for row in rows:
        entry = entry_points[row - 1]
        if not (0 <= entry.value < BLOCK_ROW_RANGE and 0 <= entry.dq_state < STATES):
            return None
        start = np.zeros(ENGINE_SIZE, np.int64)
        seek(decoder.payload, start, positions[row], entry.value)
        start[RANGE], start[STATE] = BLOCK_ROW_RANGE, entry.dq_state
        starts.append(start)
    return starts


def same_place(end: Engine, start: Engine) -> bool:
    """Return whether decoding ended where, and as, an entry point says that it goes on."""
    return (
        position(end) == position(start)
        and offset_register(end) == offset_register(start)
        and int(end[STATE]) == int(start[STATE])
    )
