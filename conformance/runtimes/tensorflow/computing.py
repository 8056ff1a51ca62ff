"""A pruned graph in a TensorFlow session, with values for its variables.

TensorFlow gets the graph and arrays, and never the name of a file. Each session has variables of
its own, so that nothing of one set of values is left for the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from conformance.runtimes._protocol import Array, PortInfo
from conformance.runtimes.batching import Run
from conformance.runtimes.faults import Fault
from conformance.runtimes.tensorflow.constants import replaced
from conformance.runtimes.tensorflow.engine import session_config, tensorflow_for
from conformance.runtimes.tensorflow.faults import FAILED_RUN, damaged, explained
from conformance.runtimes.tensorflow.graphs import node_of
from conformance.verdicts import Location, MalformedError

_GROUP_BYTES = 64 << 20
"""Bytes of values that are assigned to variables at once."""

_REFUSED = Fault(
    kind=MalformedError,
    message="TensorFlow does not accept the graph",
    expected="a graph that TensorFlow can load",
    fix="Correct the graph, or export the model again.",
)


@dataclass(frozen=True, slots=True)
class Signature:
    """A computation: its ports, and the tensors of the graph (``node:0``), by port."""

    name: str
    inputs: tuple[PortInfo, ...]
    outputs: tuple[PortInfo, ...]
    fed: Mapping[str, str]
    fetched: Mapping[str, str]


@final
class LoadedGraph:
    """A graph that TensorFlow has accepted; ``handles`` are the nodes that are variables."""

    def __init__(self, graph_def: Any, signature: Signature, file: str, format: str) -> None:
        self._tf = tensorflow_for(format)
        self._definition, self._format = graph_def, format
        self._file = file
        self._signature = signature
        self._graph = self._tf.Graph()
        self._names = {node.name for node in graph_def.node}
        self._assigned: dict[str, tuple[Any, Any]] = {}
        with explained(_REFUSED, self._place), self._graph.as_default(), self._tf.device("/CPU:0"):
            self._tf.import_graph_def(graph_def, name="")
            self._fed = self._tensors(signature.fed, signature.inputs)
            self._fetched = self._tensors(signature.fetched, signature.outputs)
            for node in graph_def.node:
                if node.op == "VarHandleOp":
                    self._assigned[node.name] = self._assignment(node)
            self._graph.finalize()

    def with_constants(self, arrays: Mapping[str, Array]) -> LoadedGraph:
        """Return the graph with other values in its constants, by key; itself if there are none.

        They are put in before TensorFlow sees the graph: nothing is computed from the old ones.
        """
        if not arrays:
            return self
        graph = replaced(self._definition, arrays)
        return LoadedGraph(graph, self._signature, self._file, self._format)

    def compute_with(self, values: Mapping[str, Array]) -> Run:
        """Return a function from inputs to outputs, of the graph with ``values`` by handle."""
        with explained(_REFUSED, self._place):
            session = self._tf.compat.v1.Session(graph=self._graph, config=session_config(self._tf))
            for group in _groups(values):
                feed = {self._assigned[handle][0]: array for handle, array in group.items()}
                session.run([self._assigned[handle][1] for handle in group], feed)

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            with explained(FAILED_RUN, self._place):
                feed = {tensor: inputs[name] for name, tensor in self._fed.items()}
                outputs = session.run(self._fetched, feed)
            return {name: _plain(array) for name, array in outputs.items()}

        return run

    def _assignment(self, node: Any) -> tuple[Any, Any]:
        """Return the tensor that takes a variable's value, and the operation that stores it."""
        value = self._tf.compat.v1.placeholder(node.attr["dtype"].type)
        handle = self._graph.get_tensor_by_name(f"{node.name}:0")
        return value, self._tf.raw_ops.AssignVariableOp(resource=handle, value=value)

    def _tensors(self, names: Mapping[str, str], ports: tuple[PortInfo, ...]) -> dict[str, Any]:
        """Return the tensors of ports; MalformedError if one has a different type than declared.

        An input that no output depends on is not in the graph, and left out.
        """
        found = {}
        for port in ports:
            if node_of(names[port.name]) not in self._names:
                continue
            tensor = self._graph.get_tensor_by_name(names[port.name])
            if tensor.dtype.name != port.dtype:
                raise damaged(
                    self._file,
                    f"{port.name!r} has a different type than the signature says",
                    element=port.name,
                    expected=port.dtype,
                    found=tensor.dtype.name,
                )
            found[port.name] = tensor
        return found

    def _place(self, node: str | None) -> Location:
        return Location(self._file, element=node or "graph")


def _groups(values: Mapping[str, Array]) -> Iterator[dict[str, Array]]:
    """Yield all values, some at a time: the session copies them, and memory is for one group."""
    group: dict[str, Array] = {}
    room = _GROUP_BYTES
    for handle, array in values.items():
        group[handle] = array
        room -= array.nbytes
        if room <= 0:
            yield group
            group, room = {}, _GROUP_BYTES
    if group:
        yield group


def _plain(array: Array) -> Array:
    """Return an output as an array; strings as Python objects."""
    array = np.asarray(array)
    if array.dtype != object:
        return array
    texts = [each.decode("utf-8", "replace") for each in array.ravel().tolist()]
    return np.array(texts, object).reshape(array.shape)
