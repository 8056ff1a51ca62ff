"""Find out from an ONNX graph which compression tools the model uses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import onnx

from conformance.codecs._onnx_walk import graphs_in, graphs_of, own_graphs, tensors_of
from conformance.codecs.onnx_quantised import QUANTISED

_REDUCED: Mapping[int, str] = {
    onnx.TensorProto.FLOAT16: "float16",
    onnx.TensorProto.BFLOAT16: "bfloat16",
    onnx.TensorProto.FLOAT8E4M3FN: "float8_e4m3fn",
    onnx.TensorProto.FLOAT8E4M3FNUZ: "float8_e4m3fnuz",
    onnx.TensorProto.FLOAT8E5M2: "float8_e5m2",
    onnx.TensorProto.FLOAT8E5M2FNUZ: "float8_e5m2fnuz",
    onnx.TensorProto.FLOAT4E2M1: "float4_e2m1fn",
    onnx.TensorProto.INT8: "int8",
    onnx.TensorProto.UINT8: "uint8",
    onnx.TensorProto.INT4: "int4",
    onnx.TensorProto.UINT4: "uint4",
}
_PASSING = frozenset(
    {
        *("Identity", "Cast", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Expand"),
        *("QuantizeLinear", "DequantizeLinear"),
    }
)
"""Operators whose result holds the numbers of their first input."""
_MOST_STEPS = 16

FunctionKey: TypeAlias = tuple[str, str, str]


def model_features(model: onnx.ModelProto) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tools found, sorted, and those that may be declared as well.

    Element types narrower than 32 bits count wherever a tensor of them is stored, zero points of
    activations included. ``qdq`` is any QuantizeLinear; ``weight-only`` is DequantizeLinear on
    stored tensors without any QuantizeLinear; ``per-channel`` and ``blockwise`` say how the
    scales of stored tensors run.
    """
    features = {"format:onnx"}
    features |= {
        _REDUCED[tensor.data_type] for tensor in tensors_of(model) if tensor.data_type in _REDUCED
    }
    if any(graph.sparse_initializer for graph in graphs_of(model)):
        features.add("sparse")
    implied: set[str] = set()
    for scope in _scopes(model):
        for node in scope.quantised():
            features.update(QUANTISED[node.op_type].tools)
            implied.update(QUANTISED[node.op_type].implied)
            for tool, certain in _tools(scope, node):
                (features if certain else implied).add(tool)
    if "qdq" in features:
        features.discard("weight-only")
    return tuple(sorted(features)), tuple(sorted(implied - features))


def _tools(scope: _Scope, node: onnx.NodeProto) -> Iterator[tuple[str, bool]]:
    """Yield how the numbers that a node reads are quantised, and whether it must be declared."""
    rule = QUANTISED[node.op_type]
    for numbers, scale in rule.scales:
        stored = scope.stored_shape(node, numbers) is not None
        if node.op_type == "DequantizeLinear" and stored:
            yield "weight-only", True
        shape = scope.stored_shape(node, scale) or ()
        if math.prod(shape[1:] if rule.per_direction else shape) <= 1:
            continue
        if any(each.name == "block_size" and each.i for each in node.attribute):
            yield "blockwise", stored and not rule.by_blocks
            yield "per-channel", False
        else:
            yield "per-channel", stored and not rule.by_blocks
    if rule.scaled_after and scope.is_scaled_by_channel(node):
        yield "per-channel", True


