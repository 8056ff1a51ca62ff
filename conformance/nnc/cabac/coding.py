"""What shapes the level syntax of a tensor, what decoding it found, and what can be wrong with it.

The names are those that NNCodec 2.1.3 uses for the syntax of ISO/IEC 15938-17.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

GROUPS: Final = (
    "flags",
    "initialisation",
    "significance",
    "sign",
    "greater-than",
    "remainder",
    "bypass",
)
"""What payload bits are counted by, in the order of the payload."""


class PayloadError(Exception):
    """A payload cannot be decoded.

    ``reason`` says why; ``bit`` is where, counted from the first bit of the payload.
    """

    def __init__(self, reason: str, bit: int) -> None:
        super().__init__(f"{reason} (bit {bit} of the payload)")
        self.reason = reason
        self.bit = bit


@dataclass(frozen=True, slots=True)
class LevelCoding:
    """Everything that shapes the level syntax of one tensor.

    The levels are a matrix of ``height`` rows and ``width`` columns: ``width`` is the product of
    all dimensions but the first. ``scan_order`` is 0 where width or height is 1.

    ``codebook_size`` is 0 without a codebook and in the first edition, ``zero_offset`` the entry
    that level 0 selects. ``remainder_contexts`` is 32 and ``resets_single_block_row`` True in
    streams of NNCodec 1.0. ``tool_flags``: the second edition's, with ``parent`` (the
    parent_node_id_present_flag) also that of the history. ``reference`` (int32) is there when
    temporal contexts are in use, ``history`` (int8, 0 or 1) when one is kept; both 1-D with
    height * width elements in C order.
    """

    height: int
    width: int
    scan_order: int
    dependent: bool
    unary_length: int
    codebook_size: int = 0
    zero_offset: int = 0
    remainder_contexts: int = 31
    resets_single_block_row: bool = False
    tool_flags: bool = True
    parent: bool = False
    reference: NDArray[np.int32] | None = None
    history: NDArray[np.int8] | None = None

    @property
    def size(self) -> int:
        """The number of levels."""
        return self.height * self.width

    @property
    def block(self) -> int:
        """Rows and columns of a block; 0 for a scan row by row."""
        return 4 << self.scan_order if self.scan_order else 0

    @property
    def block_rows(self) -> int:
        """The number of block rows, 1 for a scan row by row."""
        return -(-self.height // self.block) if self.block else 1

    @property
    def largest(self) -> int:
        """The largest magnitude of a level of a codebook, -1 without one."""
        if not self.codebook_size:
            return -1
        return max(self.zero_offset, self.codebook_size - 1 - self.zero_offset)

    @property
    def one_sided(self) -> bool:
        """Whether the codebook leaves only one sign."""
        return self.codebook_size > 0 and self.zero_offset in {0, self.codebook_size - 1}

    @property
    def constant(self) -> bool:
        """Whether there is only one level, so that nothing is coded."""
        return self.codebook_size == 1

    @property
    def has_tool_flags(self) -> bool:
        """Whether flags for row skipping, and perhaps the history, come before the levels."""
        return self.tool_flags and self.width > 1 and self.height > 1 and not self.constant


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """Where decoding can start in the middle of a tensor: at the second or a later block row.

    ``value`` is the offset register, ``dq_state`` the trellis state, ``bit_offset`` the payload
    bits since the start of the block row before.
    """

    value: int
    dq_state: int
    bit_offset: int


@dataclass(frozen=True, slots=True)
class LevelReport:
    """What decoding the levels of a tensor found.

    ``initialisation`` has (context index, initialisation index) of every context whose index was
    coded. ``bits`` counts payload bits by group: "flags", "initialisation", "significance",
    "sign", "greater-than", "remainder", "bypass". ``entry_points`` are the ones that a right
    header has. The last three are empty unless the decoder counts bits.
    """

    row_skip: bool = False
    skipped_rows: int = 0
    hdsp: bool = False
    initialisation: tuple[tuple[int, int], ...] = ()
    bits: Mapping[str, int] = field(default_factory=dict)
    entry_points: tuple[EntryPoint, ...] = ()
