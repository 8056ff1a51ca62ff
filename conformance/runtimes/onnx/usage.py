"""Which stored tensors the outputs of a model depend on; the others are not part of the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto

from conformance.runtimes.onnx.functions import FunctionKey, call_key, function_key, subgraphs


class Usage:
    """What the outputs of graphs and local functions depend on.

    Nodes are taken in any order. A node that has an effect on no output needs nothing; the
    subgraphs of one that has need what they read from around them, and a call of a local function
    what the function needs of its inputs. Nesting is bounded: protocol buffers are not parsed
    beyond 100 levels, and calls by :mod:`conformance.runtimes.onnx.functions`.
    """

    def __init__(self, model: ModelProto) -> None:
        self._functions = {function_key(function): function for function in model.functions}
        self._needs: dict[FunctionKey, frozenset[str]] = {}

    def of_graph(self, graph: GraphProto) -> frozenset[str]:
        """Return the names of all values that the outputs of ``graph`` depend on."""
        return self._needed(graph.node, (value.name for value in graph.output))

    def of_function(self, function: FunctionProto) -> frozenset[str]:
        """Return the names of all values that the outputs of ``function`` depend on."""
        key = function_key(function)
        if key not in self._needs:
            self._needs[key] = self._needed(function.node, function.output)
        return self._needs[key]

    def called(self, graph: GraphProto) -> frozenset[FunctionKey]:
        """Return the local functions that take part in computing the outputs of ``graph``."""
        found: set[FunctionKey] = set()
        waiting = list(self._calls(graph.node, self.of_graph(graph)))
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                function = self._functions[key]
                waiting += self._calls(function.node, self.of_function(function))
        return frozenset(found)

    def _calls(self, nodes: Iterable[NodeProto], needed: frozenset[str]) -> Iterator[FunctionKey]:
        for node in nodes:
            if needed.isdisjoint(node.output):
                continue
            if call_key(node) in self._functions:
                yield call_key(node)
            for _, graph in subgraphs(node):
                yield from self._calls(graph.node, self.of_graph(graph))

    def _needed(self, nodes: Iterable[NodeProto], outputs: Iterable[str]) -> frozenset[str]:
        producers = {name: node for node in nodes for name in node.output}
        needed: set[str] = set()
        done: set[int] = set()
        waiting = list(outputs)
        while waiting:
            name = waiting.pop()
            needed.add(name)
            node = producers.get(name)
            if node is None or id(node) in done:
                continue
            done.add(id(node))
            waiting += (read for read in self._reads(node) if read not in needed)
        return frozenset(needed)

    def _reads(self, node: NodeProto) -> Iterator[str]:
        """Yield the inputs of a node, and what its subgraphs read from around them."""
        function = self._functions.get(call_key(node))
        if function is None:
            yield from (name for name in node.input if name)
        else:
            needed = self.of_function(function)
            pairs = zip(node.input, function.input, strict=False)
            yield from (name for name, formal in pairs if name and formal in needed)
        for _, graph in subgraphs(node):
            yield from self.of_graph(graph) - own_names(graph)


def own_names(graph: GraphProto) -> frozenset[str]:
    """Return the names that a subgraph defines: they hide equal ones around it."""
    own = {value.name for value in (*graph.input, *graph.initializer)}
    own.update(sparse.values.name for sparse in graph.sparse_initializer)
    return frozenset(own.union(*(node.output for node in graph.node)))
