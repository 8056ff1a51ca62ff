"""Local functions: a model's own operators, each a list of nodes that takes the place of a call.

ONNX Runtime writes every call out before it runs anything. Functions that call themselves have no
end, and a few short functions that call each other twice have billions of nodes: both are refused
before the runtime sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from typing import TypeAlias

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, defs
from onnxruntime.capi import onnxruntime_pybind11_state as _state

from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

FunctionKey: TypeAlias = tuple[str, str, str]
"""Domain, name and overload."""

STANDARD = ("", "ai.onnx")
"""The two names of the domain of the standard operators."""

_KIND = AttributeProto.AttributeType
_MOST_NODES = 1_000_000
_DEEPEST = 64


def function_key(function: FunctionProto) -> FunctionKey:
    """Return what a function is called by."""
    return function.domain, function.name, function.overload


def call_key(node: NodeProto) -> FunctionKey:
    """Return the function that a node calls if the model has it."""
    return node.domain, node.op_type, node.overload


def title(key: FunctionKey) -> str:
    """Return a function's name as it is shown, and as names of tensors in it begin."""
    domain, name, overload = key
    return f"{domain}.{name}" + (f":{overload}" if overload else "")


def subgraphs(node: NodeProto) -> Iterator[tuple[str, GraphProto]]:
    """Yield the graphs in a node's attributes: branches and loop bodies, with their places."""
    for attribute in node.attribute:
        kind = attribute.type
        if attribute.HasField("g") and kind in (_KIND.UNDEFINED, _KIND.GRAPH):
            yield attribute.name, attribute.g
        if kind in (_KIND.UNDEFINED, _KIND.GRAPHS):
            yield from ((f"{attribute.name}[{i}]", g) for i, g in enumerate(attribute.graphs))


def all_nodes(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yield nodes and those of their subgraphs."""
    for node in nodes:
        yield node
        for _, graph in subgraphs(node):
            yield from all_nodes(graph.node)


def check_functions(model: ModelProto, file: str) -> None:
    """Refuse functions that cannot be written out.

    Raises MalformedError for one that is defined twice or calls itself and for an attribute that
    is both a reference to the caller's and something itself, LimitError for calls that
    are nested too deeply or stand for too many nodes, UnsupportedError for one that takes the name
    of an operator of ONNX or ONNX Runtime, which would run in its place.
    """
    functions: dict[FunctionKey, FunctionProto] = {}
    for function in model.functions:
        key = function_key(function)
        if key in functions:
            raise MalformedError(
                f"the local function {title(key)} is defined twice",
                where=Location(file=file, element=f"function {function.name}"),
                expected="a unique domain, name and overload for each function",
                found="another function of the same domain, name and overload",
                fix="Rename one of them, or remove it.",
            )
        if _is_operator(function):
            raise UnsupportedError(
                f"a local function takes the name of the operator {function.name}",
                where=Location(file=file, element=f"function {function.name}"),
                expected="local functions in their own domain",
                found=f"domain {function.domain or 'ai.onnx'}",
                fix="Put the function into another domain.",
            )
        functions[key] = function
    for nodes in (model.graph.node, *(function.node for function in functions.values())):
        _check_references(nodes, file)
    sizes = _Sizes(functions, file)
    total = sum(sizes.of_node(node, ()) for node in all_nodes(model.graph.node))
    for key in functions:
        sizes.of(key, ())
    if total > _MOST_NODES:
        raise LimitError(
            "the network has too many nodes when its local functions are written out",
            where=Location(file=file, element="graph"),
            expected=f"at most {_MOST_NODES} nodes",
            found=f"{total} nodes" if total < 1 << 53 else "more than 2^53 nodes",
            fix="Let functions call fewer others, or export the network without functions.",
        )


def _is_operator(function: FunctionProto) -> bool:
    """Return whether ONNX Runtime has an operator of this name: it runs that, whatever is here."""
    domain = "" if function.domain in STANDARD else function.domain
    return (domain, function.name) in _operators() or defs.has(function.name, domain)


@cache
def _operators() -> frozenset[tuple[str, str]]:
    return frozenset((each.domain, each.name) for each in _state.get_all_operator_schema())


def _check_references(nodes: Iterable[NodeProto], file: str) -> None:
    empty = {"name", "type", "ref_attr_name", "doc_string"}
    for node in all_nodes(nodes):
        for attribute in node.attribute:
            if not attribute.ref_attr_name:
                continue
            held = [field.name for field, _ in attribute.ListFields() if field.name not in empty]
            if held:
                raise MalformedError(
                    "an attribute refers to the caller's and holds something itself",
                    where=Location(
                        file=file, element=f"node {node.name or node.op_type}.{attribute.name}"
                    ),
                    expected=f"nothing but the name {attribute.ref_attr_name}",
                    found=", ".join(held),
                    fix="Remove one of them, or export the model again.",
                )


class _Sizes:
    """How many nodes functions stand for, each counted once."""

    def __init__(self, functions: dict[FunctionKey, FunctionProto], file: str) -> None:
        self._functions = functions
        self._file = file
        self._known: dict[FunctionKey, int] = {}

    def of_node(self, node: NodeProto, callers: tuple[FunctionKey, ...]) -> int:
        key = call_key(node)
        return self.of(key, callers) if key in self._functions else 1

    def of(self, key: FunctionKey, callers: tuple[FunctionKey, ...]) -> int:
        if key in callers:
            raise self._recursive(key, callers)
        if key not in self._known:
            self._check_depth(callers)
            nodes = all_nodes(self._functions[key].node)
            self._known[key] = sum(self.of_node(node, (*callers, key)) for node in nodes)
        return self._known[key]

    def _recursive(self, key: FunctionKey, callers: tuple[FunctionKey, ...]) -> MalformedError:
        circle = [*callers[callers.index(key) :], key]
        return MalformedError(
            f"the local function {title(key)} calls itself",
            where=Location(file=self._file, element=f"function {key[1]}"),
            expected="functions that call others only, without a circle",
            found=" -> ".join(title(step) for step in circle[:10]),
            fix="Write the recursion as a Loop or Scan, or export the network without functions.",
        )

    def _check_depth(self, callers: tuple[FunctionKey, ...]) -> None:
        if len(callers) >= _DEEPEST:
            raise LimitError(
                "local functions call each other too deeply",
                where=Location(file=self._file, element=f"function {callers[0][1]}"),
                expected=f"at most {_DEEPEST} calls within each other",
                found="more",
                fix="Export the network with fewer levels of functions.",
            )
