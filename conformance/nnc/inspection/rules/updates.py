"""Rules about parameter update trees: nodes, their parents, and the streams before this one."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.nnc.inspection.rules.rule import Breach, RuleContext, rule
from conformance.nnc.state import Reference
from conformance.nnc.stream import Unit

_NODE = ("device_id", "parameter_id", "put_node_depth")
_BRANCH = ("parent_device_id", "parameter_id", "put_node_depth")
"""What leads back to the node before where a device begins its own branch."""


@rule(
    "NNC-NODE-001",
    "The put_node_depth of a node with a parent is at least 1",
    "The depth counts the updates from the root: a parent would have the depth -1.",
    fix="write the depth of the parent and 1",
)
def lies_below_its_parent(context: RuleContext) -> Iterator[Breach]:
    """Find nodes of depth 0 that have a parent."""
    for unit in context.data_units:
        if unit.integer("parent_node_id_present_flag") and unit.integer("put_node_depth") == 0:
            place = unit.at("put_node_depth")
            yield Breach("A node with a parent has depth 0", place, "1 or more", "0")


@rule(
    "NNC-NODE-002",
    "The put_node_depth of a node without a parent is 0",
    "The depth promises updates before this one, and nothing says which.",
    fix="write depth 0, or name the parent",
    severity="warning",
)
def is_a_root_without_parent(context: RuleContext) -> Iterator[Breach]:
    """Find nodes below the root that name no parent."""
    for unit in context.data_units:
        depth = unit.integer("put_node_depth")
        if depth and not unit.integer("parent_node_id_present_flag"):
            place = unit.at("put_node_depth")
            yield Breach("A node without a parent is not a root", place, "0", str(depth))


@rule(
    "NNC-NODE-003",
    "No two units of a stream are the same node",
    "A parent that is named by its id would not be one unit.",
    fix="give every tensor of a device a unique parameter_id",
    severity="warning",
)
def is_one_node(context: RuleContext) -> Iterator[Breach]:
    """Find ids that occurred before."""
    seen: dict[tuple[int | None, ...], int] = {}
    for unit in context.data_units:
        node = tuple(unit.integer(name) for name in _NODE)
        if node in seen and unit.integer("node_id_present_flag"):
            found = f"device {node[0]}, parameter {node[1]}, depth {node[2]} as unit {seen[node]}"
            yield Breach("Two units are the same node", unit.at("device_id"), "a unique id", found)
        seen.setdefault(node, unit.index)


@rule(
    "NNC-NODE-004",
    "A node is the next after the node that the stream before gave its tensor",
    "A stream of the chain is missing, or comes twice or in a different order: differences are "
    "added to the wrong tensors, and contexts look at the wrong levels.",
    fix="give the streams of the chain in order (--after), and count the depth up by 1",
)
def follows_the_stream_before(context: RuleContext) -> Iterator[Breach]:
    """Find nodes that do not follow the references of their tensors."""
    for plan in context.plans:
        for tensor in plan.tensors:
            reference = context.examination.references.get(tensor.name)
            if reference is not None and plan.parent:
                yield from _not_next(plan.unit, tensor.name, reference)


def _not_next(unit: Unit, name: str, reference: Reference) -> Iterator[Breach]:
    depth = reference.put_node_depth
    if depth is None or not unit.integer("node_id_present_flag"):
        return
    names = _BRANCH if _opens_branch(unit) else _NODE
    for field, expected in zip(
        names, (reference.device_id, reference.parameter_id, depth + 1), strict=True
    ):
        found = unit.integer(field)
        if found != expected:
            message = f"The node of {name!r} does not follow that of the stream before"
            yield Breach(message, unit.at(field), f"{field} {expected}", str(found))
            return


def _opens_branch(unit: Unit) -> bool:
    """Return whether a unit names the device of its parent and looks at none of its levels."""
    by_id = unit.integer("parent_node_id_type") == 0
    return by_id and not unit.integer("temporal_context_modeling_flag")


RULES = (
    lies_below_its_parent,
    is_a_root_without_parent,
    is_one_node,
    follows_the_stream_before,
)
