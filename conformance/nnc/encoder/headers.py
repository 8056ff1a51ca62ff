"""The header values of a compressed data unit, without node ids and entry points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Final

from conformance.nnc.encoder.codebooks import codebook_elements
from conformance.nnc.encoder.members import CodedTensor, UnitCoding
from conformance.nnc.tensors import PAYLOAD_TYPES, Role

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
DECOMPOSED: Final = 1
FEWEST_NAMES: Final = 2


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
