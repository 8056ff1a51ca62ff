"""How operators read each value of a graph: as numbers, as rows of a table, or as sizes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance.runtimes.roles import Use, traced_uses
from conformance.runtimes.tensorflow.graphs import node_of

MAIN = ""
"""The scope of the nodes that are in no function."""

_OPERANDS: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("Reshape", "Transpose", "ConjugateTranspose", "Tile", "BroadcastTo"), (1,)),
    **dict.fromkeys(("ExpandDims", "Pad", "MirrorPad", "Reverse", "ReverseV2", "TopKV2"), (1,)),
    **dict.fromkeys(("ResizeArea", "ResizeBicubic", "ResizeBilinear"), (1,)),
    **dict.fromkeys(("ResizeNearestNeighbor", "SpaceToBatch", "BatchToSpace"), (1,)),
    **dict.fromkeys(("Max", "Mean", "Min", "Prod", "Sum", "All", "Any", "EuclideanNorm"), (1,)),
    **dict.fromkeys(("ArgMax", "ArgMin", "Cumsum", "Cumprod", "CumulativeLogsumexp"), (1,)),
    **dict.fromkeys(("Slice", "PadV2", "SplitV", "Roll", "ClipByValue"), (1, 2)),
    **dict.fromkeys(("SpaceToBatchND", "BatchToSpaceND", "MatrixBandPart"), (1, 2)),
    **dict.fromkeys(("StridedSlice", "OneHot", "ScaleAndTranslate"), (1, 2, 3)),
    **dict.fromkeys(("Split", "Concat", "Fill", "Conv2DBackpropInput"), (0,)),
    **dict.fromkeys(("Conv3DBackpropInputV2", "EmptyTensorList", "TensorListReserve"), (0,)),
    **dict.fromkeys(("Range", "LinSpace"), (0, 1, 2)),
    **dict.fromkeys(("BroadcastArgs", "ConcatOffset"), (0, 1)),
    **dict.fromkeys(("ConcatV2", "GatherV2", "ScatterNd", "CropAndResize"), (-1,)),
}
"""Inputs that say shape, slice, padding, size, range, bound or axis; negative ones from the end."""

_PASSED: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("Identity", "Snapshot", "StopGradient", "PreventGradient", "Cast"), (0,)),
    **dict.fromkeys(("CheckNumerics", "EnsureShape", "GuaranteeConst", "ReadVariableOp"), (0,)),
    **dict.fromkeys(("PlaceholderWithDefault", "Reshape", "Transpose", "Squeeze"), (0,)),
    **dict.fromkeys(("ConjugateTranspose", "ExpandDims", "Slice", "StridedSlice", "Tile"), (0,)),
    **dict.fromkeys(("BroadcastTo", "Unpack", "SplitV", "Pad", "PadV2", "MirrorPad"), (0,)),
    **dict.fromkeys(("Reverse", "ReverseV2", "Roll", "DepthToSpace", "SpaceToDepth"), (0,)),
    **dict.fromkeys(("SpaceToBatch", "BatchToSpace", "SpaceToBatchND", "BatchToSpaceND"), (0,)),
    **dict.fromkeys(("TensorListFromTensor", "TensorListGetItem", "TensorListStack"), (0,)),
    **dict.fromkeys(("Split", "Fill"), (1,)),
    **dict.fromkeys(("Pack", "Concat", "ConcatV2"), ()),
}
"""Inputs whose elements are in the outputs, in any order, shape or type; () stands for all."""

_TABLES = frozenset({"Gather", "GatherV2", "GatherNd", "ResourceGather", "ResourceGatherNd"})
"""Operators that look up rows of input 0 by the indices in input 1."""

_NARROW, _REAL = frozenset({4, 6}), frozenset({1, 2, 14, 19})
_BODIES: Mapping[str, tuple[tuple[str, ...], int]] = {
    **dict.fromkeys(("PartitionedCall", "StatefulPartitionedCall"), (("f",), 0)),
    **dict.fromkeys(("If", "StatelessIf"), (("then_branch", "else_branch"), 1)),
    **dict.fromkeys(("Case", "StatelessCase"), (("branches",), 1)),
    **dict.fromkeys(("While", "StatelessWhile"), (("cond", "body"), 0)),
}
"""Attributes that name the functions of an operator, and the first input that they are given."""


def key_of(scope: str, node: str) -> str:
    """Return the key of the values of a node; ``scope`` is its function, or MAIN."""
    return f"{scope}\0{node}"


def uses_of(graph: Any, fetched: Iterable[str]) -> Mapping[str, frozenset[Use]]:
    """Return how the elements of each value are used, by key.

    ``graph`` is a GraphDef, and ``fetched`` are the tensors of its outputs. Uses are followed
    through operators that only rearrange elements, and into and out of functions.
    """
    scopes = {MAIN: _Scope(MAIN, list(graph.node))}
    for function in graph.library.function:
        name = function.signature.name
        scopes[name] = _Scope(name, list(function.node_def), function)
    computed = _computed(scopes)
    direct: dict[str, set[Use]] = defaultdict(set)
    for reference in fetched:
        direct[scopes[MAIN].value(reference)].add(Use.VALUE)
    passed: list[tuple[str, str]] = []
    for scope in scopes.values():
        for node in scope.nodes.values():
            values = scope.inputs(node)
            if _has_own_outputs(node):
                passed += _between(scope, node, values, scopes)
                continue
            for position, value in enumerate(values):
                use = _use(node, position, values, computed)
                if use is None:
                    passed.append((value, key_of(scope.name, node.name)))
                else:
                    direct[value].add(use)
    return traced_uses(direct, passed)


def _use(node: Any, position: int, values: Sequence[str], computed: frozenset[str]) -> Use | None:
    """Return how a node reads an input; None if it passes the elements on."""
    operands = _OPERANDS.get(node.op, ())
    if position in operands or position - len(values) in operands:
        return Use.OPERAND
    if position == 0 and (node.op == "Dequantize" or _is_widened(node)):
        return Use.QUANTISED
    if node.op in _TABLES and position == 0:
        return Use.LOOKUP if len(values) > 1 and values[1] in computed else None
    every = _PASSED.get(node.op)
    return None if every is not None and (not every or position in every) else Use.VALUE


def _is_widened(node: Any) -> bool:
    """Return whether a node makes real numbers of bytes: weights are stored so, and scaled."""
    if node.op != "Cast":
        return False
    return node.attr["SrcT"].type in _NARROW and node.attr["DstT"].type in _REAL


class _Scope:
    """The nodes of the graph or of a function, by name."""

    def __init__(self, name: str, nodes: Iterable[Any], function: Any = None) -> None:
        self.name = name
        self.nodes: Mapping[str, Any] = {node.name: node for node in nodes}
        self.arguments: list[str] = []
        self.results: list[str] = []
        if function is not None:
            self.arguments = [key_of(name, each.name) for each in function.signature.input_arg]
            returned = (function.ret.get(e.name, "") for e in function.signature.output_arg)
            self.results = [self.value(reference) for reference in returned]

    def value(self, reference: str) -> str:
        """Return the key of what an input refers to.

        The outputs of calls are distinguished, those of other nodes are not: they share elements.
        """
        name = node_of(reference)
        output = reference.partition(":")[2].rpartition(":")[2]
        node = self.nodes.get(name)
        if node is not None and _has_own_outputs(node):
            return self.output(node, int(output) if output.isdecimal() else 0)
        return key_of(self.name, name)

    def output(self, node: Any, place: int) -> str:
        """Return the key of one output of a call."""
        return f"{key_of(self.name, node.name)}:{place}"

    def inputs(self, node: Any) -> list[str]:
        """Return the keys of what a node reads."""
        return [self.value(each) for each in node.input if not each.startswith("^")]


def _has_own_outputs(node: Any) -> bool:
    return node.op == "IdentityN" or node.op in _BODIES


def _between(
    scope: _Scope, node: Any, values: Sequence[str], scopes: Mapping[str, _Scope]
) -> Iterator[tuple[str, str]]:
    """Yield pairs of values, the second of which has the elements of the first, of a call."""
    if node.op == "IdentityN":
        yield from ((value, scope.output(node, i)) for i, value in enumerate(values))
        return
    names, first = _BODIES[node.op]
    bodies = [
        scopes[function.name]
        for name in names
        for function in (node.attr[name].list.func or [node.attr[name].func])
        if function.name in scopes
    ]
    given = values[first:]
    for body in bodies:
        yield from zip(given, body.arguments, strict=False)
    if "body" not in names:
        for body in bodies:
            yield from ((value, scope.output(node, i)) for i, value in enumerate(body.results))
        return
    results = bodies[-1].results if bodies else []
    for value in (given, results):
        yield from ((each, scope.output(node, i)) for i, each in enumerate(value))
    for body in bodies:
        yield from zip(results, body.arguments, strict=False)


def _computed(scopes: Mapping[str, _Scope]) -> frozenset[str]:
    """Return the values that depend on an input of the network."""
    leads: dict[str, list[str]] = defaultdict(list)
    waiting: list[str] = []
    for scope in scopes.values():
        for node in scope.nodes.values():
            values = scope.inputs(node)
            if _has_own_outputs(node):
                for source, result in _between(scope, node, values, scopes):
                    leads[source].append(result)
                continue
            key = key_of(scope.name, node.name)
            for value in values:
                leads[value].append(key)
            if node.op.startswith("Placeholder") and scope.name == MAIN:
                waiting.append(key)
    found: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += leads[key]
    return frozenset(found)
