"""Whole streams: start unit, parameter sets, topology, and a data unit per tensor or block.

>>> data = encode({"conv.weight": weight}, EncoderSettings(quantization=Quantization(qp=-32)))

An update chain passes one state along, as a decoder does::

    state = DecoderState()
    base = encode(tensors, settings, state)
    update = encode(differences, replace(settings, update=UpdateSettings(temporal=True)), state)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.encoder.settings import (
    Block,
    EncoderSettings,
    LayerParameters,
    ParentId,
    UpdateSettings,
)
from conformance.nnc.encoder.tensors import code_tensor, decoded_levels, with_references
from conformance.nnc.encoder.units import (
    FEWEST_NAMES,
    ROLE_FLAGS,
    CodedTensor,
    CodedUnit,
    UnitCoding,
    encode_unit,
    raw_unit,
)
from conformance.nnc.planning import MATRICES, PayloadType, Role
from conformance.nnc.state import DecoderState, Reference
from conformance.nnc.writer import StreamWriter

Tensors: TypeAlias = Mapping[str, NDArray[Any]]
REFERENCE_LIST: Final = 6
"""The topology format that is a list of names."""
UNIFORM, CODEBOOK = 1, 2
"""The bits of the quantization method flags."""
PARENT_TYPES: Final[tuple[ParentId, ...]] = ("node", "sha256", "sha512")


def encode(
    tensors: Tensors,
    settings: EncoderSettings = EncoderSettings(),  # noqa: B008
    state: DecoderState | None = None,
) -> bytes:
    """Return a stream with ``tensors``: integers as INT, floats quantized as FLOAT or BLOCK.

    ``state`` holds what the streams before left; it is moved on as a decoder's.

    Raises:
        ValueError: The settings or a tensor cannot be expressed.
    """
    known = DecoderState() if state is None else state
    encoder = _StreamEncoder(tensors, settings, known.draft())
    data = encoder.encode()
    known.take(encoder.state)
    return data


@dataclass(slots=True)
class _StreamEncoder:
    """The making of one stream; ``layer`` has the quantization parameters in force."""

    tensors: Tensors
    settings: EncoderSettings
    state: DecoderState
    writer: StreamWriter = field(init=False)
    names: list[str] = field(init=False)
    layer: LayerParameters = field(init=False)

    def __post_init__(self) -> None:
        self.writer = StreamWriter(self.settings.interpretation)
        self.names = list(self.tensors)
        quantization = self.settings.quantization
        self.layer = LayerParameters(quantization.qp_density, quantization.base_qp)

    def encode(self) -> bytes:
        """Write all units."""
        self.writer.add("STR", {"general_profile_idc": self.settings.profile})
        self.write_parameter_set()
        self.write_topology()
        written = []
        for group in groups(self.tensors, self.settings):
            layer = self.settings.layers.get(group.name)
            if layer is not None:
                self.layer = layer
                self.writer.add("LPS", quantization_values("lps", UNIFORM, layer))
            written += self.write_group(group)
        if self.settings.update is not None:
            for name in written:
                self.state.mark_history(name)
        return self.writer.getvalue()

    def write_parameter_set(self) -> None:
        """Write the model parameter set."""
        settings = self.settings
        flags = UNIFORM | (CODEBOOK if settings.quantization.codebook_size else 0)
        values = {
            "topology_carriage_flag": 1,
            "mps_topology_indexed_reference_flag": int(settings.indexed_references),
            "mps_parent_signalling_enabled_flag": int(settings.update is not None),
            **quantization_values("mps", flags, self.layer),
            **settings.parameter_set,
        }
        self.writer.add("MPS", values)

    def write_topology(self) -> None:
        """Write a topology unit: empty, or with the names that indices refer to."""
        if not self.settings.indexed_references:
            self.writer.add("TPL", {})
            return
        names = self.names + [""] * (FEWEST_NAMES - len(self.names))
        self.writer.add(
            "TPL",
            {
                "topology_storage_format": REFERENCE_LIST,
                "count_topology_elements_minus2": len(names) - FEWEST_NAMES,
                "topology_elem_ids": names,
            },
        )

    def write_group(self, group: Group) -> list[str]:
        """Write the unit of a group, and return the names whose levels it codes."""
        if group.payload_type == "RAW_FLOAT":
            self.add(group, raw_unit(group.name, self.tensors[group.name].astype(np.float32)))
            return []
        unit = unit_coding(group, self.layer, self.settings)
        coded = [
            code_tensor(name, role, self.tensors[name], unit, self.settings, self.state)
            for role, name in group.members.items()
        ]
        update = self.settings.update
        if update and not update.keep_zero and not any(each.levels.any() for each in coded):
            return []
        self.write_unit(group, coded, unit)
        return [each.name for each in coded]

    def write_unit(self, group: Group, coded: list[CodedTensor], unit: UnitCoding) -> None:
        """Write a unit and remember its levels as references of the next stream."""
        node = self.node(group)
        temporal = self.is_temporal(group)
        if temporal:
            coded = with_references(coded, self.state.references)
        self.add(group, encode_unit(coded, unit), temporal=temporal)
        ids = node if self.settings.node_ids else (None, None, None)
        for tensor in coded:
            levels = decoded_levels(tensor, unit)
            self.state.references[tensor.name] = Reference(levels, *ids)

    def add(self, group: Group, unit: CodedUnit, *, temporal: bool = False) -> None:
        """Add a unit with its names, node and parent."""
        settings, node = self.settings, self.node(group)
        values = {**unit.values, **node_values(node, settings.profile == 1 and settings.node_ids)}
        if settings.update is not None:
            values |= parent_values(group.name, node, settings.update, temporal)
        if settings.indexed_references:
            values |= index_values(values, self.names)
        if not settings.dimensions_in_stream:
            values["tensor_dimensions_flag"] = 0
        self.writer.add("NDU", {**values, **settings.unit}, unit.payload)

    def node(self, group: Group) -> tuple[int, int, int]:
        """Return the node of a group, that of its first tensor."""
        place = self.names.index(group.name)
        return next_node(
            group.name, place, self.settings.device_id, self.settings.update, self.state
        )

    def is_temporal(self, group: Group) -> bool:
        """Whether temporal contexts are used: wanted, and all references are there."""
        update = self.settings.update
        known = all(name in self.state.references for name in group.members.values())
        return update is not None and update.temporal and known


def quantization_values(prefix: str, flags: int, layer: LayerParameters) -> dict[str, object]:
    """Return the quantization values of a parameter set."""
    return {
        f"{prefix}_quantization_method_flags": flags,
        f"{prefix}_qp_density": layer.qp_density,
        f"{prefix}_quantization_parameter": layer.quantization_parameter,
    }


def index_values(values: Mapping[str, Any], names: list[str]) -> dict[str, object]:
    """Return indices in the place of a unit's names."""
    several = values.get("topology_elem_ids")
    if several is None:
        return {"topology_elem_id_index": names.index(values["topology_elem_id"])}
    return {"topology_elem_id_indices": [names.index(name) for name in several]}


