"""What is in force at a compressed data unit, and from its header the plan of its payload.

:func:`active_parameters` walks the units of a stream once, and :func:`plan_unit` names the tensors
of one data unit with their shapes and codebooks, in the order of the payload. A layer parameter set
holds for the compressed data units after it, until the next one; so does a topology unit with a
list of ids. Nothing that a header declares is believed here, or allocated: see
:mod:`conformance.nnc.plausibility`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal, TypeAlias

from conformance.nnc.errors import NncLimitError, NncMalformedError, NncUnsupportedError
from conformance.nnc.options import Dialect
from conformance.nnc.quantization import Codebook, DataType, codebook_of
from conformance.nnc.stream import Stream, Unit

PayloadType: TypeAlias = Literal["INT", "FLOAT", "RAW_FLOAT", "BLOCK"]
Role: TypeAlias = Literal[
    "tensor",
    "weight",
    "G",
    "H",
    "local-scaling",
    "bias",
    "bn-beta",
    "bn-gamma",
    "bn-mean",
    "bn-var",
]
PAYLOAD_TYPES: tuple[PayloadType, ...] = ("INT", "FLOAT", "RAW_FLOAT", "BLOCK")
BATCH_NORM_ROLES: tuple[Role, ...] = ("bn-beta", "bn-gamma", "bn-mean", "bn-var")
PAYLOAD_ORDER: tuple[Role, ...] = (
    "local-scaling",
    "bias",
    *BATCH_NORM_ROLES,
    "weight",
    "G",
    "H",
    "tensor",
)
MATRICES: frozenset[Role] = frozenset({"weight", "G", "H", "tensor"})
"""Roles whose levels follow the unit's scan order and may have a codebook."""
DECOMPOSED, LOCAL_SCALING, BATCH_NORM, BIAS = 1, 2, 4, 8
"""The bits of ``compressed_parameter_types``."""
MOST_DIMENSIONS, LARGEST_DIMENSION = 64, (1 << 63) - 1
"""What NumPy allows."""
QUANTIZED = 3
"""The bits of the quantization method flags that bring quantization parameters with them."""


@dataclass(frozen=True, slots=True)
class ActiveParameters:
    """What the units before a compressed data unit say about it.

    ``qp_density`` is None as long as no parameter set gave one, ``names`` without a topology unit
    that lists the names that indices refer to.
    """

    profile: int
    dialect: Dialect
    qp_density: int | None = None
    quantization_parameter: int = 0
    parent_signalling: bool = False
    names: tuple[str, ...] | None = None

    def after(self, unit: Unit) -> ActiveParameters:
        """Return what is in force after ``unit``."""
        values: Mapping[str, Any] = unit.values
        if unit.name == "MPS":
            enabled = bool(values["mps_parent_signalling_enabled_flag"])
            return replace(self, parent_signalling=enabled).quantized_by(values, "mps")
        if unit.name == "LPS":
            return self.quantized_by(values, "lps")
        if unit.name == "TPL":
            return replace(self, names=values["topology_elem_ids"])
        return self

    def quantized_by(self, values: Mapping[str, Any], prefix: str) -> ActiveParameters:
        """Return the same with the quantization parameters of a parameter set."""
        if not values[f"{prefix}_quantization_method_flags"] & QUANTIZED:
            return self
        return replace(
            self,
            qp_density=values[f"{prefix}_qp_density"],
            quantization_parameter=values[f"{prefix}_quantization_parameter"],
        )

    def require_quantization(self, unit: Unit) -> None:
        """Refuse quantized values without a density of quantization parameters."""
        if self.qp_density is None:
            raise NncMalformedError(
                "No parameter set gives the quantization parameters of the unit",
                position=unit.at("nnr_compressed_data_unit_payload_type"),
                expected="a parameter set with uniform or codebook quantization before the unit",
                found="method flags without either",
                fix="set bit 0 or 1 of mps_quantization_method_flags",
            )


def active_parameters(stream: Stream) -> Iterator[tuple[Unit, ActiveParameters]]:
    """Yield each compressed data unit with what is in force there.

    Raises :class:`NncUnsupportedError` at a unit that may change those after it in unknown ways.
    """
    active = ActiveParameters(stream.profile, stream.interpretation.dialect)
    for unit in stream.units:
        if unit.name in {"QNT", "AGG"}:
            raise NncUnsupportedError(
                f"The stream has a unit of type {unit.name}",
                position=unit.at("nnr_unit_type"),
                expected="parameter sets, topology units and compressed data units",
                found=unit.name,
                fix="this decoder knows no rule for what such a unit changes in those after it",
            )
        if unit.name == "NDU":
            yield unit, active
        active = active.after(unit)


@dataclass(frozen=True, slots=True)
class TensorPlan:
    """One tensor of a payload. ``scan_order`` is 0 where the unit's does not apply to it."""

    name: str
    role: Role
    shape: tuple[int, ...]
    dtype: DataType
    codebook: Codebook | None = None
    scan_order: int = 0

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def matrix(self) -> tuple[int, int]:
        """Height and width of the tensor as a matrix; a tensor without elements has height 0."""
        width = prod(self.shape[1:])
        return (self.shape[0] if self.shape and width else int(width > 0), width or 1)


