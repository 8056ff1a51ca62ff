"""One compressed data unit from the levels of its tensors: header values and payload.

This is where streams for tests are made: levels need not come from a quantiser.

>>> tensor = CodedTensor("w", "tensor", (2, 3), levels, qp=-38)
>>> unit = encode_unit([tensor], UnitCoding("FLOAT"))
>>> writer.add("NDU", unit.values, unit.payload)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import EntryPoint, LevelCoding
from conformance.nnc.encoder.headers import header_values
from conformance.nnc.encoder.members import CodedTensor, UnitCoding
from conformance.nnc.encoder.payload import PayloadEncoder
from conformance.nnc.quantization import Codebook
from conformance.nnc.tensors import MATRICES, PAYLOAD_ORDER, Role

QP_BITS: Final = 6
"""Bits of a tensor's quantization parameter, less the density."""


@dataclass(frozen=True, slots=True)
class CodedUnit:
    """What :meth:`StreamWriter.add` takes for an NDU, ids and parents aside."""

    values: dict[str, object]
    payload: bytes


def level_coding(
    shape: tuple[int, ...],
    role: Role,
    unit: UnitCoding,
    *,
    codebook: Codebook | None = None,
    reference: NDArray[np.int32] | None = None,
    history: NDArray[np.int8] | None = None,
) -> LevelCoding:
    """Return what shapes the level syntax of a tensor in a unit."""
    width = prod(shape[1:])
    height = shape[0] if shape and width else int(width > 0)
    matrix = role in MATRICES and height > 1 and width > 1
    second_edition = unit.profile == 1
    legacy = unit.dialect == "nncodec-1.0"
    sized = codebook if second_edition else None
    return LevelCoding(
        height=height,
        width=width or 1,
        scan_order=unit.scan_order if matrix else 0,
        dependent=unit.dependent and unit.payload_type != "INT",
        unary_length=unit.unary_length,
        codebook_size=len(sized.entries) if sized else 0,
        zero_offset=sized.zero_offset if sized else 0,
        remainder_contexts=32 if legacy else 31,
        resets_single_block_row=legacy,
        tool_flags=second_edition,
        parent=unit.parent,
        reference=reference,
        history=history,
    )


def encode_unit(tensors: Sequence[CodedTensor], unit: UnitCoding) -> CodedUnit:
    """Return header values and payload of an INT, FLOAT or BLOCK unit.

    Raises:
        ValueError: The levels, parameters or tensors cannot be expressed.
    """
    encoder = PayloadEncoder()
    ordered = sorted(tensors, key=lambda tensor: PAYLOAD_ORDER.index(tensor.role))
    for tensor in ordered:
        if unit.payload_type != "INT":
            write_qp(encoder, tensor, unit)
        encoder.write_levels(coding_of(tensor, unit), tensor.levels.ravel(), tensor.tools)
    payload = encoder.finish()
    points = entry_points(ordered, payload.entry_points, unit)
    values = {**header_values(tensors, unit), "entry_points": list(points)}
    return CodedUnit(values, payload.data)


def coding_of(tensor: CodedTensor, unit: UnitCoding) -> LevelCoding:
    """Return what shapes the level syntax of a coded tensor."""
    return level_coding(
        tensor.shape,
        tensor.role,
        unit,
        codebook=tensor.codebook,
        reference=tensor.reference,
        history=tensor.history,
    )


def raw_unit(name: str, array: NDArray[np.float32]) -> CodedUnit:
    """Return a RAW_FLOAT unit: the numbers as they are."""
    tensor = CodedTensor(name, "tensor", array.shape, np.zeros(0, np.int32))
    payload = np.ascontiguousarray(array, "<f4").tobytes()
    return CodedUnit(header_values([tensor], UnitCoding("RAW_FLOAT")), payload)


def write_qp(encoder: PayloadEncoder, tensor: CodedTensor, unit: UnitCoding) -> None:
    """Write the quantization parameter of a tensor, or refuse one that is too far from the base."""
    bits, value = QP_BITS + unit.qp_density, tensor.qp - unit.base_qp
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise ValueError(
            f"the qp of {tensor.name!r}, {value} from the base, needs over {bits} bits"
        )
    encoder.write_iae(bits, value)


def entry_points(
    ordered: Sequence[CodedTensor],
    points: Sequence[Sequence[EntryPoint]],
    unit: UnitCoding,
) -> Iterator[dict[str, int]]:
    """Yield the entry points of all matrices; those of matrices without block rows are zeros."""
    before = 0
    for tensor, found in zip(ordered, points, strict=True):
        if tensor.role not in MATRICES or unit.scan_order == 0:
            continue
        count = max(-(-tensor.shape[0] // (4 << unit.scan_order)) - 1, 0) if tensor.shape else 0
        padded = [*found, *[EntryPoint(0, 0, 0)] * count][:count]
        for point in padded:
            yield {
                "value": point.value,
                "dq_state": point.dq_state,
                "bit_offset": point.bit_offset,
                "bit_offset_delta": point.bit_offset - before,
            }
            before = point.bit_offset
