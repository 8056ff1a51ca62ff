"""Recurrent networks with one LSTM and a dense layer on its last state, as ONNX models.

The weights have PyTorch's names and layouts. :func:`onnx_parameters` gives ONNX's: gates in the
order input, output, forget, cell, and the two vectors of biases as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from bundle_onnx import build_model
from bundle_samples import Tensors
from numpy.typing import NDArray
from onnx import TensorProto, helper

INPUT = "sequence"
OWN_GATES = "ifgo"
ONNX_GATES = "iofg"
"""Input, forget, cell (g) and output gate as PyTorch and as ONNX (which says c to g) order them."""
MATRICES = ("lstm.weight_ih_l0", "lstm.weight_hh_l0")
BIASES = ("lstm.bias_ih_l0", "lstm.bias_hh_l0")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The extents of a network: an input of shape (N, steps, features) gives (N, outputs)."""

    output: str
    steps: int
    features: int
    hidden: int
    outputs: int


def reorder_gates(
    values: NDArray[np.float32], order: str, own: str = OWN_GATES
) -> NDArray[np.float32]:
    """Return ``values`` with the gates along the first axis, now as in ``own``, as in ``order``."""
    blocks = dict(zip(own, np.split(values, len(own)), strict=True))
    return np.concatenate([blocks[gate] for gate in order])


def onnx_parameters(weights: Tensors) -> Tensors:
    """Return the weights as the operator LSTM of ONNX has them."""
    biases = [reorder_gates(weights[name], ONNX_GATES) for name in BIASES]
    return {
        "lstm.W": reorder_gates(weights[MATRICES[0]], ONNX_GATES)[np.newaxis],
        "lstm.R": reorder_gates(weights[MATRICES[1]], ONNX_GATES)[np.newaxis],
        "lstm.B": np.concatenate(biases)[np.newaxis],
        "dense.weight": weights["dense.weight"],
        "dense.bias": weights["dense.bias"],
    }


def build_lstm(size: Recurrence, parameters: Tensors) -> onnx.ModelProto:
    """Return the network; its parameters are those of :func:`onnx_parameters`."""
    nodes = [
        helper.make_node("Transpose", [INPUT], ["steps"], "steps-first", perm=[1, 0, 2]),
        helper.make_node(
            "LSTM",
            ["steps", "lstm.W", "lstm.R", "lstm.B"],
            ["", "states"],
            "lstm",
            hidden_size=size.hidden,
        ),
        helper.make_node("Constant", [], ["directions"], "directions", value_ints=[0]),
        helper.make_node("Squeeze", ["states", "directions"], ["state"], "state"),
        helper.make_node(
            "Gemm", ["state", "dense.weight", "dense.bias"], [size.output], "dense", transB=1
        ),
    ]
    shapes = ["N", size.steps, size.features], ["N", size.outputs]
    ports = (
        helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, shapes[0]),
        helper.make_tensor_value_info(size.output, TensorProto.FLOAT, shapes[1]),
    )
    return build_model("lstm", nodes, ports, parameters)
