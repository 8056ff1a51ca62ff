"""Which stored tensors the outputs of a graph depend on; the others are no part of the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import GraphProto, NodeProto


def needed_names(graph: GraphProto) -> frozenset[str]:
    """Return the names of all values that the outputs of ``graph`` depend on.

    Nodes are taken in any order. A node that has an effect on no output needs nothing; the
    subgraphs of one that has need what they read from around them. Nesting is bounded: protocol
    buffers are not parsed beyond 100 levels.
    """
    producers = {name: index for index, node in enumerate(graph.node) for name in node.output}
    needed: set[str] = set()
    done: set[int] = set()
    waiting = [value.name for value in graph.output]
    while waiting:
        name = waiting.pop()
        needed.add(name)
        index = producers.get(name)
        if index is None or index in done:
            continue
        done.add(index)
        waiting += (read for read in _reads(graph.node[index]) if read not in needed)
    return frozenset(needed)


def _reads(node: NodeProto) -> Iterator[str]:
    """Yield the inputs of a node, and what its subgraphs read from around them."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in _graphs(attribute.g, attribute.graphs):
            yield from needed_names(graph) - _own_names(graph)


def _own_names(graph: GraphProto) -> set[str]:
    """Return the names that a subgraph defines: they hide equal ones around it."""
    own = {value.name for value in (*graph.input, *graph.initializer)}
    own.update(sparse.values.name for sparse in graph.sparse_initializer)
    return own.union(*(node.output for node in graph.node))


def _graphs(one: GraphProto, several: Iterable[GraphProto]) -> Iterator[GraphProto]:
    if one.ByteSize():
        yield one
    yield from several
