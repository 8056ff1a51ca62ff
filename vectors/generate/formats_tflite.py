"""The digits network as a TensorFlow Lite model, made by TensorFlow's converter.

The converter folds batch normalisation into the convolutions, so that it is given weights with the
folding done: in float64, and to the same values each time.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from formats_tensorflow import IMAGES
from formats_weights import FLATTENED, PLANE, Tensors, arrange, fold
from network import OUTPUT, Weights
from numpy.typing import NDArray

TENSOR_NAMES = {
    "conv1.weight": "conv1/weight",
    "conv1.bias": "conv1/Relu;conv1/bias;conv1/weight;conv1/bias/bias",
    "conv2.weight": "conv2/weight",
    "conv2.bias": "conv2/Relu;conv2/bias;conv2/weight;conv2/bias/bias",
    "fc1.weight": "fc1/weight",
    "fc1.bias": "Relu;fc1/bias",
    "fc2.weight": "fc2/weight",
    "fc2.bias": "fc2/bias",
}
"""What the converter calls the parameters: it joins the names of what it fuses."""
TFLITE_AXES = {1: (0,), 2: (0, 1), 4: (0, 2, 3, 1)}
GRAPH_AXES = {1: (0,), 2: (1, 0), 4: (1, 2, 3, 0)}
"""From the layout of a TensorFlow Lite file to that of a TensorFlow graph."""


def tflite_tensors(weights: Weights) -> Tensors:
    """Return the folded weights under their own names, in the layouts of TensorFlow Lite."""
    folded = fold(weights)
    kernel = arrange(folded[FLATTENED].reshape(PLANE), TFLITE_AXES[4], (PLANE[0], -1))
    return {
        name: kernel if name == FLATTENED else arrange(values, TFLITE_AXES[values.ndim])
        for name, values in folded.items()
    }


def write_tflite(folder: Path, weights: Weights) -> list[Path]:
    """Write ``digits.tflite`` and return its path."""
    path = folder / "digits.tflite"
    path.write_bytes(_converter(weights).convert())
    return [path]


def quantised_tflite(weights: Weights, images: NDArray[np.float32]) -> bytes:
    """Return the model computed in integers of 8 bits, its activations scaled by ``images``.

    Only its input and output are float32: it has the ports of the model that is not quantised.
    """
    converter = _converter(weights)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images[:, np.newaxis])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    model: bytes = converter.convert()
    return model


def run_tflite(files: list[Path], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of ``images``, computed by LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(files[0]), num_threads=1)
    signature = interpreter.get_signature_runner("serving_default")
    logits: NDArray[np.float32] = signature(image=images)[OUTPUT]
    return logits


def _converter(weights: Weights) -> tf.lite.TFLiteConverter:
    holder = tf.Module()
    holder.serve = _graph(tflite_tensors(weights))
    functions = [holder.serve.get_concrete_function()]
    return tf.lite.TFLiteConverter.from_concrete_functions(functions, holder)


def _graph(tensors: Tensors) -> tf.Function:
    graph = {name: arrange(values, GRAPH_AXES[values.ndim]) for name, values in tensors.items()}

    # The converter names a constant after the operation that uses it.
    def convolve(layer: str, values: tf.Tensor) -> tf.Tensor:
        kernel, bias = graph[f"{layer}.weight"], graph[f"{layer}.bias"]
        with tf.name_scope(layer):
            placed = tf.nn.conv2d(values, kernel, 1, "SAME", name="weight")
            return tf.nn.relu(tf.nn.bias_add(placed, bias, name="bias"))

    def multiply(layer: str, values: tf.Tensor) -> tf.Tensor:
        kernel, bias = graph[f"{layer}.weight"], graph[f"{layer}.bias"]
        with tf.name_scope(layer):
            return tf.nn.bias_add(tf.matmul(values, kernel, name="weight"), bias, name="bias")

    @tf.function(input_signature=[IMAGES])
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        pooled = tf.nn.max_pool2d(convolve("conv1", image), 2, 2, "VALID")
        features = tf.reshape(convolve("conv2", pooled), [-1, 512], name="flatten")
        hidden = tf.nn.relu(multiply("fc1", features))
        return {OUTPUT: tf.identity(multiply("fc2", hidden), name=OUTPUT)}

    return serve
