"""The payload of a compressed data unit: one codeword with all its tensors.

>>> encoder = PayloadEncoder()
>>> encoder.write_iae(8, -38)
>>> encoder.write_levels(coding, levels)
>>> payload = encoder.finish()

The syntax is that of ISO/IEC 15938-17 as NNCodec 2.1.3 writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import EntryPoint, LevelCoding
from conformance.nnc.cabac.decoding import initialised_models
from conformance.nnc.cabac.engine import START_RANGE
from conformance.nnc.cabac.tables import model_count
from conformance.nnc.encoder import engine
from conformance.nnc.encoder.binarisation import (
    binarise_levels,
    bypass_events,
    has_block_row_starts,
)
from conformance.nnc.encoder.engine import OFFSET_MASK
from conformance.nnc.encoder.initialisation import choose_initialisation, preamble_events
from conformance.nnc.encoder.settings import NO_TOOLS, LevelTools

SPARE_BYTES: Final = 64
"""Room for the bits in the registers and the end of the codeword."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The bytes of a codeword and the entry points of each of its tensors, in stream order."""

    data: bytes
    entry_points: tuple[tuple[EntryPoint, ...], ...]


@dataclass(slots=True)
class PayloadEncoder:
    """Writes the parts of one payload in stream order."""

    _output: NDArray[np.uint8] = field(default_factory=lambda: np.empty(SPARE_BYTES, np.uint8))
    _registers: NDArray[np.int64] = field(
        default_factory=lambda: np.array([0, START_RANGE, 0, 0], np.int64)
    )
    _block_rows: list[list[BlockRow]] = field(default_factory=list)

    def write_iae(self, bits: int, value: int) -> None:
        """Write a two's complement number as bypass bins, cut to its ``bits`` lowest bits."""
        self._encode(bypass_events(value, bits), np.zeros(1, np.int64))

    def write_levels(
        self, coding: LevelCoding, levels: NDArray[np.int32], tools: LevelTools = NO_TOOLS
    ) -> None:
        """Write the coded levels of one tensor, with everything that precedes them in the syntax.

        Args:
            coding: The shape and tools of the tensor.
            levels: int32 in C order, before the mapping of dependent quantization.
            tools: What the encoder may choose.

        Raises:
            ValueError: The levels or the tools cannot be expressed.
        """
        check_levels(coding, levels, tools)
        events, states = _binarise(coding, levels, tools)
        models = initialised_models(coding, hdsp=tools.history_flag)
        chosen = choose_initialisation(coding, tools.initialisation, events, models)
        indices = np.zeros(model_count(coding.unary_length), np.int64)
        self._encode(preamble_events(coding, tools, chosen), indices)
        indices[models] = chosen
        marks = self._encode(events, indices, len(states))
        rows = zip(marks.tolist(), states.tolist(), strict=True)
        starts = [BlockRow(bits, low, state) for (bits, low), state in rows]
        self._block_rows.append(starts if has_block_row_starts(coding) else [])

    def finish(self) -> Payload:
        """End the codeword. Nothing can be written after it."""
        self._reserve(SPARE_BYTES)
        data = self._output[: engine.finish_codeword(self._registers, self._output)].tobytes()
        return Payload(data, tuple(entry_points(data, rows) for rows in self._block_rows))

    def _encode(
        self, events: NDArray[np.uint16], indices: NDArray[np.int64], block_rows: int = 0
    ) -> NDArray[np.int64]:
        self._reserve(events.size + SPARE_BYTES)
        marks = np.zeros((block_rows, 2), np.int64)
        engine.encode_events(events, indices, self._registers, self._output, marks)
        return marks

    def _reserve(self, room: int) -> None:
        written = int(self._registers[engine.WRITTEN])
        if written + room > self._output.size:
            larger = np.empty(2 * self._output.size + room, np.uint8)
            larger[:written] = self._output[:written]
            self._output = larger


def _binarise(
    coding: LevelCoding, levels: NDArray[np.int32], tools: LevelTools
) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """The events of all levels, and the trellis state at the start of each block row."""
    skipped = tools.skipped
    return binarise_levels(
        _flat(levels, np.int32),
        coding.width,
        coding.block,
        has_block_row_starts(coding),
        coding.dependent,
        coding.unary_length,
        coding.codebook_size,
        coding.zero_offset,
        _flat(coding.reference, np.int32),
        _flat(coding.history if tools.history_flag else None, np.int8),
        np.zeros(coding.height, np.bool_) if skipped is None else skipped,
    )


def _flat(values: NDArray[Any] | None, dtype: type[np.generic]) -> NDArray[Any]:
    return np.ascontiguousarray([] if values is None else values, dtype).ravel()


def encode_levels(
    coding: LevelCoding,
    levels: NDArray[np.int32],
    tools: LevelTools = NO_TOOLS,
) -> Payload:
    """Return a payload that holds the coded levels of one tensor and nothing else."""
    encoder = PayloadEncoder()
    encoder.write_levels(coding, levels, tools)
    return encoder.finish()


MAX_UNARY_LENGTH = 256


def check_levels(coding: LevelCoding, levels: NDArray[np.int32], tools: LevelTools) -> None:
    """Raise ValueError where levels or tools cannot be written with a coding."""
    total = coding.height * coding.width
    _require(levels.size == total, f"{total} levels are needed, {levels.size} are given")
    _require(levels.dtype == np.int32, f"levels are int32, not {levels.dtype}")
    unary = coding.unary_length
    _require(1 <= unary <= MAX_UNARY_LENGTH, f"unary_length is 1 to {MAX_UNARY_LENGTH}: {unary}")
    for name, values in (("reference", coding.reference), ("history", coding.history)):
        _require(values is None or values.size == total, f"{name} needs {total} elements")
    if coding.codebook_size:
        _check_codebook(coding, levels)
    _check_tools(coding, levels, tools)


def _check_codebook(coding: LevelCoding, levels: NDArray[Any]) -> None:
    last = coding.codebook_size - 1 - coding.zero_offset
    _require(
        0 <= coding.zero_offset < coding.codebook_size,
        f"the zero offset {coding.zero_offset} is outside {coding.codebook_size} entries",
    )
    outside = levels[(levels < -coding.zero_offset) | (levels > last)]
    _require(
        not outside.size,
        f"levels of this codebook are {-coding.zero_offset} to {last}, found {outside[:1]}",
    )


def _check_tools(coding: LevelCoding, levels: NDArray[Any], tools: LevelTools) -> None:
    flags = coding.has_tool_flags
    _require(
        flags or tools.skipped is None,
        "row skipping needs profile 1 and a matrix of two or more rows and columns",
    )
    _require(
        (flags and coding.parent) or not tools.history_flag,
        "history-dependent significance needs profile 1, a parent and a matrix",
    )
    if tools.skipped is None:
        return
    rows = levels.reshape(coding.height, coding.width)
    _require(
        tools.skipped.shape == (coding.height,) and tools.skipped.dtype == np.bool_,
        f"row skip flags are bool of shape ({coding.height},)",
    )
    _require(not rows[tools.skipped].any(), "a skipped row has a level that is not 0")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


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
