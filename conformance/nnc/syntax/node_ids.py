"""The node of a data unit in a parameter update tree, and its parent (second edition)."""

from __future__ import annotations

from conformance.nnc.syntax.common import FLAG
from conformance.nnc.syntax.items import Field, Item, field, malformed

_NODE_ID = "node_id_present_flag == 1"
_PARENT = "parent_node_id_present_flag == 1"
_BY_ID = f"{_PARENT} and parent_node_id_type == 0"
_WITHOUT_OWN_ID = f"{_BY_ID} and node_id_present_flag == 0"


def _id(name: str, code: str, meaning: str, when: str) -> Field:
    return field(name, code, meaning, when=when)


_OWN_ID = (
    field(
        "node_id_present_flag",
        "u(1)",
        "Whether the unit has an id in a parameter update tree.",
        when="general_profile_idc == 1",
        inferred="0",
        values=FLAG,
    ),
    _id("device_id", "ue(1)", "The device that the update comes from.", _NODE_ID),
    _id("parameter_id", "ue(5)", "The tensor that is updated.", _NODE_ID),
    _id("put_node_depth", "ue(4)", "How many updates this one builds upon.", _NODE_ID),
)

_PARENT_ID = (
    field(
        "parent_node_id_present_flag",
        "u(1)",
        "Whether the unit is a difference to a parent node.",
        when="general_profile_idc == 1 and mps_parent_signalling_enabled_flag == 1",
        inferred="0",
        values=FLAG,
    ),
    field(
        "parent_node_id_type",
        "u(2)",
        "How the parent is named.",
        when=_PARENT,
        values={0: "ICNN_NDU_ID", 1: "ICNN_NDU_PL_SHA256", 2: "ICNN_NDU_PL_SHA512"},
    ),
    malformed(
        "parent_node_id_type",
        f"{_PARENT} and parent_node_id_type > 2",
        "The parent node is named in a way that the format does not know",
        expected="0 (device id), 1 (SHA-256) or 2 (SHA-512)",
        fix="name the parent by an id or a hash",
    ),
    field(
        "temporal_context_modeling_flag",
        "u(1)",
        "Whether contexts depend on the levels of the parent.",
        when=_PARENT,
        inferred="0",
        values=FLAG,
    ),
    _id("parent_device_id", "ue(1)", "The device_id of the parent.", _BY_ID),
    _id("parent_parameter_id", "ue(5)", "The parameter_id of the parent.", _WITHOUT_OWN_ID),
    _id("parent_put_node_depth", "ue(4)", "The put_node_depth of the parent.", _WITHOUT_OWN_ID),
    field(
        "parent_node_payload_sha256",
        "hex(256)",
        "The SHA-256 of the payload of the parent.",
        when=f"{_PARENT} and parent_node_id_type == 1",
    ),
    field(
        "parent_node_payload_sha512",
        "hex(512)",
        "The SHA-512 of the payload of the parent.",
        when=f"{_PARENT} and parent_node_id_type == 2",
    ),
)

NODE_IDS: tuple[Item, ...] = (*_OWN_ID, *_PARENT_ID)
