"""From the header of a compressed data unit to the plan of its payload.

What is said in :mod:`conformance.nnc.active` is in force; nothing that the header declares is
believed here, or allocated: see :mod:`conformance.nnc.plausibility`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

from conformance.nnc.active import ActiveParameters, unit_names
from conformance.nnc.errors import NncLimitError, NncMalformedError, NncUnsupportedError, at
from conformance.nnc.quantization import Codebook, codebook_of
from conformance.nnc.stream import Unit
from conformance.nnc.tensors import (
    BATCH_NORM_ROLES,
    MATRICES,
    PAYLOAD_ORDER,
    PAYLOAD_TYPES,
    DataType,
    NduPlan,
    PayloadType,
    Role,
    TensorPlan,
)

DECOMPOSED, LOCAL_SCALING, BATCH_NORM, BIAS = 1, 2, 4, 8
"""The bits of ``compressed_parameter_types``."""
MOST_DIMENSIONS, LARGEST_DIMENSION = 64, (1 << 63) - 1
"""What NumPy allows."""


def plan_unit(unit: Unit, active: ActiveParameters) -> NduPlan:
    """Return the plan of a compressed data unit under what is in force at its place."""
    refuse_unless_whole(unit)
    values: Mapping[str, Any] = unit.values
    payload_type = PAYLOAD_TYPES[values["nnr_compressed_data_unit_payload_type"]]
    if payload_type in {"FLOAT", "BLOCK"}:
        active.require_quantization(unit)
    names = unit_names(unit, active)
    dimensions = dimensions_of(unit)
    return NduPlan(
        unit=unit,
        active=active,
        payload_type=payload_type,
        tensors=tuple(plan_tensors(unit, payload_type, names, dimensions)),
        dimensions=dimensions,
        dependent=bool(values["dq_flag"]) and payload_type in {"FLOAT", "BLOCK"},
        unary_length=int(values["cabac_unary_length_minus1"]) + 1,
        temporal=bool(values["temporal_context_modeling_flag"]) and active.profile == 1,
        parent=bool(values["parent_node_id_present_flag"]),
    )


def refuse_unless_whole(unit: Unit) -> None:
    """Refuse a unit that is a part of a larger one."""
    if unit.values["partial_data_counter_present_flag"]:
        raise NncUnsupportedError(
            "The compressed data unit is one of several parts",
            position=at(unit, "partial_data_counter"),
            expected="a unit that is complete in itself",
            found=f"partial_data_counter {unit.values['partial_data_counter']}",
            fix="this decoder knows no rule for joining the parts; write the unit in one piece",
        )


def dimensions_of(unit: Unit) -> tuple[int, ...]:
    """Return the dimensions of the unit, or refuse what no array can have."""
    dimensions: Any = unit.values["tensor_dimensions"]
    if max(dimensions, default=0) > LARGEST_DIMENSION:
        raise NncLimitError(
            "A dimension of the tensor is larger than an array can have",
            position=at(unit, "tensor_dimensions"),
            expected=f"at most {LARGEST_DIMENSION}",
            found=f"a number of {max(dimensions).bit_length()} bits",
            fix="give the tensor its true dimensions",
        )
    if len(dimensions) <= MOST_DIMENSIONS:
        return tuple(dimensions)
    raise NncLimitError(
        "The tensor has more dimensions than an array can have",
        position=at(unit, "tensor_dimensions"),
        expected=f"at most {MOST_DIMENSIONS} dimensions",
        found=str(len(dimensions)),
        fix="give the tensor fewer dimensions",
    )


def plan_tensors(
    unit: Unit,
    payload_type: PayloadType,
    names: Sequence[str],
    dimensions: tuple[int, ...],
) -> Iterator[TensorPlan]:
    """Yield the tensors in the order of the payload."""
    members = zip(roles_of(unit, payload_type, names), names, strict=True)
    for role, name in sorted(members, key=lambda member: PAYLOAD_ORDER.index(member[0])):
        shape = shape_of(unit, role, dimensions)
        codebook = codebook_for(unit, role, payload_type)
        yield TensorPlan(
            name=name,
            role=role,
            shape=shape,
            dtype=dtype_of(payload_type, codebook),
            codebook=codebook,
            scan_order=scan_of(unit, role, shape),
        )


def dtype_of(payload_type: PayloadType, codebook: Codebook | None) -> DataType:
    """Return the data type of the result, as NNCodec gives it."""
    if payload_type == "INT":
        return "int32"
    return "float64" if codebook else "float32"


def roles_of(unit: Unit, payload_type: PayloadType, names: Sequence[str]) -> tuple[Role, ...]:
    """Return the roles of the unit's tensors in the order of its names."""
    types: Any = unit.values["compressed_parameter_types"]
    if payload_type != "BLOCK":
        roles = (single_role(payload_type, types, names[0]),)
    else:
        roles = (
            *(("G", "H") if types & DECOMPOSED else ("weight",)),
            *(("local-scaling",) if types & LOCAL_SCALING else ()),
            *(BATCH_NORM_ROLES if types & BATCH_NORM else ()),
            *(("bias",) if types & BIAS else ()),
        )
    if len(roles) == len(names):
        return roles
    error = NncMalformedError if payload_type == "BLOCK" else NncUnsupportedError
    raise error(
        "The unit names another number of tensors than it holds",
        position=at(unit, "nnr_multiple_topology_elements_present_flag"),
        expected=f"{len(roles)} names: {', '.join(roles)}",
        found=f"{len(names)} names",
        fix="name the tensors that compressed_parameter_types says; do not split a tensor",
    )


