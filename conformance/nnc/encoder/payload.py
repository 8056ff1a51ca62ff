"""The payload of a compressed data unit: one codeword with all its tensors.

>>> encoder = PayloadEncoder()
>>> encoder.write_iae(8, -38)
>>> encoder.write_levels(coding, levels)
>>> payload = encoder.finish()

The syntax is that of ISO/IEC 15938-17 as NNCodec 2.1.3 writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import EntryPoint, LevelCoding
from conformance.nnc.encoder import engine, initialisation
from conformance.nnc.encoder.checks import check_levels
from conformance.nnc.encoder.entry_points import BlockRow, entry_points
from conformance.nnc.encoder.events import bypass_events
from conformance.nnc.encoder.levels import binarise_levels, has_block_row_starts
from conformance.nnc.encoder.preamble import choose_initialisation, preamble_events
from conformance.nnc.encoder.tools import NO_TOOLS, LevelTools

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
        default_factory=lambda: np.array([0, engine.START_RANGE, 0, 0], np.int64)
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
            levels: int32 in C order, before the mapping of dependent quantisation.
            tools: What the encoder may choose.

        Raises:
            ValueError: The levels or the tools cannot be expressed.
        """
        check_levels(coding, levels, tools)
        events, states = _binarise(coding, levels, tools)
        models = initialisation.initialised_models(coding, tools.history_flag)
        chosen = choose_initialisation(coding, tools.initialisation, events, models)
        indices = np.zeros(initialisation.model_count(coding.unary_length), np.int64)
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
