"""The recurrent networks as a SavedModel of TensorFlow and as a ``.keras`` file of Keras.

Keras adds PyTorch's two vectors of biases; it has the gates in the same order.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bundle_tensorflow
import keras
import numpy as np
import tensorflow as tf
from bundle_samples import Tensors
from lstm_network import BIASES, INPUT, MATRICES, Recurrence

CELL = "lstm/lstm_cell"


def tensorflow_parameters(weights: Tensors, cell: str = CELL, dense: str = "dense") -> Tensors:
    """Return the weights as TensorFlow has them; ``cell`` and ``dense`` begin their names."""
    return {
        f"{cell}/kernel": np.ascontiguousarray(weights[MATRICES[0]].T),
        f"{cell}/recurrent_kernel": np.ascontiguousarray(weights[MATRICES[1]].T),
        f"{cell}/bias": weights[BIASES[0]] + weights[BIASES[1]],
        f"{dense}/kernel": np.ascontiguousarray(weights["dense.weight"].T),
        f"{dense}/bias": weights["dense.bias"],
    }


def tensorflow_name_map(cell: str = CELL, dense: str = "dense") -> list[dict[str, Any]]:
    """Return how the tensors of a sample become :func:`tensorflow_parameters`."""
    turned = {"transpose": [1, 0]}
    return [
        {"sample": MATRICES[0], "model": f"{cell}/kernel", **turned},
        {"sample": MATRICES[1], "model": f"{cell}/recurrent_kernel", **turned},
        {"sample": [*BIASES], "model": f"{cell}/bias", "combine": {"how": "add"}},
        {"sample": "dense.weight", "model": f"{dense}/kernel", **turned},
        {"sample": "dense.bias", "model": f"{dense}/bias"},
    ]


class LstmModule(tf.Module):
    """The network with a loop over the steps; its variables have the names of its parameters."""

    def __init__(self, size: Recurrence, parameters: Tensors) -> None:
        super().__init__("recurrent")
        self._size = size
        for name, values in parameters.items():
            layer, part = name.split("/")
            if not hasattr(self, layer):
                setattr(self, layer, tf.Module(layer))
            setattr(getattr(self, layer), part, tf.Variable(values, name=name))

    def __call__(self, sequence: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the output, of shape (N, outputs), for (N, steps, features)."""
        steps = tf.transpose(sequence, [1, 0, 2])
        zeros = tf.zeros([tf.shape(sequence)[0], self._size.hidden])

        def proceed(
            at: tf.Tensor, state: tf.Tensor, cell: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            sums = tf.matmul(steps[at], self.lstm.kernel)
            sums = sums + tf.matmul(state, self.lstm.recurrent_kernel) + self.lstm.bias
            enter, forget, new, leave = tf.split(sums, 4, axis=1)
            cell = tf.sigmoid(forget) * cell + tf.sigmoid(enter) * tf.tanh(new)
            return at + 1, tf.sigmoid(leave) * tf.tanh(cell), cell

        _, state, _ = tf.while_loop(
            lambda at, *_: at < self._size.steps, proceed, (tf.constant(0), zeros, zeros)
        )
        product = tf.matmul(state, self.dense.kernel) + self.dense.bias
        return {self._size.output: tf.identity(product, name=self._size.output)}


def write_savedmodel(size: Recurrence, folder: Path, parameters: Tensors) -> list[Path]:
    """Write a SavedModel and return the paths of its files, ``saved_model.pb`` first."""
    network = LstmModule(size, parameters)
    spec = tf.TensorSpec((None, size.steps, size.features), tf.float32, name=INPUT)
    return bundle_tensorflow.write_savedmodel(folder, network, network.__call__, spec)


def write_keras(size: Recurrence, folder: Path, parameters: Tensors) -> list[Path]:
    """Write a Keras file and return its path."""
    sequence = keras.Input((size.steps, size.features), name=INPUT)
    state = keras.layers.LSTM(size.hidden, name="lstm")(sequence)
    output = keras.layers.Dense(size.outputs, name=size.output)(state)
    network = keras.Model(sequence, output, name="recurrent")
    return bundle_tensorflow.write_keras(folder, network, parameters)
