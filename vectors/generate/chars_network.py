"""The character model: embedding, GRU, and a dense layer at each step.

The weights have PyTorch's names and layouts. ONNX has the gates in the order update, reset, new,
the two vectors of biases as one, and the dense matrix transposed; :func:`build_topology` does the
same inside the graph, for weights as PyTorch has them.
"""

from __future__ import annotations

from typing import Any

import onnx
import torch
from chars_data import ALPHABET, STEPS
from exporters import StateDict, Traceable, as_torch, assigned, loaded
from onnx import TensorProto, helper
from onnx_graph import build_model
from tensor_layouts import NameMap, Tensors, renamed
from torch import Tensor, nn

INPUT = "characters"
OUTPUT = "logits"
EMBEDDED = 16
HIDDEN = 64
OWN_GATES = "rzn"
ONNX_GATES = "zrn"
"""Reset, update (z) and new gate in the order of PyTorch and of ONNX, which says h to n."""
GATES: dict[str, Any] = {"permute_gates": {"axis": 0, "from": OWN_GATES, "to": ONNX_GATES}}
"""Keras has the gates in the order of ONNX."""
ROWS = 3 * HIDDEN
CELL = "gru/gru_cell"
TURNED: dict[str, Any] = {"transpose": [1, 0]}


def _biases(model: str, axis: int) -> dict[str, Any]:
    return {
        "sample": ["gru.bias_ih_l0", "gru.bias_hh_l0"],
        "model": model,
        **GATES,
        "reshape": [1, ROWS],
        "combine": {"how": "concatenate", "axis": axis},
    }


ONNX_NAMES: NameMap = [
    {"sample": "gru.weight_ih_l0", "model": "gru.W", **GATES, "reshape": [1, ROWS, EMBEDDED]},
    {"sample": "gru.weight_hh_l0", "model": "gru.R", **GATES, "reshape": [1, ROWS, HIDDEN]},
    _biases("gru.B", axis=1),
    {"sample": "dense.weight", "model": "dense.matrix", **TURNED},
]
KERAS_NAMES: NameMap = [
    renamed("embedding.weight", "embedding/embeddings"),
    {"sample": "gru.weight_ih_l0", "model": f"{CELL}/kernel", **GATES, **TURNED},
    {"sample": "gru.weight_hh_l0", "model": f"{CELL}/recurrent_kernel", **GATES, **TURNED},
    _biases(f"{CELL}/bias", axis=0),
    {"sample": "dense.weight", "model": f"{OUTPUT}/kernel", **TURNED},
    renamed("dense.bias", f"{OUTPUT}/bias"),
]


class CharacterModel(nn.Module):
    """The network in PyTorch; the names of its layers are the names of the parameters."""

    # TorchScript files hold the name of the module.
    __module__ = "train_chars_gru"

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(len(ALPHABET), EMBEDDED)
        self.gru = nn.GRU(EMBEDDED, HIDDEN, batch_first=True)
        self.dense = nn.Linear(HIDDEN, len(ALPHABET))

    def forward(self, characters: Tensor) -> dict[str, Tensor]:
        """Return logits of shape (N, T, characters) of what follows each of (N, T) characters."""
        states, _ = self.gru(self.embedding(characters))
        return {OUTPUT: self.dense(states)}


def build_traceable(weights: Tensors) -> Traceable:
    """Return the network of PyTorch."""
    example = torch.zeros(2, STEPS, dtype=torch.int64)
    return Traceable(loaded(CharacterModel(), weights), example)


def build_state_dict(weights: Tensors) -> StateDict:
    """Return weights and topology."""
    return StateDict(as_torch(weights), build_topology(weights))


def build_keras(parameters: Tensors) -> Any:
    """Return the network of Keras."""
    import keras

    layers = keras.layers
    characters = keras.Input((STEPS,), dtype="int64", name=INPUT)
    embedded = layers.Embedding(len(ALPHABET), EMBEDDED, name="embedding")(characters)
    states = layers.GRU(HIDDEN, return_sequences=True, reset_after=True, name="gru")(embedded)
    logits = layers.Dense(len(ALPHABET), name=OUTPUT)(states)
    return assigned(keras.Model(characters, logits, name="characters"), parameters)


def build_onnx(parameters: Tensors) -> onnx.ModelProto:
    """Return the ONNX model; its parameters are those that :data:`ONNX_NAMES` leads to."""
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
