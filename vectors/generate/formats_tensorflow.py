"""The digits network as a SavedModel of TensorFlow and as a ``.keras`` file of Keras.

Both take images with channels last.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from formats_weights import FLATTENED, PLANE, Tensors, arrange
from network import EPSILON, INPUT, OUTPUT, Weights
from numpy.typing import NDArray
from tensorflow_files import save_keras, save_savedmodel

PARTS = {
    "kernel": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
"""What TensorFlow calls the parameters of a layer, and what PyTorch does."""
CONV, NORM, DENSE = ("kernel", "bias"), tuple(PARTS)[2:], ("kernel", "bias")
LEARNED = {"conv1": CONV, "bn1": NORM, "conv2": CONV, "bn2": NORM, "fc1": DENSE, "fc2": DENSE}
IMAGES = tf.TensorSpec((None, 8, 8, 1), tf.float32, name=INPUT)


def tensorflow_tensors(weights: Weights) -> Tensors:
    """Return the weights as TensorFlow names them, in its layouts."""
    return {
        f"{layer}/{part}": _in_layout(f"{layer}.{PARTS[part]}", weights)
        for layer, parts in LEARNED.items()
        for part in parts
    }


def _in_layout(name: str, weights: Weights) -> NDArray[np.float32]:
    values = weights[name]
    if name == FLATTENED:
        return arrange(values.reshape(PLANE), (2, 3, 1, 0), (-1, PLANE[0]))
    axes = {1: (0,), 2: (1, 0), 4: (2, 3, 1, 0)}[values.ndim]
    return arrange(values, axes)


class DigitsCnn(tf.Module):
    """The network; its variables are attributes of modules, one for each layer."""

    def __init__(self, weights: Weights) -> None:
        super().__init__("digits")
        for name, values in tensorflow_tensors(weights).items():
            layer, part = name.split("/")
            if not hasattr(self, layer):
                setattr(self, layer, tf.Module(layer))
            setattr(getattr(self, layer), part, tf.Variable(values, name=name))

    @tf.function(input_signature=[IMAGES])
    def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the logits, of shape (N, 10), of images of shape (N, 8, 8, 1)."""
        shallow = _normalise(self.bn1, _convolve(self.conv1, image))
        pooled = tf.nn.max_pool2d(tf.nn.relu(shallow), 2, 2, "VALID", name="pool1")
        deep = _normalise(self.bn2, _convolve(self.conv2, pooled))
        features = tf.reshape(tf.nn.relu(deep), [-1, 512], name="flatten")
        hidden = tf.nn.relu(_multiply(self.fc1, features))
        return {OUTPUT: tf.identity(_multiply(self.fc2, hidden), name=OUTPUT)}


def _convolve(layer: Any, values: tf.Tensor) -> tf.Tensor:
    with tf.name_scope(layer.name):
        return tf.nn.bias_add(tf.nn.conv2d(values, layer.kernel, 1, "SAME"), layer.bias)


def _normalise(layer: Any, values: tf.Tensor) -> tf.Tensor:
    vectors = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
    with tf.name_scope(layer.name):
        normalised, _, _ = tf.compat.v1.nn.fused_batch_norm(
            values, *vectors, EPSILON, is_training=False
        )
        return normalised


def _multiply(layer: Any, values: tf.Tensor) -> tf.Tensor:
    with tf.name_scope(layer.name):
        return tf.nn.bias_add(tf.matmul(values, layer.kernel), layer.bias)


def write_savedmodel(folder: Path, weights: Weights) -> list[Path]:
    """Write a SavedModel and return the paths of its files, ``saved_model.pb`` first."""
    network = DigitsCnn(weights)
    return save_savedmodel(folder, network, network.serve)


def run_savedmodel(files: list[Path], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of ``images``, computed by TensorFlow."""
    loaded = tf.saved_model.load(str(files[0].parent))
    signature = loaded.signatures["serving_default"]
    logits: NDArray[np.float32] = signature(tf.constant(images))[OUTPUT].numpy()
    return logits


def write_keras(folder: Path, weights: Weights) -> list[Path]:
    """Write ``digits.keras`` and return its path."""
    network = _keras_network()
    for name, values in tensorflow_tensors(weights).items():
        layer, part = name.split("/")
        getattr(network.get_layer(layer), part).assign(values)
    return save_keras(folder / "digits.keras", network)


def run_keras(files: list[Path], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of ``images``, computed by Keras."""
    network = keras.saving.load_model(files[0], safe_mode=True)
    logits: NDArray[np.float32] = np.asarray(network(images, training=False))
    return logits


def _keras_network() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 1), name=INPUT),
            layers.Conv2D(16, 3, padding="same", name="conv1"),
            layers.BatchNormalization(epsilon=EPSILON, name="bn1"),
            layers.ReLU(name="relu1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(32, 3, padding="same", name="conv2"),
            layers.BatchNormalization(epsilon=EPSILON, name="bn2"),
            layers.ReLU(name="relu2"),
            layers.Flatten(name="flatten"),
            layers.Dense(64, name="fc1"),
            layers.ReLU(name="relu3"),
            layers.Dense(10, name="fc2"),
            layers.Activation("linear", name=OUTPUT),
        ],
        name="digits",
    )
