"""ONNX models of the bundled networks: assembled, computed in float64, and without weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

OPSET = 17
IR_VERSION = 8


def build_model(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    ports: tuple[onnx.ValueInfoProto, onnx.ValueInfoProto],
    weights: Mapping[str, NDArray[np.floating]],
) -> onnx.ModelProto:
    """Return the model of ``nodes``; ``ports`` are input and output, ``weights`` initializers."""
    graph = helper.make_graph(
        list(nodes),
        name,
        [ports[0]],
        [ports[1]],
        [numpy_helper.from_array(weights[key], key) for key in sorted(weights)],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    model.producer_name = "nnr-conformance vectors"
    onnx.checker.check_model(model, full_check=True)
    return model


def evaluate(
    model: onnx.ModelProto, inputs: NDArray[Any], names: Sequence[str] = ()
) -> dict[str, NDArray[np.float64]]:
    """Return the tensors ``names``, or the outputs, of ``model`` for ``inputs``, in float64.

    ONNX's own reference evaluator computes them, which is not the runtime that is going to be
    checked against them. An error of 1e-15 does not survive rounding to float32, so that every
    machine gets the same expected outputs.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    for tensor in wide.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    names = names or [port.name for port in wide.graph.output]
    del wide.graph.output[:]
    wide.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in names
    )
    port = wide.graph.input[0]
    if port.type.tensor_type.elem_type == TensorProto.FLOAT:
        port.type.tensor_type.elem_type = TensorProto.DOUBLE
    fed = inputs.astype(np.float64) if inputs.dtype.kind == "f" else inputs
    outputs = ReferenceEvaluator(wide, new_ops=[ConvTranspose]).run(list(names), {port.name: fed})
    return dict(zip(names, outputs, strict=True))


class ConvTranspose(OpRun):
    """The operator with all of its attributes as the bundled networks have them: no dilation.

    The reference evaluator's own goes through every output value in Python, which takes minutes.
    """

    def _run(
        self,
        values: NDArray[Any],
        weights: NDArray[Any],
        bias: NDArray[Any],
        pads: Sequence[int],
        strides: Sequence[int],
        **_: Any,
    ) -> tuple[NDArray[Any]]:
        """Return the output: ``values`` are N, C, H, W, and ``weights`` C, M, kernel, kernel."""
        (high, wide), (down, right) = weights.shape[2:], strides
        rows, columns = values.shape[2] * down, values.shape[3] * right
        size = rows - down + high, columns - right + wide
        output = np.zeros((len(values), weights.shape[1], *size))
        for top, left in np.ndindex(high, wide):
            part = np.einsum("nchw,cm->nmhw", values, weights[:, :, top, left])
            output[:, :, top : top + rows : down, left : left + columns : right] += part
        inner = output[:, :, pads[0] : size[0] - pads[2], pads[1] : size[1] - pads[3]]
        return (inner + bias[:, None, None],)


def without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return ``model`` with its weights as inputs of the graph, without values."""
    stripped = onnx.ModelProto()
    stripped.CopyFrom(model)
    stripped.graph.input.extend(
        helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in model.graph.initializer
    )
    del stripped.graph.initializer[:]
    onnx.checker.check_model(stripped, full_check=True)
    return stripped
