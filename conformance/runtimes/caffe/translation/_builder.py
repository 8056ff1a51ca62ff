"""The ONNX model of a graph, while it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from conformance.runtimes._protocol import Array
from conformance.runtimes.caffe.layers import Shape

OPSET = 17
_FLOAT = TensorProto.FLOAT


@dataclass(slots=True)
class GraphBuilder:
    """Nodes, constants and parameters of an ONNX graph.

    ``parameters`` are names of initializers, the parameter whose values they take, and their
    shape there.
    """

    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)
    parameters: dict[str, tuple[str, Shape]] = field(default_factory=dict)
    inputs: list[ValueInfoProto] = field(default_factory=list)
    outputs: list[ValueInfoProto] = field(default_factory=list)
    _values: int = 0

    def new(self) -> str:
        """Return a name that is not in use."""
        self._values += 1
        return f"v{self._values}"

    def input(self, shape: Shape) -> str:
        """Add an input, and return its name."""
        name = self.new()
        self.inputs.append(helper.make_tensor_value_info(name, _FLOAT, shape))
        return name

    def output(self, value: str, shape: Shape) -> str:
        """Add a separate output for ``value``, and return its name."""
        name = self.add("Identity", value)
        self.outputs.append(helper.make_tensor_value_info(name, _FLOAT, shape))
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output, and return the name of that."""
        return self.add_many(op, inputs, 1, **attributes)[0]

    def add_many(
        self, op: str, inputs: Sequence[str], outputs: int, **attributes: Any
    ) -> list[str]:
        """Add a node, and return the names of its outputs."""
        names = [self.new() for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names

    def number(self, value: float) -> str:
        """Return the name of a float32 scalar."""
        return self.constant(np.array(value, np.float32))

    def integers(self, values: Sequence[int]) -> str:
        """Return the name of a list of int64."""
        return self.constant(np.array(list(values), np.int64))

    def constant(self, array: Array) -> str:
        """Return the name of a constant."""
        name = self.new()
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def parameter(self, parameter: str, shape: Shape) -> str:
        """Return the name of a parameter in ``shape``."""
        name = self.new()
        self.parameters[name] = (parameter, shape)
        return name

    def reshaped(self, value: str, shape: Shape) -> str:
        """Return the name of ``value`` in a different shape."""
        return self.add("Reshape", value, self.integers(shape))

    def model(self) -> ModelProto:
        """Return the model; its parameters are external data, each at its own name."""
        graph = GraphProto(name="caffe")
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.constants)
        graph.input.extend(self.inputs)
        graph.output.extend(self.outputs)
        for name, (_, shape) in self.parameters.items():
            tensor = graph.initializer.add(name=name, data_type=_FLOAT, dims=shape)
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", name), ("offset", "0")):
                tensor.external_data.add(key=key, value=value)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
