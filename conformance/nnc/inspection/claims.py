"""What a stream claims about itself, for a suite to compare with what a sample declares.

Nothing of it changes how tensors are decoded, and nothing of it is checked here: performance is
what its maker measured, a hash is of a payload that is elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from conformance.nnc.stream import Stream, Unit, Value

MAPS = ("sparsification", "pruning", "unification", "decomposition")
_PARENT_TYPES = {0: "ndu-id", 1: "sha256", 2: "sha512"}


def stream_claims(stream: Stream) -> dict[str, Any]:
    """Return the claims of a stream as JSON; what it does not claim is None or empty.

    ``performance_maps`` has the entries of all parameter sets by kind of map, each with the index
    of its ``unit``; ``nodes`` has one entry for each data unit with an id or a parent.
    """
    sets = [unit for unit in stream.units if unit.name in {"MPS", "LPS"}]
    model = next((unit.values for unit in sets if unit.name == "MPS"), {})
    return {
        "general_profile_idc": stream.profile,
        "base_model_id": model.get("base_model_id"),
        "performance_metric_type": model.get("performance_metric_type"),
        "validation_set_performance": model.get("validation_set_performance"),
        "metric_type_performance_map_valid": bool(
            model.get("metric_type_performance_map_valid_flag")
        ),
        "topology_carriage": bool(model.get("topology_carriage_flag")),
        "pre_flag": bool(model.get("nnr_pre_flag")),
        "performance_maps": {
            kind: entries for kind in MAPS if (entries := list(_entries(sets, kind)))
        },
        "nodes": [node for unit in stream.units for node in _nodes(unit)],
    }


def _entries(sets: list[Unit], kind: str) -> Iterator[dict[str, Any]]:
    for unit in sets:
        for entry in unit.groups(f"{kind}_performance_map"):
            yield {"unit": unit.index, **{name: plain(value) for name, value in entry.items()}}


def _nodes(unit: Unit) -> Iterator[dict[str, Any]]:
    has_parent = bool(unit.integer("parent_node_id_present_flag"))
    if unit.name != "NDU" or not (has_parent or unit.integer("node_id_present_flag")):
        return
    names = ("device_id", "parameter_id", "put_node_depth")
    yield {
        "unit": unit.index,
        "tensors": list(unit.written_names),
        **{name: unit.values.get(name) for name in names},
        "parent": _parent(unit) if has_parent else None,
    }


def _parent(unit: Unit) -> dict[str, Any]:
    kind = _PARENT_TYPES.get(unit.integer("parent_node_id_type") or 0, "unknown")
    if kind in {"sha256", "sha512"}:
        return {"type": kind, "payload": unit.values.get(f"parent_node_payload_{kind}")}
    names = ("device_id", "parameter_id", "put_node_depth")
    return {"type": kind, **{name: unit.values.get(f"parent_{name}") for name in names}}


def plain(value: Value) -> Any:
    """Return a value of a unit as JSON has it: lists and dictionaries."""
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    return value
