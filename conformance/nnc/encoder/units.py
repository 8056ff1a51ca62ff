"""One compressed data unit from the levels of its tensors: header values and payload.

This is where streams for tests are made: levels need not come from a quantizer.

>>> tensor = CodedTensor("w", "tensor", (2, 3), levels, qp=-38)
>>> unit = encode_unit([tensor], UnitCoding("FLOAT"))
>>> writer.add("NDU", unit.values, unit.payload)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.cabac.coding import EntryPoint, LevelCoding
from conformance.nnc.encoder.payload import PayloadEncoder
from conformance.nnc.encoder.settings import NO_TOOLS, LevelTools
from conformance.nnc.options import Dialect
from conformance.nnc.payload import QP_BITS
from conformance.nnc.planning import (
    DECOMPOSED,
    MATRICES,
    PAYLOAD_ORDER,
    PAYLOAD_TYPES,
    PayloadType,
    Role,
)
from conformance.nnc.quantization import Codebook

ROLE_FLAGS: Final[Mapping[Role, int]] = {
    "G": 1,
    "H": 1,
    "local-scaling": 2,
    "bn-beta": 4,
    "bn-gamma": 4,
    "bn-mean": 4,
    "bn-var": 4,
    "bias": 8,
}
"""Bits of ``compressed_parameter_types``, in the order of the names."""
NAME_ORDER: Final[tuple[Role, ...]] = ("tensor", "weight", *ROLE_FLAGS)
FEWEST_NAMES: Final = 2
ORDERS: Final = range(16)
"""Orders k of the Exp-Golomb codes of a codebook: codebook_egk is u(4)."""


@dataclass(frozen=True, slots=True)
class CodedTensor:
    """One tensor as coded: int32 levels in C order, before the mapping of the trellis.

    ``qp`` is not used in INT units. ``reference`` (int32) turns temporal contexts on; all tensors
    of a unit have one or none. ``history`` is int8, 0 or 1.
    """

    name: str
    role: Role
    shape: tuple[int, ...]
    levels: NDArray[np.int32]
    qp: int = 0
    codebook: Codebook | None = None
    tools: LevelTools = NO_TOOLS
    reference: NDArray[np.int32] | None = None
    history: NDArray[np.int8] | None = None


@dataclass(frozen=True, slots=True)
class UnitCoding:
    """What all tensors of a unit share; ``dimensions`` are needed where they are not a tensor's.

    ``parent`` is the parent_node_id_present_flag. ``block_types`` are the
    compressed_parameter_types of a FLOAT unit that is a piece of a block.
    """

    payload_type: PayloadType
    profile: int = 1
    dialect: Dialect = "nncodec-2"
    qp_density: int = 2
    base_qp: int = 0
    dependent: bool = False
    unary_length: int = 10
    scan_order: int = 0
    parent: bool = False
    dimensions: tuple[int, ...] | None = None
    block_types: int = 0


@dataclass(frozen=True, slots=True)
class CodedUnit:
    """What :meth:`StreamWriter.add` takes for an NDU, ids and parents aside."""

    values: dict[str, object]
    payload: bytes


def header_values(tensors: Sequence[CodedTensor], unit: UnitCoding) -> dict[str, object]:
    """Return the values of the header of a unit with ``tensors``.

    Raises:
        ValueError: The tensors do not make up a unit.
    """
    dimensions = unit_dimensions(tensors, unit)
    types = unit.block_types
    for tensor in tensors if unit.payload_type == "BLOCK" else ():
        types |= ROLE_FLAGS.get(tensor.role, 0)
    return {
        "nnr_compressed_data_unit_payload_type": PAYLOAD_TYPES.index(unit.payload_type),
        "input_parameters_present_flag": 1,
        "tensor_dimensions_flag": 1,
        "count_tensor_dimensions": len(dimensions),
        "tensor_dimensions": list(dimensions),
        "cabac_unary_length_flag": 1,
        "cabac_unary_length_minus1": unit.unary_length - 1,
        "compressed_parameter_types": types,
        "dq_flag": int(unit.dependent),
        "scan_order": unit.scan_order,
        **name_values(tensors, unit),
        **factor_values(tensors, types, dimensions),
        **codebook_values(tensors),
    }


def unit_dimensions(tensors: Sequence[CodedTensor], unit: UnitCoding) -> tuple[int, ...]:
    """Return the dimensions of a unit: its own, or those of its tensor, weight, or product."""
    if unit.dimensions is not None:
        return unit.dimensions
    shapes = {tensor.role: tensor.shape for tensor in tensors}
    if "G" in shapes and "H" in shapes:
        return (shapes["G"][0], shapes["H"][1])
    for role in ("weight", "tensor"):
        if role in shapes:
            return shapes[role]
    if len(tensors) == 1:
        return tensors[0].shape
    raise ValueError("a block has a weight, or both G and H")


def name_values(tensors: Sequence[CodedTensor], unit: UnitCoding) -> dict[str, object]:
    """Return the values that name the tensors."""
    names = [
        tensor.name for tensor in sorted(tensors, key=lambda tensor: NAME_ORDER.index(tensor.role))
    ]
    if unit.payload_type != "BLOCK":
        if len(names) > 1:
            raise ValueError(f"a unit of type {unit.payload_type} has one tensor")
        return {"topology_elem_id": names[0]}
    if len(names) < FEWEST_NAMES:
        raise ValueError("a block has two tensors or more")
    return {
        "nnr_multiple_topology_elements_present_flag": 1,
        "count_topology_elements_minus2": len(names) - FEWEST_NAMES,
        "topology_elem_ids": names,
    }


def factor_values(
    tensors: Sequence[CodedTensor], types: int, dimensions: tuple[int, ...]
) -> dict[str, object]:
    """Return the rank of a decomposition and the rows of G, where there is one."""
    if not types & DECOMPOSED:
        return {}
    shapes = {tensor.role: tensor.shape for tensor in tensors}
    if "G" in shapes:
        rows, rank = shapes["G"]
    elif "H" in shapes:
        rank, columns = shapes["H"]
        rows = prod(dimensions) // max(columns, 1)
    else:
        rows, rank = dimensions[0], 1
    return {"decomposition_rank": rank, "g_number_of_rows": rows}


def codebook_values(tensors: Sequence[CodedTensor]) -> dict[str, object]:
    """Return the values of the codebooks: that of the tensor, weight or G, and that of H."""
    books = {tensor.role: tensor.codebook for tensor in tensors if tensor.codebook is not None}
    if not books:
        return {}
    second = books.pop("H") if len(books) > 1 and "H" in books else None
    (first,) = books.values()
    values: dict[str, object] = {
        "codebook_present_flag": 1,
        "codebook": codebook_elements(first),
    }
    if second is not None:
        values["codebook_dc"] = codebook_elements(second)
    return values


def codebook_elements(codebook: Codebook) -> dict[str, object]:
    """Return the elements of ``codebook()``, with the order of its codes that needs fewest bits."""
    entries, zero = codebook.entries, codebook.zero_offset
    left = [high - low - 1 for low, high in pairwise(entries[: zero + 1])][::-1]
    right = [high - low - 1 for low, high in pairwise(entries[zero:])]
    return {
        "codebook_egk": min(ORDERS, key=lambda order: exp_golomb_bits(left + right, order)),
        "codebook_size": len(entries),
        "codebook_centre_offset": zero - (len(entries) >> 1),
        "codebook_zero_value": entries[zero],
        "codebook_deltas_left": left,
        "codebook_deltas_right": right,
    }


def exp_golomb_bits(values: Sequence[int], order: int) -> int:
    """Return the bits of all values in Exp-Golomb codes of ``order``."""
    return sum(2 * ((value >> order) + 1).bit_length() - 1 + order for value in values)


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
