"""Walk all of an ONNX model, the graphs inside control flow included, without recursion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx


def graphs_of(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """Yield the graph of the model, and every graph in an attribute of a node."""
    waiting = [model.graph]
    for training in model.training_info:
        waiting += [training.initialization, training.algorithm]
    for function in model.functions:
        waiting.extend(_graphs_in(function.node))
    while waiting:
        graph = waiting.pop()
        yield graph
        waiting.extend(_graphs_in(graph.node))


def nodes_of(model: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Yield every node, in graphs and in functions."""
    for graph in graphs_of(model):
        yield from graph.node
    for function in model.functions:
        yield from function.node


def tensors_of(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor that is stored in the model."""
    for graph in graphs_of(model):
        yield from graph.initializer
        for pair in graph.sparse_initializer:
            yield from (pair.values, pair.indices)
    for node in nodes_of(model):
        for attribute in node.attribute:
            yield from attribute.tensors
            if attribute.HasField("t"):
                yield attribute.t
            for pair in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (pair.values, pair.indices)


def _graphs_in(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from attribute.graphs
            if attribute.HasField("g"):
                yield attribute.g
