"""Walk all of an ONNX model, the graphs inside control flow included, without recursion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx


def graphs_of(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """Yield the graph of the model, and every graph in an attribute of a node."""
    yield from own_graphs(model)
    for function in model.functions:
        yield from graphs_in(function.node)


def own_graphs(model: onnx.ModelProto) -> list[onnx.GraphProto]:
    """Return the graph of the model and all graphs in it, without those of local functions."""
    roots = [model.graph]
    for training in model.training_info:
        roots += [training.initialization, training.algorithm]
    return [graph for root in roots for graph in (root, *graphs_in(root.node))]


def graphs_in(nodes: Iterable[onnx.NodeProto]) -> list[onnx.GraphProto]:
    """Return every graph in an attribute of these nodes, and in those."""
    found = list(_attached(nodes))
    for graph in found:  # it grows
        found.extend(_attached(graph.node))
    return found


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


def _attached(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    for node in nodes:
        for attribute in node.attribute:
            yield from attribute.graphs
            if attribute.HasField("g"):
                yield attribute.g