def single_role(payload_type: PayloadType, types: int, name: str) -> Role:
    """Return the role of the only tensor: a FLOAT unit may hold one factor of a decomposition."""
    if payload_type == "FLOAT" and types & DECOMPOSED:
        if name.endswith("_G"):
            return "G"
        if name.endswith("_H"):
            return "H"
    return "tensor"


def shape_of(unit: Unit, role: Role, dimensions: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a tensor with ``role`` in a unit with ``dimensions``."""
    if role in {"weight", "tensor"}:
        return dimensions
    if role in {"G", "H"}:
        return factor_shape(unit, role, dimensions)
    if dimensions:
        return dimensions[:1]
    raise NncMalformedError(
        "A block of a tensor without dimensions has no first dimension",
        position=at(unit, "count_tensor_dimensions"),
        expected="at least one dimension",
        found="none",
        fix="give the weight of the block its dimensions",
    )


def factor_shape(unit: Unit, role: Role, dimensions: tuple[int, ...]) -> tuple[int, int]:
    """Return the shape of G or H; their product has the elements of the weight."""
    values: Mapping[str, Any] = unit.values
    rows, rank = values["g_number_of_rows"], values["decomposition_rank"]
    if rows is None or rank is None or rows == 0 or prod(dimensions) % rows:
        raise NncMalformedError(
            "The rows of G do not divide the elements of the weight",
            position=at(unit, "g_number_of_rows"),
            expected=f"a divisor of {prod(dimensions)}, the elements of {dimensions}",
            found=str(rows),
            fix="write the number of rows of G, and the dimensions of the product of G and H",
        )
    return (rows, rank) if role == "G" else (rank, prod(dimensions) // rows)


def codebook_for(unit: Unit, role: Role, payload_type: PayloadType) -> Codebook | None:
    """Return the codebook of a tensor: H of a block has one of its own."""
    if not unit.values["codebook_present_flag"] or role not in MATRICES:
        return None
    group = "codebook_dc" if role == "H" and payload_type == "BLOCK" else "codebook"
    elements: Any = unit.values[group]
    try:
        return codebook_of(elements)
    except ValueError as error:
        raise NncMalformedError(
            "The codebook cannot be used",
            position=at(unit, group),
            expected="a zero offset inside the codebook, and entries that are 32-bit integers",
            found=str(error),
            fix="write the codebook's size, zero offset and entries so that they agree",
        ) from None


def scan_of(unit: Unit, role: Role, shape: tuple[int, ...]) -> int:
    """Return the scan order that is really used for a tensor."""
    order: Any = unit.values["scan_order"]
    plain = role not in MATRICES or len(shape) < 2  # noqa: PLR2004 - a matrix has two
    return 0 if plain or shape[0] <= 1 or prod(shape[1:]) <= 1 else int(order)
