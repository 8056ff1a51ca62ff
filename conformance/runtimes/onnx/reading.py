"""How operators use the elements of each stored tensor, wherever they come to read them.

Elements are followed through operators that hand them on, into branches, loop bodies and local
functions and out of them, and through attributes of a function's call. A function that is called
several times is one place: its tensors are used as in all calls together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import final

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto

from conformance.runtimes.onnx.functions import call_key, function_key, subgraphs, title
from conformance.runtimes.onnx.operators import rows_looked_up, use_of, use_of_attribute
from conformance.runtimes.onnx.sites import is_constant, value_name
from conformance.runtimes.onnx.usage import own_names
from conformance.runtimes.roles import Use, traced_uses

_GIVEN = "\0"
"""Stands between a function's name and that of an attribute that its calls give."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """The names of a graph or function; ``prefix`` comes before those that are its own."""

    prefix: str
    own: frozenset[str] = frozenset()
    outer: _Scope | None = None

    def place(self, name: str) -> str:
        """Return the name of a value, unlike that of any in another graph."""
        scope = self
        while name not in scope.own and scope.outer is not None:
            scope = scope.outer
        return scope.prefix + name

    def given(self, attribute: str) -> str:
        """Return the name of what calls of the function around it give for ``attribute``."""
        scope = self
        while scope.outer is not None:
            scope = scope.outer
        return scope.prefix + _GIVEN + attribute


@final
class Reading:
    """The uses of all values of ``model`` by their names, as :mod:`sites` makes them.

    ``operators`` counts nodes that compute, those of subgraphs and functions included. Two values
    that come to have one name are used as both are; a parameter can only come of it.
    """

    def __init__(self, model: ModelProto) -> None:
        walk = _Walk({function_key(each): each for each in model.functions})
        walk.nodes(model.graph.node, _Scope(""))
        for value in model.graph.output:
            walk.use(value.name, Use.VALUE)
        for key, function in walk.functions.items():
            scope = _Scope(f"{title(key)}.")
            walk.nodes(function.node, scope)
            for default in function.attribute_proto:
                walk.passed.append((scope.prefix + default.name, scope.given(default.name)))
        inputs = [value.name for value in model.graph.input]
        computed = _reachable([*inputs, *walk.rounds], walk.edges)
        for table, indices in walk.lookups:
            if indices in computed:
                walk.use(table, Use.LOOKUP)
        self.operators = walk.operators
        self._uses = traced_uses(walk.direct, walk.passed)

    def uses(self, name: str, rank: int) -> frozenset[Use]:
        """Return the uses of a tensor; one without rows is not looked up in."""
        uses = self._uses.get(name, frozenset())
        return uses if rank > 1 else uses - {Use.LOOKUP}


@dataclass(slots=True)
class _Walk:
    functions: dict[tuple[str, str, str], FunctionProto]
    direct: dict[str, set[Use]] = field(default_factory=dict)
    passed: list[tuple[str, str]] = field(default_factory=list)
    edges: dict[str, list[str]] = field(default_factory=dict)
    """What is computed from each value, by nodes and links."""
    lookups: list[tuple[str, str]] = field(default_factory=list)
    """Tables, and the indices of the rows that are read."""
    rounds: list[str] = field(default_factory=list)
    """Numbers of the rounds of loops."""
    operators: int = 0

    def use(self, name: str, use: Use) -> None:
        self.direct.setdefault(name, set()).add(use)

    def nodes(self, nodes: Iterable[NodeProto], scope: _Scope) -> None:
        for index, node in enumerate(nodes):
            self._node(node, scope, value_name(node, index))

    def _node(self, node: NodeProto, scope: _Scope, name: str) -> None:
        inputs = [scope.place(each) if each else "" for each in node.input]
        outputs = [scope.prefix + each if each else "" for each in node.output]
        function = self.functions.get(call_key(node))
        self._attributes(node, scope, name, function)
        if is_constant(node):
            return
        self.operators += 1
        # A node is a step between its inputs and outputs: there can be many of both.
        step = f"{scope.prefix}{name}{_GIVEN}{self.operators}"
        for each in inputs:
            self.edges.setdefault(each, []).append(step)
        self.edges[step] = outputs
        if function is not None:
            inner = f"{title(function_key(function))}."
            self._link(inputs, [inner + name for name in function.input])
            self._link([inner + name for name in function.output], outputs)
            return
        bodies = list(subgraphs(node))
        for position, each in enumerate(inputs):
            self._read(each, outputs, use_of(node, position), is_linked=bool(bodies))
        rows = rows_looked_up(node)
        if rows is not None:
            self.lookups.append((inputs[0], inputs[rows]))
        for attribute, graph in bodies:
            scope_of_body = _Scope(f"{scope.prefix}{name}.{attribute}.", own_names(graph), scope)
            self.nodes(graph.node, scope_of_body)
            self._body(node, graph, scope_of_body, inputs, outputs)

    def _read(self, name: str, outputs: Sequence[str], use: Use | None, *, is_linked: bool) -> None:
        """Note that a node reads a value; what bodies take is used as they use it."""
        if use is None:
            self.passed += ((name, output) for output in outputs)
        elif not is_linked or use is not Use.VALUE:
            self.use(name, use)

    def _attributes(
        self, node: NodeProto, scope: _Scope, name: str, function: FunctionProto | None
    ) -> None:
        for attribute in node.attribute:
            place = f"{scope.prefix}{name}"
            if not is_constant(node):
                place = f"{place}.{attribute.name}"
                if function is None:
                    self.use(place, use_of_attribute(node, attribute.name))
                else:
                    given = f"{title(call_key(node))}.{_GIVEN}{attribute.name}"
                    self.passed.append((place, given))
            if attribute.ref_attr_name:
                self.passed.append((scope.given(attribute.ref_attr_name), place))

    def _body(
        self,
        node: NodeProto,
        graph: GraphProto,
        inner: _Scope,
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        """Link the inputs and outputs of a branch or body with those around it, and its rounds."""
        taken = [inner.prefix + value.name for value in graph.input]
        given = [inner.place(value.name) for value in graph.output]
        if node.op_type == "Loop":
            # The number of the round, and whether to go on, are its first two inputs.
            self.rounds += taken[:1]
            for condition in given[:1]:
                self.use(condition, Use.OPERAND)
            taken, given, inputs = taken[2:], given[1:], inputs[2:]
        elif node.op_type == "Scan" and len(inputs) == len(taken) + 1:
            inputs = inputs[1:]  # until operator set 8, the lengths of the sequences come first
        self._link(inputs, taken)
        self._link(given, outputs)
        if node.op_type in ("Loop", "Scan"):
            scanned = next((a.i for a in node.attribute if a.name == "num_scan_inputs"), 0)
            self._link(given, taken[: max(len(taken) - scanned, 0)])

    def _link(self, sources: Sequence[str], results: Sequence[str]) -> None:
        for source, result in zip(sources, results, strict=False):
            if source and result:
                self.passed.append((source, result))
                self.edges.setdefault(source, []).append(result)


def _reachable(names: Iterable[str], edges: dict[str, list[str]]) -> set[str]:
    """Return all values that are computed from those with ``names``, themselves included."""
    found: set[str] = {""}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges.get(name, ())
    return found
