"""Decode the block rows of a tensor in several threads, from its entry points.

Entry points are only a promise of the header. Each thread decodes a run of block rows from one,
and what it ends with must be the next one; else nothing counts and decoding starts over.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import accumulate, pairwise

import numpy as np

from conformance.nnc.cabac.coding import EntryPoint
from conformance.nnc.cabac.engine import (
    BLOCK_ROW_RANGE,
    ENGINE_SIZE,
    RANGE,
    STATE,
    Engine,
    offset_register,
    position,
    seek,
)
from conformance.nnc.cabac.preparation import STATES
from conformance.nnc.cabac.work import DONE, LevelWork
from conformance.nnc.parallel import run

WORTHWHILE = 1 << 16
"""Levels below which starting threads costs more than it gains."""


def decode_in_threads(
    work: LevelWork, engine: Engine, entry_points: Sequence[EntryPoint], threads: int
) -> bool:
    """Decode all of ``work`` and carry on ``engine``, or return False with ``engine`` untouched."""
    coding = work.coding
    count = max(1, min(threads, coding.block_rows))
    if (
        count == 1
        or coding.size < WORTHWHILE
        or work.counts
        or not work.resets
        or len(entry_points) != coding.block_rows - 1
    ):
        return False
    bounds = [coding.block_rows * part // count for part in range(count + 1)]
    starts = engines_at(work, engine, entry_points, bounds[1:-1])
    if starts is None:
        return False
    ends = [start.copy() for start in starts]
    outcomes = [DONE] * count

    def decode(part: int) -> None:
        models = work.start.copy()
        outcomes[part] = work.decode(ends[part], models, bounds[part], bounds[part + 1])

    run([partial(decode, part) for part in range(count)], (), range(count), threads)
    if any(outcomes) or not all(same_place(a, b) for a, b in zip(ends, starts[1:], strict=False)):
        return False
    engine[:] = ends[-1]
    return True


def engines_at(
    work: LevelWork, engine: Engine, entry_points: Sequence[EntryPoint], rows: Sequence[int]
) -> list[Engine] | None:
    """Return the engines at the first block row and at ``rows``; None if they cannot be."""
    offsets = (entry.bit_offset for entry in entry_points)
    positions = list(accumulate(offsets, initial=position(engine)))
    if any(after < before for before, after in pairwise(positions)):
        return None
    if positions[-1] > 8 * work.payload.size:
        return None
    starts = [engine]
    for row in rows:
        entry = entry_points[row - 1]
        if not (0 <= entry.value < BLOCK_ROW_RANGE and 0 <= entry.dq_state < STATES):
            return None
        start = np.zeros(ENGINE_SIZE, np.int64)
        seek(work.payload, start, positions[row], entry.value)
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