@dataclass(frozen=True, slots=True)
class NduPlan:
    """All tensors of one compressed data unit, and what they share.

    ``dimensions`` are those of the unit: the shape of a decomposed weight is there, not in
    ``tensors``. ``temporal`` and ``parent`` are the flags of the header.
    """

    unit: Unit
    active: ActiveParameters
    payload_type: PayloadType
    tensors: tuple[TensorPlan, ...]
    dimensions: tuple[int, ...]
    dependent: bool
    unary_length: int
    temporal: bool
    parent: bool

    @property
    def coded(self) -> bool:
        """Whether the payload is arithmetically coded."""
        return self.payload_type != "RAW_FLOAT"

    @property
    def quantized(self) -> bool:
        """Whether each tensor starts with a quantization parameter."""
        return self.payload_type in {"FLOAT", "BLOCK"}


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


def dimensions_of(unit: Unit) -> tuple[int, ...]:
    """Return the dimensions of the unit, or refuse what no array can have."""
    dimensions: Any = unit.values["tensor_dimensions"]
    if max(dimensions, default=0) > LARGEST_DIMENSION:
        raise NncLimitError(
            "A dimension of the tensor is larger than an array can have",
            position=unit.at("tensor_dimensions"),
            expected=f"at most {LARGEST_DIMENSION}",
            found=f"a number of {max(dimensions).bit_length()} bits",
            fix="give the tensor its true dimensions",
        )
    if len(dimensions) <= MOST_DIMENSIONS:
        return tuple(dimensions)
    raise NncLimitError(
        "The tensor has more dimensions than an array can have",
        position=unit.at("tensor_dimensions"),
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
        "The unit does not name as many tensors as it holds",
        position=unit.at("nnr_multiple_topology_elements_present_flag"),
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
        position=unit.at("count_tensor_dimensions"),
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
            position=unit.at("g_number_of_rows"),
            expected=f"a divisor of {prod(dimensions)}, the elements of {dimensions}",
            found=str(rows),
            fix="write the number of rows of G, and the dimensions of the product of G and H",
        )
    return (rows, rank) if role == "G" else (rank, prod(dimensions) // rows)


def codebook_for(unit: Unit, role: Role, payload_type: PayloadType) -> Codebook | None:
    """Return the codebook of a tensor: H of a block has its own."""
    if not unit.values["codebook_present_flag"] or role not in MATRICES:
        return None
    group = "codebook_dc" if role == "H" and payload_type == "BLOCK" else "codebook"
    elements: Any = unit.values[group]
    try:
        return codebook_of(elements)
    except ValueError as error:
        raise NncMalformedError(
            "The codebook cannot be used",
            position=unit.at(group),
            expected="a zero offset inside the codebook, and entries that are 32-bit integers",
            found=str(error),
            fix="write the codebook's size, zero offset and entries so that they agree",
        ) from None


def scan_of(unit: Unit, role: Role, shape: tuple[int, ...]) -> int:
    """Return the scan order that is really used for a tensor."""
    order: Any = unit.values["scan_order"]
    plain = role not in MATRICES or len(shape) < 2  # noqa: PLR2004 - a matrix has two
    return 0 if plain or shape[0] <= 1 or prod(shape[1:]) <= 1 else int(order)


def unit_names(unit: Unit, active: ActiveParameters) -> tuple[str, ...]:
    """Return the names of the unit's tensors, in the order of the header."""
    values: Mapping[str, Any] = unit.values
    single, several = values["topology_elem_id"], values["topology_elem_ids"]
    if single is not None:
        return (single,)
    if several is not None:
        return tuple(several)
    index = values["topology_elem_id_index"]
    if index is not None:
        return names_at(unit, active, "topology_elem_id_index", (index,))
    indices = values["topology_elem_id_indices"]
    return names_at(unit, active, "topology_elem_id_indices", indices)


def names_at(
    unit: Unit, active: ActiveParameters, field: str, indices: Sequence[int]
) -> tuple[str, ...]:
    """Return the names that indexed references stand for."""
    if active.names is None:
        raise NncUnsupportedError(
            "The unit names its tensors by indices, and no list of names is in the stream",
            position=unit.at(field),
            expected="a topology unit with a list of element ids (format 6) before the unit",
            found="none",
            fix="write names, or such a topology unit",
        )
    if max(indices) >= len(active.names):
        raise NncMalformedError(
            "An index points past the end of the topology's list of element ids",
            position=unit.at(field),
            expected=f"at most {len(active.names) - 1}",
            found=str(max(indices)),
            fix="write the place of the tensor's id in the list, counted from 0",
        )
    return tuple(active.names[index] for index in indices)


def refuse_unless_whole(unit: Unit) -> None:
    """Refuse a unit that is a part of a larger one."""
    if unit.values["partial_data_counter_present_flag"]:
        raise NncUnsupportedError(
            "The compressed data unit is one of several parts",
            position=unit.at("partial_data_counter"),
            expected="a unit that is complete in itself",
            found=f"partial_data_counter {unit.values['partial_data_counter']}",
            fix="this decoder knows no rule for joining the parts; write the unit in one piece",
        )
