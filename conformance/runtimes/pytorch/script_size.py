"""How large the graph of a module becomes when every call is put in its place, counted before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from conformance.verdicts import LimitError, Location

MAX_NODES = 200_000
"""Operators of a graph with all calls in their place."""

_CALLS = ("prim::CallMethod", "prim::CallFunction")


def check_size(unit: Any, graph: Any, file: str) -> None:
    """Raise LimitError for a graph that would have too many operators.

    ``unit`` holds the compiled functions: one that calls another twice, which calls a third twice,
    and so on, is short and without end.
    """
    sizes: dict[str, int] = {}
    waiting: list[tuple[str, Any]] = [("", graph)]
    while waiting:
        name, current = waiting[-1]
        calls = [called for called in map(_called, nodes_of(current)) if called]
        bodies = {each: unit.find_function(each) for each in set(calls) - sizes.keys()}
        missing = [(each, body.graph) for each, body in bodies.items() if body is not None]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        own = sum(1 for _ in nodes_of(current))
        sizes[name] = own + sum(sizes.get(each, 0) for each in calls)
        if sizes[name] > MAX_NODES:
            raise LimitError(
                "the network has too many operators, with every call in its place",
                where=Location(file, element=name or "forward"),
                expected=f"at most {MAX_NODES}",
                found=str(sizes[name]) if sizes[name] < MAX_NODES**2 else f"{MAX_NODES**2} or more",
                fix="Export a smaller network, or one whose loops are not unrolled.",
            )


def nodes_of(block: Any) -> Iterator[Any]:
    """Yield every node, those of branches and loops included."""
    waiting = list(reversed(list(block.nodes())))
    while waiting:
        node = waiting.pop()
        yield node
        for inner in node.blocks():
            waiting += reversed(list(inner.nodes()))


def _called(node: Any) -> str | None:
    """Return the qualified name of the function that a node calls."""
    if node.kind() not in _CALLS:
        return None
    kind = next(iter(node.inputs())).type()
    if node.kind() == "prim::CallFunction":
        return str(kind.annotation_str)
    return f"{kind.qualified_name()}.{node.s('name')}" if kind.kind() == "ClassType" else None
