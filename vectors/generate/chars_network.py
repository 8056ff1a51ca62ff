"""The character model as an ONNX model: embedding, GRU, and a dense layer at each step.

The weights have PyTorch's names and layouts. :func:`onnx_parameters` gives ONNX's: gates in the
order update, reset, new, the two vectors of biases as one, and the dense matrix transposed.
:func:`build_topology` does the same inside the graph, for weights as PyTorch has them.
"""

from __future__ import annotations

import numpy as np
import onnx
from bundle_onnx import build_model
from bundle_samples import Tensors
from chars_data import ALPHABET, STEPS
from lstm_network import reorder_gates
from onnx import TensorProto, helper

INPUT = "characters"
OUTPUT = "logits"
EMBEDDED = 16
HIDDEN = 64
OWN_GATES = "rzn"
ONNX_GATES = "zrn"
"""Reset, update (z) and new gate in the order of PyTorch and of ONNX, which says h to n."""


def onnx_parameters(weights: Tensors) -> Tensors:
    """Return the weights as the operators of ONNX have them."""

    def ordered(name: str) -> np.ndarray:
        return reorder_gates(weights[f"gru.{name}_l0"], ONNX_GATES, OWN_GATES)

    return {
        "embedding.weight": weights["embedding.weight"],
        "gru.W": ordered("weight_ih")[np.newaxis],
        "gru.R": ordered("weight_hh")[np.newaxis],
        "gru.B": np.concatenate([ordered("bias_ih"), ordered("bias_hh")])[np.newaxis],
        "dense.matrix": np.ascontiguousarray(weights["dense.weight"].T),
        "dense.bias": weights["dense.bias"],
    }


def build_gru(parameters: Tensors) -> onnx.ModelProto:
    """Return the network; its parameters are those of :func:`onnx_parameters`."""
    return build_model("chars-gru", _layers(), _ports(), parameters)


def build_topology(weights: Tensors) -> onnx.ModelProto:
    """Return the network whose parameters are ``weights``, as PyTorch names and orders them."""
    first = helper.make_node("Constant", [], ["first"], "first", value_ints=[0])
    nodes = [
        first,
        *_ordered("weight_ih", "gru.W"),
        *_ordered("weight_hh", "gru.R"),
        *_ordered("bias_ih", "bias_ih"),
        *_ordered("bias_hh", "bias_hh"),
        helper.make_node("Concat", ["bias_ih", "bias_hh"], ["gru.B"], "biases", axis=1),
        helper.make_node("Transpose", ["dense.weight"], ["dense.matrix"], "turned", perm=[1, 0]),
        *_layers(),
    ]
    return build_model("chars-gru", nodes, _ports(), weights)


def _ordered(name: str, target: str) -> list[onnx.NodeProto]:
    """Return nodes that put the gates of a tensor of PyTorch in order, with one direction."""
    parts = {gate: f"{name}.{gate}" for gate in OWN_GATES}
    joined = f"{name}.gates"
    return [
        helper.make_node("Split", [f"gru.{name}_l0"], [*parts.values()], f"{name}.split", axis=0),
        helper.make_node("Concat", [parts[g] for g in ONNX_GATES], [joined], joined, axis=0),
        helper.make_node("Unsqueeze", [joined, "first"], [target], target),
    ]


def _layers() -> list[onnx.NodeProto]:
    return [
        helper.make_node("Gather", ["embedding.weight", INPUT], ["embedded"], "embedding"),
        helper.make_node("Transpose", ["embedded"], ["sequence"], "steps-first", perm=[1, 0, 2]),
        helper.make_node(
            "GRU",
            ["sequence", "gru.W", "gru.R", "gru.B"],
            ["states"],
            "gru",
            hidden_size=HIDDEN,
            linear_before_reset=1,
        ),
        helper.make_node("Constant", [], ["directions"], "directions", value_ints=[1]),
        helper.make_node("Squeeze", ["states", "directions"], ["steps"], "steps"),
        helper.make_node("Transpose", ["steps"], ["hidden"], "items-first", perm=[1, 0, 2]),
        helper.make_node("MatMul", ["hidden", "dense.matrix"], ["product"], "dense"),
        helper.make_node("Add", ["product", "dense.bias"], [OUTPUT], "bias"),
    ]


def _ports() -> tuple[onnx.ValueInfoProto, onnx.ValueInfoProto]:
    shape = ["N", STEPS, len(ALPHABET)]
    return (
        helper.make_tensor_value_info(INPUT, TensorProto.INT64, shape[:2]),
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, shape),
    )
