"""The part of a graph that a signature needs, without anything that only says how to run it."""

from __future__ import annotations

from typing import Any

from conformance.runtimes.tensorflow.graphs import Reach, node_of

_KEPT = frozenset(
    {"_lower_using_switch_merge", "_num_original_outputs", "_read_only_resource_inputs"}
)
"""Internal attributes that loops and branches need; others ask for XLA, devices or profiles."""


def pruned(graph: Any, reached: Reach, config: Any) -> Any:
    """Return a GraphDef of copies of the nodes and functions in ``reached``, and of nothing else.

    Devices, internal attributes and settings of TensorFlow's optimisers are left out; functions are
    called with ``config``. Variables are named after their nodes, so that no two share a value.
    """
    part = type(graph)()
    part.versions.CopyFrom(graph.versions)
    for node in reached.nodes.values():
        _plain(part.node.add(), node, config)
    for node in part.node:
        if node.op == "VarHandleOp":
            node.attr["shared_name"].s = node.name.encode()
            for name in ("container", "debug_name", "allowed_devices"):
                node.attr.pop(name, None)
    for function in reached.functions.values():
        _plain_function(part.library.function.add(), function, config)
    return part


def _plain_function(copy: Any, function: Any, config: Any) -> None:
    """Fill ``copy`` with what a function's results need, but not with its attributes."""
    copy.signature.CopyFrom(function.signature)
    copy.signature.ClearField("attr")
    needed = _needed(function)
    for node in function.node_def:
        if node.name in needed:
            _plain(copy.node_def.add(), node, config)
    for name, value in function.ret.items():
        copy.ret[name] = value
    for name, value in function.control_ret.items():
        copy.control_ret[name] = value


def _needed(function: Any) -> set[str]:
    """Return the names of the nodes that the results of a function depend on, and its arguments."""
    nodes = {node.name: node for node in function.node_def}
    needed: set[str] = set()
    waiting = [*map(node_of, function.ret.values()), *function.control_ret.values()]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += map(node_of, nodes[name].input) if name in nodes else ()
    return needed


def _plain(copy: Any, node: Any, config: Any) -> None:
    """Fill ``copy`` with a node, but not with what says how or where to run it."""
    copy.name, copy.op = node.name, node.op
    copy.input.extend(node.input)
    for name, value in node.attr.items():
        if not name.startswith("_") or name in _KEPT:
            copy.attr[name].CopyFrom(value)
            if value.HasField("func"):
                copy.attr[name].func.ClearField("attr")
            for function in copy.attr[name].list.func if value.HasField("list") else ():
                function.ClearField("attr")
    if "config_proto" in copy.attr:
        copy.attr["config_proto"].s = config.SerializeToString(deterministic=True)
    for name in ("config", "executor_type"):
        if name in copy.attr:
            copy.attr[name].s = b""