@dataclass(frozen=True, slots=True)
class Group:
    """The tensors of one unit. ``name`` is the tensor that ids and settings go by."""

    name: str
    members: Mapping[Role, str]
    payload_type: PayloadType
    dimensions: tuple[int, ...] | None = None
    block_types: int = 0
    matrix: bool = True


def groups(tensors: Tensors, settings: EncoderSettings) -> Iterator[Group]:
    """Yield the groups in the order of their first tensors."""
    blocks = {name: block for block in settings.blocks for name in block.members.values()}
    written: set[str] = set()
    for name, array in tensors.items():
        if name in written:
            continue
        block = blocks.get(name)
        if block is None:
            yield single_group(name, array, settings)
            continue
        yield from block_groups(block, tensors)
        written |= set(block.members.values())


def single_group(name: str, array: NDArray[Any], settings: EncoderSettings) -> Group:
    """Return the group of a tensor that is alone in its unit."""
    payload_type: PayloadType = "FLOAT"
    if name in settings.quantization.raw:
        payload_type = "RAW_FLOAT"
    elif not np.issubdtype(array.dtype, np.floating):
        payload_type = "INT"
    return Group(name, {"tensor": name}, payload_type, matrix=is_matrix(array.shape))


def block_groups(block: Block, tensors: Tensors) -> Iterator[Group]:
    """Yield the group of a block, or those of its pieces."""
    members, dimensions = block.members, block_dimensions(block, tensors)
    first: Role = "weight" if "weight" in members else "G"
    if not block.piecewise:
        matrix = any(is_matrix(tensors[members[role]].shape) for role in MATRICES & set(members))
        yield Group(members[first], members, "BLOCK", dimensions, matrix=matrix)
        return
    types = 0
    for role in members:
        types |= ROLE_FLAGS.get(role, 0)
    for role, name in members.items():
        factor = role in {"G", "H"}
        if factor and not name.endswith(f"_{role}"):
            raise ValueError(f"a {role} in a separate unit has a name that ends in _{role}")
        shape = dimensions if factor else tensors[name].shape
        piece: Role = role if factor else "tensor"
        matrix = is_matrix(tensors[name].shape)
        yield Group(name, {piece: name}, "FLOAT", shape, types, matrix)


