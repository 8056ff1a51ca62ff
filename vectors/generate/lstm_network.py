"""Recurrent networks with one LSTM and a dense layer on its last state, in five formats.

The weights have PyTorch's names and layouts. ONNX has the gates in the order input, output, forget,
cell, and the two vectors of biases as one. TensorFlow and Keras have the gates in the same order as
PyTorch and add the biases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import onnx
import torch
from bundle import Model
from exporters import NnefGraph, Traceable, add_variables, assigned, loaded
from onnx import TensorProto, helper
from onnx_graph import build_model
from tensor_layouts import NameMap, Tensors, renamed
from torch import Tensor, nn

INPUT = "sequence"
OWN_GATES = "ifgo"
ONNX_GATES = "iofg"
"""Input, forget, cell (g) and output gate as PyTorch and as ONNX (which says c to g) order them."""
MATRICES = ("lstm.weight_ih_l0", "lstm.weight_hh_l0")
BIASES = ("lstm.bias_ih_l0", "lstm.bias_hh_l0")
CELL = "lstm/lstm_cell"
NNEF_BATCH = 60


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The extents of a network: an input of shape (N, steps, features) gives (N, outputs)."""

    output: str
    steps: int
    features: int
    hidden: int
    outputs: int


def lstm_models(size: Recurrence) -> tuple[Model, ...]:
    """Return the network in ONNX, TorchScript, SavedModel, Keras and NNEF."""

    def of_size(build: Callable[[Recurrence, Tensors], Any]) -> Callable[[Tensors], Any]:
        return partial(build, size)

    return (
        Model("onnx", of_size(_build_onnx), _onnx_names(size), note=" with the operator LSTM"),
        Model("torchscript", of_size(_build_traceable)),
        Model(
            "savedmodel",
            of_size(_build_module),
            _tensorflow_names("lstm", "dense"),
            note=" with a loop",
        ),
        Model(
            "keras",
            of_size(_build_keras),
            _tensorflow_names(CELL, size.output),
            note=" with the layer LSTM",
        ),
        Model("nnef", of_size(_build_nnef), _nnef_names(size), note=", unrolled", batch=NNEF_BATCH),
    )


def _onnx_names(size: Recurrence) -> NameMap:
    gates = {"permute_gates": {"axis": 0, "from": OWN_GATES, "to": ONNX_GATES}}
    rows = 4 * size.hidden
    return [
        {"sample": MATRICES[0], "model": "lstm.W", **gates, "reshape": [1, rows, size.features]},
        {"sample": MATRICES[1], "model": "lstm.R", **gates, "reshape": [1, rows, size.hidden]},
        {
            "sample": [*BIASES],
            "model": "lstm.B",
            **gates,
            "reshape": [1, rows],
            "combine": {"how": "concatenate", "axis": 1},
        },
    ]


def _build_onnx(size: Recurrence, parameters: Tensors) -> onnx.ModelProto:
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


class LstmNetwork(nn.Module):
    """The network in PyTorch; the names of its layers are the names of the parameters."""

    # TorchScript files hold the name of the module.
    __module__ = "lstm_pytorch"

    def __init__(self, size: Recurrence) -> None:
        super().__init__()
        self._output = size.output
        self.lstm = nn.LSTM(size.features, size.hidden, batch_first=True)
        self.dense = nn.Linear(size.hidden, size.outputs)

    def forward(self, sequence: Tensor) -> dict[str, Tensor]:
        """Return the output, of shape (N, outputs), for (N, steps, features)."""
        _, (state, _) = self.lstm(sequence)
        return {self._output: self.dense(state[0])}


def _build_traceable(size: Recurrence, weights: Tensors) -> Traceable:
    example = torch.zeros(2, size.steps, size.features)
    return Traceable(loaded(LstmNetwork(size), weights), example)


def _tensorflow_names(cell: str, dense: str) -> NameMap:
    return [
        renamed(MATRICES[0], f"{cell}/kernel", transpose=(1, 0)),
        renamed(MATRICES[1], f"{cell}/recurrent_kernel", transpose=(1, 0)),
        {"sample": [*BIASES], "model": f"{cell}/bias", "combine": {"how": "add"}},
        renamed("dense.weight", f"{dense}/kernel", transpose=(1, 0)),
        renamed("dense.bias", f"{dense}/bias"),
    ]


