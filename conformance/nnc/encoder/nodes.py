"""Node ids and parents of data units in a parameter update tree (second edition)."""

from __future__ import annotations

from typing import Final

from conformance.nnc.encoder.settings import ParentId, UpdateSettings
from conformance.nnc.state import DecoderState

PARENT_TYPES: Final[tuple[ParentId, ...]] = ("node", "sha256", "sha512")


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
