"""Whole streams: start unit, parameter sets, topology, and a data unit per tensor or block.

>>> data = encode({"conv.weight": weight}, EncoderSettings(quantisation=Quantisation(qp=-32)))

An update chain passes one state along, as a decoder does::

    state = DecoderState()
    base = encode(tensors, settings, state)
    update = encode(differences, replace(settings, update=UpdateSettings(temporal=True)), state)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from conformance.nnc.encoder.grouping import Group, Tensors, groups, unit_coding
from conformance.nnc.encoder.headers import FEWEST_NAMES
from conformance.nnc.encoder.members import CodedTensor, UnitCoding
from conformance.nnc.encoder.nodes import next_node, node_values, parent_values
from conformance.nnc.encoder.settings import EncoderSettings, LayerParameters
from conformance.nnc.encoder.tensors import code_tensor, decoded_levels, with_references
from conformance.nnc.encoder.units import CodedUnit, encode_unit, raw_unit
from conformance.nnc.state import DecoderState, Reference
from conformance.nnc.writer import StreamWriter

REFERENCE_LIST: Final = 6
"""The topology format that is a list of names."""
UNIFORM, CODEBOOK = 1, 2
"""The bits of the quantization method flags."""


def encode(
    tensors: Tensors,
    settings: EncoderSettings = EncoderSettings(),  # noqa: B008
    state: DecoderState | None = None,
) -> bytes:
    """Return a stream with ``tensors``: integers as INT, floats quantised as FLOAT or BLOCK.

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
        quantisation = self.settings.quantisation
        self.layer = LayerParameters(quantisation.qp_density, quantisation.base_qp)

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
        flags = UNIFORM | (CODEBOOK if settings.quantisation.codebook_size else 0)
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
