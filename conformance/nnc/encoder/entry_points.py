"""Entry points: what a decoder holds in its registers where a block row starts."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from conformance.nnc.cabac.coding import EntryPoint
from conformance.nnc.encoder.engine import OFFSET_MASK

OFFSET_BITS: Final = 9
"""Bits of the decoder's offset register, which it reads first."""


@dataclass(frozen=True, slots=True)
class BlockRow:
    """Where a block row starts: bits before it, the encoder's low register, the trellis state."""

    bits: int
    low: int
    state: int


def entry_points(data: bytes, rows: list[BlockRow]) -> tuple[EntryPoint, ...]:
    """What a decoder holds in its registers at the later block rows of a tensor."""
    return tuple(
        EntryPoint(_offset_register(data, row), row.state, row.bits - before.bits)
        for before, row in pairwise(rows)
    )


def _offset_register(data: bytes, row: BlockRow) -> int:
    """The part of the codeword that a decoder has read at a block row, less the encoder's low."""
    read = OFFSET_BITS + row.bits
    first = max(read - 16, 0) // 8
    window = int.from_bytes(data[first : first + 4].ljust(4, b"\0"), "big")
    return ((window >> (8 * first + 32 - read)) - row.low) & OFFSET_MASK
