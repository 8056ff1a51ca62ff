"""Find out from an ONNX graph which compression tools the model uses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import onnx

from conformance.codecs._onnx_walk import graphs_of, nodes_of, tensors_of

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
_OPERATORS = {
    "QuantizeLinear": "qdq",
    "DynamicQuantizeLinear": "dynamic",
    "MatMulNBits": "matmulnbits",
    "QLinearConv": "integer-operators",
    "QLinearMatMul": "integer-operators",
    "ConvInteger": "integer-operators",
    "MatMulInteger": "integer-operators",
}


def model_features(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the tools found, sorted.

    Element types narrower than 32 bits count wherever a tensor of them is stored, zero points of
    activations included. ``qdq`` is any QuantizeLinear; ``weight-only`` is DequantizeLinear on
    stored tensors without any QuantizeLinear; ``per-channel`` and ``blockwise`` say how the
    scales of DequantizeLinear run.
    """
    features = {"format:onnx"}
    features |= {
        _REDUCED[tensor.data_type] for tensor in tensors_of(model) if tensor.data_type in _REDUCED
    }
    operators = {node.op_type for node in nodes_of(model)}
    features |= {tool for operator, tool in _OPERATORS.items() if operator in operators}
    on_weights = {tool for graph in graphs_of(model) for tool in _weight_tools(graph)}
    if "QuantizeLinear" in operators:
        on_weights.discard("weight-only")
    if any(graph.sparse_initializer for graph in graphs_of(model)):
        features.add("sparse")
    return tuple(sorted(features | on_weights))


def _weight_tools(graph: onnx.GraphProto) -> Iterator[str]:
    """Yield what the DequantizeLinear nodes of one graph do to tensors stored in it."""
    stored = _stored_shapes(graph)
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or not {*node.input[:1]} <= stored.keys():
            continue
        yield "weight-only"
        if any(attribute.name == "block_size" and attribute.i for attribute in node.attribute):
            yield "blockwise"
        elif math.prod(stored.get(node.input[1], ())) > 1:
            yield "per-channel"


def _stored_shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the initializers and constants of one graph by name."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.output:
            for attribute in node.attribute:
                if attribute.HasField("t"):
                    shapes[node.output[0]] = tuple(attribute.t.dims)
    return shapes