def block_dimensions(block: Block, tensors: Tensors) -> tuple[int, ...]:
    """Return the dimensions of a block's weight."""
    members = block.members
    if block.shape is not None:
        return block.shape
    if "weight" in members:
        return tensors[members["weight"]].shape
    if not {"G", "H"} <= set(members):
        raise ValueError("a block has a weight, or both G and H")
    return (tensors[members["G"]].shape[0], tensors[members["H"]].shape[1])


def is_matrix(shape: tuple[int, ...]) -> bool:
    """Whether a scan order can apply: two rows and columns or more."""
    return len(shape) > 1 and shape[0] > 1 and prod(shape[1:]) > 1


def unit_coding(group: Group, layer: LayerParameters, settings: EncoderSettings) -> UnitCoding:
    """Return what the tensors of a group share."""
    return UnitCoding(
        group.payload_type,
        profile=settings.profile,
        dialect=settings.interpretation.dialect,
        qp_density=layer.qp_density,
        base_qp=layer.quantization_parameter,
        dependent=settings.quantization.trellis and group.payload_type != "INT",
        unary_length=settings.levels.unary_length,
        scan_order=settings.levels.scan_order if group.matrix else 0,
        parent=settings.update is not None,
        dimensions=group.dimensions,
        block_types=group.block_types,
    )


def next_node(
    name: str, parameter_id: int, device_id: int, update: UpdateSettings | None, state: DecoderState
) -> tuple[int, int, int]:
    """Return device id, parameter id and depth of the node of a unit.

    A base is at depth 0, the first difference at 1, and each later one a step further.
    """
    if update is None:
        return device_id, parameter_id, 0
    reference = state.references.get(name)
    if reference is None:
        return device_id, parameter_id, 1
    depth = reference.put_node_depth or 0
    return (
        device_id if reference.device_id is None else reference.device_id,
        parameter_id if reference.parameter_id is None else reference.parameter_id,
        depth + 1,
    )


def node_values(node: tuple[int, int, int], present: bool) -> dict[str, object]:
    """Return the header values of a unit's own node."""
    if not present:
        return {"node_id_present_flag": 0}
    device_id, parameter_id, depth = node
    return {
        "node_id_present_flag": 1,
        "device_id": device_id,
        "parameter_id": parameter_id,
        "put_node_depth": depth,
    }


def parent_values(
    name: str, node: tuple[int, int, int], update: UpdateSettings, temporal: bool
) -> dict[str, object]:
    """Return the header values of a unit's parent, the node one step before its own."""
    device_id, parameter_id, depth = node
    values: dict[str, object] = {
        "parent_node_id_present_flag": 1,
        "parent_node_id_type": PARENT_TYPES.index(update.parent_id),
        "temporal_context_modeling_flag": int(temporal),
    }
    if update.parent_id == "node":
        return {
            **values,
            "parent_device_id": device_id,
            "parent_parameter_id": parameter_id,
            "parent_put_node_depth": depth - 1,
        }
    if name not in update.parent_digests:
        raise ValueError(f"the digest of the parent of {name!r} is not given")
    return {**values, f"parent_node_payload_{update.parent_id}": update.parent_digests[name]}
