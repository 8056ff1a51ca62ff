"""Integer products of unsigned activations and signed weights, made exact on every CPU.

Without dedicated instructions, an x86 CPU adds two such products in 16 bits, and what
does not fit is lost: outputs of one network would differ widely between two machines. Products of
unsigned numbers lose nothing. So int8 weights w with zero point z are given to ONNX Runtime as
uint8 weights w + 128 with zero point z + 128, which is the same network.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, shape_inference

from conformance.runtimes.onnx.buffers import Buffer, aligned
from conformance.runtimes.onnx.functions import STANDARD, all_nodes, subgraphs
from conformance.runtimes.onnx.messages import DecodeError

_HALF = np.uint8(128)
_PREFIX = "unsigned:"
"""No name of the model's own begins with it, or the network is left as it is."""


class _Places(NamedTuple):
    """Positions of activations, weights and the zero point of weights among a node's inputs."""

    activation: int
    weight: int
    zero: int


_OPERATORS = {
    "QLinearConv": _Places(0, 3, 5),
    "QLinearMatMul": _Places(0, 3, 5),
    "ConvInteger": _Places(0, 1, 3),
    "MatMulInteger": _Places(0, 1, 3),
}


def use_unsigned_weights(model: ModelProto, outside: dict[str, Buffer]) -> None:
    """Rewrite the integer operators of the main graph whose weights are stored int8 tensors.

    ``outside`` holds the data of the initializers that are external data, by location.
    """
    graph = model.graph
    stored = {t.name: t for t in graph.initializer if t.data_type == TensorProto.INT8}
    nodes = [node for node in graph.node if _weight_of(node) in stored]
    if not nodes or any(tensor.name.startswith(_PREFIX) for tensor in graph.initializer):
        return
    unsigned = _unsigned_values(model)
    for node in nodes:
        places = _OPERATORS[node.op_type]
        zero = node.input[places.zero] if len(node.input) > places.zero else ""
        if node.input[places.activation] not in unsigned or (zero and zero not in stored):
            continue
        weight = stored[node.input[places.weight]]
        node.input.extend([""] * (places.zero + 1 - len(node.input)))
        node.input[places.weight] = _shifted(weight, graph, outside)
        node.input[places.zero] = _shifted(stored[zero], graph, outside) if zero else _half(graph)
    _drop_unread(graph, set(stored), outside)


def _weight_of(node: NodeProto) -> str | None:
    """Return the name of the weights if the node multiplies integers."""
    if node.domain not in STANDARD or node.op_type not in _OPERATORS:
        return None
    place = _OPERATORS[node.op_type].weight
    return node.input[place] if len(node.input) > place else None


def _unsigned_values(model: ModelProto) -> set[str]:
    """Return the names of the uint8 values of the main graph."""
    try:
        graph = shape_inference.infer_shapes(model).graph
    except (shape_inference.InferenceError, DecodeError, ValueError):
        graph = model.graph
    found = {tensor.name for tensor in graph.initializer if tensor.data_type == TensorProto.UINT8}
    return found | {
        value.name
        for value in (*graph.input, *graph.value_info, *graph.output)
        if value.type.tensor_type.elem_type == TensorProto.UINT8
    }


def _shifted(tensor: TensorProto, graph: GraphProto, outside: dict[str, Buffer]) -> str:
    """Add the unsigned form of ``tensor`` to the graph, once, and return its name."""
    name = _PREFIX + tensor.name
    if any(other.name == name for other in graph.initializer):
        return name
    shifted = graph.initializer.add()
    shifted.CopyFrom(tensor)
    shifted.name, shifted.data_type = name, TensorProto.UINT8
    if tensor.data_location == TensorProto.EXTERNAL:
        entry = next(entry for entry in shifted.external_data if entry.key == "location")
        data = outside[entry.value]
        entry.value = f"{_PREFIX}{entry.value}"
        outside[entry.value] = aligned(data ^ _HALF)
    else:
        shifted.raw_data = (np.frombuffer(tensor.raw_data, np.uint8) ^ _HALF).tobytes()
    return name


def _half(graph: GraphProto) -> str:
    """Add the zero point 128 to the graph, once, and return its name."""
    if not any(tensor.name == _PREFIX for tensor in graph.initializer):
        graph.initializer.add(name=_PREFIX, data_type=TensorProto.UINT8, raw_data=_HALF.tobytes())
    return _PREFIX


def _drop_unread(graph: GraphProto, names: set[str], outside: dict[str, Buffer]) -> None:
    """Remove the signed tensors that nothing reads any more."""
    read = {value.name for value in graph.output}
    for node in all_nodes(graph.node):
        read.update(node.input)
        read.update(value.name for _, inner in subgraphs(node) for value in inner.output)
    kept = [t for t in graph.initializer if t.name not in names or t.name in read]
    locations = {e.value for t in kept for e in t.external_data if e.key == "location"}
    del graph.initializer[:]
    graph.initializer.extend(kept)
    for location in outside.keys() - locations:
        del outside[location]