class _Scope:
    """The values of a graph and the graphs in it, or of a local function."""

    def __init__(
        self,
        nodes: Sequence[onnx.NodeProto],
        graphs: Sequence[onnx.GraphProto],
        functions: Mapping[FunctionKey, onnx.FunctionProto],
    ) -> None:
        self._nodes, self._functions = nodes, functions
        self._producers = {name: node for node in nodes for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = {}
        for node in nodes:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self.stored = {t.name: tuple(t.dims) for graph in graphs for t in graph.initializer}
        for graph in graphs:
            self.stored |= {s.values.name: tuple(s.dims) for s in graph.sparse_initializer}
        self.stored |= {
            node.output[0]: _constant_shape(node)
            for node in nodes
            if node.op_type == "Constant" and node.output
        }

    def quantised(self) -> Iterator[onnx.NodeProto]:
        """Yield the nodes that read quantised numbers."""
        for node in self._nodes:
            if node.op_type in QUANTISED and _key(node) not in self._functions:
                yield node

    def calls(self) -> Iterator[tuple[FunctionKey, onnx.NodeProto]]:
        """Yield the calls of local functions."""
        for node in self._nodes:
            if _key(node) in self._functions:
                yield _key(node), node

    def stored_shape(self, node: onnx.NodeProto, place: int) -> tuple[int, ...] | None:
        """Return the shape of the stored tensor that an input is, None if a run computes it."""
        name = node.input[place] if place < len(node.input) else ""
        for _ in range(_MOST_STEPS):
            if not name or name in self.stored:
                break
            maker = self._producers.get(name)
            passed = maker is not None and maker.op_type in _PASSING and len(maker.input) > 0
            name = maker.input[0] if maker is not None and passed else ""
        return self.stored.get(name) if name else None

    def is_scaled_by_channel(self, node: onnx.NodeProto) -> bool:
        """Return whether the product of integers is multiplied by a stored scale of channels.

        It may be converted before; and the scale itself may be a product, of a stored one and that
        of activations.
        """
        name = node.output[0] if node.output else ""
        for _ in range(_MOST_STEPS):
            readers = self._readers.get(name, [])
            factors = [each for each in readers if each.op_type == "Mul"]
            if factors:
                return any(self._has_channels(factor, name) for factor in factors)
            passing = next((each for each in readers if each.op_type in _PASSING), None)
            if passing is None or not passing.output:
                return False
            name = passing.output[0]
        return False

    def _has_channels(self, factor: onnx.NodeProto, product: str) -> bool:
        for place, name in enumerate(factor.input):
            if name == product:
                continue
            maker = self._producers.get(name)
            shapes = [self.stored_shape(factor, place)]
            if maker is not None and maker.op_type == "Mul":
                shapes = [self.stored_shape(maker, each) for each in range(len(maker.input))]
            if any(shape is not None and math.prod(shape) > 1 for shape in shapes):
                return True
        return False


def _scopes(model: onnx.ModelProto) -> Iterator[_Scope]:
    """Yield the graph and every local function; of what is stored, it is given what calls give."""
    functions = {(each.domain, each.name, each.overload): each for each in model.functions}
    inside = {key: graphs_in(function.node) for key, function in functions.items()}
    graphs = own_graphs(model)
    scopes = {
        key: _Scope(
            [*function.node, *(n for g in inside[key] for n in g.node)], inside[key], functions
        )
        for key, function in functions.items()
    }
    main = _Scope([node for graph in graphs for node in graph.node], graphs, functions)
    waiting, called = [main], set()
    while waiting:
        scope = waiting.pop()
        for key, node in scope.calls():
            for place, formal in enumerate(functions[key].input[: len(node.input)]):
                shape = scope.stored_shape(node, place)
                if shape is not None:
                    scopes[key].stored.setdefault(formal, shape)
            if key not in called:
                called.add(key)
                waiting.append(scopes[key])
    yield from (main, *scopes.values())


def _key(node: onnx.NodeProto) -> FunctionKey:
    return node.domain, node.op_type, node.overload


def _constant_shape(node: onnx.NodeProto) -> tuple[int, ...]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            return tuple(attribute.t.dims)
        if attribute.HasField("sparse_tensor"):
            return tuple(attribute.sparse_tensor.dims)
        if count := len(attribute.floats) + len(attribute.ints) + len(attribute.strings):
            return (count,)
    return ()