def _build_module(size: Recurrence, parameters: Tensors) -> Any:
    """Return the network with a loop over the steps."""
    import tensorflow as tf

    class LstmModule(tf.Module):
        def __call__(self, sequence: tf.Tensor) -> dict[str, tf.Tensor]:
            steps = tf.transpose(sequence, [1, 0, 2])
            zeros = tf.zeros([tf.shape(sequence)[0], size.hidden])

            def proceed(
                at: tf.Tensor, state: tf.Tensor, cell: tf.Tensor
            ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
                sums = tf.matmul(steps[at], self.lstm.kernel)
                sums = sums + tf.matmul(state, self.lstm.recurrent_kernel) + self.lstm.bias
                enter, forget, new, leave = tf.split(sums, 4, axis=1)
                cell = tf.sigmoid(forget) * cell + tf.sigmoid(enter) * tf.tanh(new)
                return at + 1, tf.sigmoid(leave) * tf.tanh(cell), cell

            _, state, _ = tf.while_loop(
                lambda at, *_: at < size.steps, proceed, (tf.constant(0), zeros, zeros)
            )
            product = tf.matmul(state, self.dense.kernel) + self.dense.bias
            return {size.output: tf.identity(product, name=size.output)}

    network = LstmModule("recurrent")
    add_variables(network, parameters)
    spec = tf.TensorSpec((None, size.steps, size.features), tf.float32, name=INPUT)
    network.serve = tf.function(network.__call__, input_signature=[spec])
    return network


def _build_keras(size: Recurrence, parameters: Tensors) -> Any:
    import keras

    sequence = keras.Input((size.steps, size.features), name=INPUT)
    state = keras.layers.LSTM(size.hidden, name="lstm")(sequence)
    output = keras.layers.Dense(size.outputs, name=size.output)(state)
    return assigned(keras.Model(sequence, output, name="recurrent"), parameters)


def _nnef_names(size: Recurrence) -> NameMap:
    """Return the labels of the variables; vectors are of shape (1, values) in NNEF."""
    rows = 4 * size.hidden
    return [
        renamed(MATRICES[0], "lstm/filter"),
        renamed(MATRICES[1], "lstm/recurrent_filter"),
        renamed(BIASES[0], "lstm/bias", reshape=(1, rows)),
        renamed(BIASES[1], "lstm/recurrent_bias", reshape=(1, rows)),
        renamed("dense.weight", "dense/filter"),
        renamed("dense.bias", "dense/bias", reshape=(1, size.outputs)),
    ]


def _build_nnef(size: Recurrence, variables: Tensors) -> NnefGraph:
    """Return the network unrolled, with all operations of an LSTM for each step.

    NNEF has a fragment for a step but no loop; a step is written out in its basic operations.
    """
    zeros = f"constant<scalar>(shape = [{NNEF_BATCH}, {size.hidden}], value = [0.0])"
    operations = [f"state0 = {zeros};", f"cell0 = {zeros};"]
    operations += [line for step in range(size.steps) for line in _nnef_step(size, step)]
    operations.append(f"{size.output} = linear(state{size.steps}, dense_filter, dense_bias);")
    shape = [NNEF_BATCH, size.steps, size.features]
    return NnefGraph.of("recurrent", (INPUT, shape), size.output, variables, operations)


def _nnef_step(size: Recurrence, step: int) -> list[str]:
    """Return the statements that make ``state`` and ``cell`` of the next step."""
    parts = [
        f"{gate}{step} = slice(sums{step}, axes = [1], begin = [{number * size.hidden}], "
        f"end = [{(number + 1) * size.hidden}]);"
        for number, gate in enumerate(OWN_GATES)
    ]
    return [
        f"slice{step} = slice({INPUT}, axes = [1], begin = [{step}], end = [{step + 1}]);",
        f"item{step} = squeeze(slice{step}, axes = [1]);",
        f"entering{step} = linear(item{step}, lstm_filter, lstm_bias);",
        f"recurring{step} = linear(state{step}, lstm_recurrent_filter, lstm_recurrent_bias);",
        f"sums{step} = add(entering{step}, recurring{step});",
        *parts,
        f"enter{step} = sigmoid(i{step});",
        f"forget{step} = sigmoid(f{step});",
        f"new{step} = tanh(g{step});",
        f"leave{step} = sigmoid(o{step});",
        f"kept{step} = mul(forget{step}, cell{step});",
        f"added{step} = mul(enter{step}, new{step});",
        f"cell{step + 1} = add(kept{step}, added{step});",
        f"shown{step} = tanh(cell{step + 1});",
        f"state{step + 1} = mul(leave{step}, shown{step});",
    ]
