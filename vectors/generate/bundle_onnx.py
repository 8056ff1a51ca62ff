"""ONNX models of the bundled networks: put together, run, and computed in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

OPSET = 17
IR_VERSION = 8
MODEL_FILE = "model.onnx"


def build_model(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    ports: tuple[onnx.ValueInfoProto, onnx.ValueInfoProto],
    weights: Mapping[str, NDArray[np.float32]],
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


def write_model(folder: Path, model: onnx.ModelProto) -> list[Path]:
    """Write ``model.onnx`` to ``folder`` and return its path."""
    path = folder / MODEL_FILE
    path.write_bytes(model.SerializeToString())
    return [path]


def run_model(files: list[Path], inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the output for ``inputs``, computed by ONNX Runtime."""
    session = onnxruntime.InferenceSession(files[0], providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    fed = inputs.astype(np.float32) if port.type == "tensor(float)" else inputs
    output: NDArray[Any] = session.run(None, {port.name: fed})[0]
    return output


def evaluate(model: onnx.ModelProto, inputs: NDArray[Any]) -> NDArray[np.float64]:
    """Return the output of ``model`` for ``inputs``, computed in float64.

    ONNX's own reference evaluator does it, which is not the runtime that is going to be checked
    against it. An error of 1e-15 does not survive rounding to float32, so that every machine gets
    the same expected outputs.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    for tensor in wide.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for port in (*wide.graph.input, *wide.graph.output):
        if port.type.tensor_type.elem_type == TensorProto.FLOAT:
            port.type.tensor_type.elem_type = TensorProto.DOUBLE
    name = wide.graph.input[0].name
    fed = inputs.astype(np.float64) if inputs.dtype.kind == "f" else inputs
    (output,) = ReferenceEvaluator(wide).run(None, {name: fed})
    return np.asarray(output, np.float64)


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
