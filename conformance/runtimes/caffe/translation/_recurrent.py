"""Recurrent layers in ONNX operators: a Scan over time whose body is one step, as Caffe has it.

The operators LSTM and RNN of ONNX would not do: they know no marks where a sequence goes on
(cont), by which Caffe weights the states that a step starts from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from onnx import GraphProto, TensorProto, helper

from conformance.runtimes.caffe.graph import Layer
from conformance.runtimes.caffe.layers import Shape
from conformance.runtimes.caffe.layers.recurrent import Recurrence, recurrence
from conformance.runtimes.caffe.translation._builder import GraphBuilder

_FLOAT = TensorProto.FLOAT


def recurrent(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    """Translate an LSTM or RNN; a state that is not handed in starts as zero in every run."""
    about = recurrence(layer.node)
    learned = {w.name: graph.parameter(f"{layer.name}/{w.name}", w.shape) for w in layer.weights}
    x, cont, *rest = names
    driven = _driven(graph, about, learned, x, rest)
    marks = graph.reshaped(cont, (about.steps, about.streams, 1))
    states = _states(graph, about, rest[about.static is not None :])
    body = _BODIES[layer.node.type](graph, about, learned)
    made = graph.add_many(
        "Scan",
        [*states, driven, marks],
        about.states + 1,
        body=body,
        num_scan_inputs=2,
    )
    *last, outputs = made
    ends = [graph.reshaped(state, shape) for state, shape in zip(last, tops[1:], strict=False)]
    return [outputs, *ends]


def _driven(
    graph: GraphBuilder, about: Recurrence, learned: dict[str, str], x: str, rest: Sequence[str]
) -> str:
    """Return what the inputs alone contribute to every step: (time, streams, gates of units)."""
    rows = about.gates * about.hidden
    flat = graph.reshaped(x, (about.steps * about.streams, about.width))
    made = graph.add("Gemm", flat, learned["weight_x"], learned["bias"], transB=1)
    driven = graph.reshaped(made, (about.steps, about.streams, rows))
    if about.static is None:
        return driven
    still = graph.reshaped(rest[0], (about.streams, about.static))
    product = graph.add("Gemm", still, learned["weight_static"], transB=1)
    return graph.add("Add", driven, graph.reshaped(product, (1, about.streams, rows)))


def _states(graph: GraphBuilder, about: Recurrence, given: Sequence[str]) -> list[str]:
    shape = (about.streams, about.hidden)
    if about.exposed:
        return [graph.reshaped(name, shape) for name in given]
    zero = graph.add("Expand", graph.number(0), graph.integers(shape))
    return [zero] * about.states


class _Step:
    """The body of a Scan; names of the surrounding graph may be used in it."""

    def __init__(self, graph: GraphBuilder, about: Recurrence, states: int) -> None:
        self._builder = graph
        self._inner = GraphBuilder()
        self.states = [self._input((about.streams, about.hidden)) for _ in range(states)]
        self.driven = self._input((about.streams, about.gates * about.hidden))
        self.mark = self._input((about.streams, 1))

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        return self.add_many(op, inputs, 1, **attributes)[0]

    def add_many(
        self, op: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        names = [self._builder.new() for _ in range(outputs)]
        self._inner.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names

    def body(self, *outputs: str) -> GraphProto:
        """Return the graph of the step; every output gets its own value."""
        ends = [self.add("Identity", name) for name in outputs]
        infos = [helper.make_tensor_value_info(name, _FLOAT, None) for name in ends]
        return helper.make_graph(self._inner.nodes, "step", self._inner.inputs, infos)

    def _input(self, shape: Shape) -> str:
        name = self._builder.new()
        self._inner.inputs.append(helper.make_tensor_value_info(name, _FLOAT, shape))
        return name


def _lstm_step(graph: GraphBuilder, about: Recurrence, learned: dict[str, str]) -> GraphProto:
    step = _Step(graph, about, 2)
    before, cell = step.states
    gates = step.add(
        "Gemm", step.add("Mul", before, step.mark), learned["weight_h"], step.driven, transB=1
    )
    entry, forget, leaving, new = step.add_many("Split", [gates], 4, axis=1)
    opened = {gate: step.add("Sigmoid", gate) for gate in (entry, forget, leaving)}
    kept = step.add("Mul", step.mark, step.add("Mul", opened[forget], cell))
    added = step.add("Mul", opened[entry], step.add("Tanh", new))
    cell = step.add("Add", kept, added)
    after = step.add("Mul", opened[leaving], step.add("Tanh", cell))
    return step.body(after, cell, after)


def _rnn_step(graph: GraphBuilder, about: Recurrence, learned: dict[str, str]) -> GraphProto:
    step = _Step(graph, about, 1)
    marked = step.add("Mul", step.states[0], step.mark)
    after = step.add("Tanh", step.add("Gemm", marked, learned["weight_h"], step.driven, transB=1))
    made = step.add("Gemm", after, learned["weight_o"], learned["bias_o"], transB=1)
    return step.body(after, step.add("Tanh", made))


_BODIES: dict[str, Callable[[GraphBuilder, Recurrence, dict[str, str]], GraphProto]] = {
    "LSTM": _lstm_step,
    "RNN": _rnn_step,
}
