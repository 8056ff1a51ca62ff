"""The network of ``digits-cnn`` in every model format, and the name maps that lead to it.

The committed weights have PyTorch's names and layouts: kernels with outputs first, and ``fc1``
takes the features channel by channel. TensorFlow keeps channels last, so that its ``fc1`` takes
the same features in a different order. A sample holds one of three sets of tensors: ``plain``, with
``fc1.weight`` in four dimensions, so that every format can be reached by a change of axes;
``factors``, with what Caffe stores in addition to mean and variance; and ``folded``, without batch
normalisation, for TensorFlow Lite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from bundle import Model, TensorSet
from caffe_files import caffe_net
from exporters import CaffeNet, NnefGraph, StateDict, Traceable, add_variables, assigned, loaded
from network import EPSILON, INPUT, OUTPUT, build_folded_model, build_model
from numpy.typing import NDArray
from onnx import numpy_helper
from tensor_layouts import CHANNELS_LAST, NameMap, Tensors, renamed
from torch import Tensor, nn

FLATTENED = "fc1.weight"
PLANE = (64, 32, 4, 4)
"""Shape of fc1.weight before flattening: outputs, channels, height and width."""
IMAGE = (8, 8, 1)
CHANNELS = {"conv1": 16, "bn1": 16, "conv2": 32, "bn2": 32, "fc1": 64, "fc2": 10}


def _spread(weights: Tensors) -> Tensors:
    return {**weights, FLATTENED: weights[FLATTENED].reshape(PLANE)}


def _with_factors(weights: Tensors) -> Tensors:
    return _spread(weights) | {f"bn{number}.factor": np.ones(1, np.float32) for number in (1, 2)}


def _folded(weights: Tensors) -> Tensors:
    graph = build_folded_model(weights).graph
    return _spread({tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer})


TENSOR_SETS = {
    "plain": TensorSet(_spread),
    "factors": TensorSet(
        _with_factors, " The factors that Caffe keeps beside mean and variance are there too."
    ),
    "folded": TensorSet(_folded, " Batch normalisation is folded into the convolutions."),
}


class DigitsCnn(nn.Module):
    """The network in PyTorch; the names of its layers are the names of the parameters."""

    # TorchScript files hold the name of the module.
    __module__ = "formats_pytorch"

    def __init__(self, channels: tuple[int, int] = (16, 32), units: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels[0], 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.conv2 = nn.Conv2d(*channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels[1])
        self.fc1 = nn.Linear(16 * channels[1], units)
        self.fc2 = nn.Linear(units, 10)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the logits, of shape (N, 10), of images of shape (N, 1, 8, 8)."""
        pooled = nn.functional.max_pool2d(self.bn1(self.conv1(image)).relu(), 2)
        features = self.bn2(self.conv2(pooled)).relu().flatten(1)
        return {OUTPUT: self.fc2(self.fc1(features).relu())}


def _build_traceable(weights: Tensors, items: int) -> Traceable:
    return Traceable(loaded(DigitsCnn(), weights), torch.zeros(items, 1, 8, 8))


def _build_state_dict(weights: Tensors) -> StateDict:
    # PyTorch itself supplies the counters of batches, which have no part in inference.
    return StateDict(loaded(DigitsCnn(), weights).state_dict(), build_model(weights), "digits.onnx")


FLAT: NameMap = [renamed(FLATTENED, FLATTENED, reshape=(64, 512))]


def _names(
    parts: Mapping[str, Mapping[str, str]], layouts: Mapping[str, Mapping[str, Sequence[int]]]
) -> NameMap:
    """Return a name map for layers and, by what the format calls their parts, PyTorch's names."""
    return [
        renamed(f"{layer}.{own}", f"{layer}/{part}", **layouts.get(f"{layer}.{own}", {}))
        for layer, named in parts.items()
        for part, own in named.items()
    ]


TF_LINEAR = {"kernel": "weight", "bias": "bias"}
TF_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
TENSORFLOW = _names(
    {layer: TF_NORM if layer.startswith("bn") else TF_LINEAR for layer in CHANNELS},
    {
        "conv1.weight": {"transpose": (2, 3, 1, 0)},
        "conv2.weight": {"transpose": (2, 3, 1, 0)},
        "fc1.weight": {"transpose": (2, 3, 1, 0), "reshape": (512, 64)},
        "fc2.weight": {"transpose": (1, 0)},
    },
)


def _build_module(parameters: Tensors) -> Any:
    """Return the network of TensorFlow; its variables are attributes of one module a layer."""
    import tensorflow as tf

    def convolve(layer: Any, values: tf.Tensor) -> tf.Tensor:
        with tf.name_scope(layer.name):
            return tf.nn.bias_add(tf.nn.conv2d(values, layer.kernel, 1, "SAME"), layer.bias)

    def normalise(layer: Any, values: tf.Tensor) -> tf.Tensor:
        vectors = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
        with tf.name_scope(layer.name):
            normalised, _, _ = tf.compat.v1.nn.fused_batch_norm(
                values, *vectors, EPSILON, is_training=False
            )
            return normalised

    def multiply(layer: Any, values: tf.Tensor) -> tf.Tensor:
        with tf.name_scope(layer.name):
            return tf.nn.bias_add(tf.matmul(values, layer.kernel), layer.bias)

    class Network(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, *IMAGE), tf.float32, name=INPUT)])
        def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
            shallow = normalise(self.bn1, convolve(self.conv1, image))
            pooled = tf.nn.max_pool2d(tf.nn.relu(shallow), 2, 2, "VALID", name="pool1")
            deep = normalise(self.bn2, convolve(self.conv2, pooled))
            features = tf.reshape(tf.nn.relu(deep), [-1, 512], name="flatten")
            hidden = tf.nn.relu(multiply(self.fc1, features))
            return {OUTPUT: tf.identity(multiply(self.fc2, hidden), name=OUTPUT)}

    network = Network("digits")
    add_variables(network, parameters)
    return network


def _build_keras(parameters: Tensors) -> Any:
    import keras

    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input(IMAGE, name=INPUT),
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
    return assigned(network, parameters)


TFLITE_NAMES = {
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
TFLITE_LAYOUTS: Mapping[str, Mapping[str, Sequence[int]]] = {
    "conv1.weight": {"transpose": CHANNELS_LAST},
    "conv2.weight": {"transpose": CHANNELS_LAST},
    "fc1.weight": {"transpose": CHANNELS_LAST, "reshape": (64, 512)},
}
TFLITE = [renamed(own, name, **TFLITE_LAYOUTS.get(own, {})) for own, name in TFLITE_NAMES.items()]
GRAPH_AXES = {1: (0,), 2: (1, 0), 4: (1, 2, 3, 0)}
"""From the layout of a TensorFlow Lite file to that of a TensorFlow graph."""


def build_converter(parameters: Tensors) -> Any:
    """Return TensorFlow's converter of the network whose batch normalisation is folded."""
    import tensorflow as tf

    def constant(layer: str, part: str) -> NDArray[np.float32]:
        values = parameters[TFLITE_NAMES[f"{layer}.{part}"]]
        return np.ascontiguousarray(values.transpose(GRAPH_AXES[values.ndim]))

    # The converter names a constant after the operation that uses it.
    def convolve(layer: str, values: tf.Tensor) -> tf.Tensor:
        kernel, bias = constant(layer, "weight"), constant(layer, "bias")
        with tf.name_scope(layer):
            placed = tf.nn.conv2d(values, kernel, 1, "SAME", name="weight")
            return tf.nn.relu(tf.nn.bias_add(placed, bias, name="bias"))

    def multiply(layer: str, values: tf.Tensor) -> tf.Tensor:
        kernel, bias = constant(layer, "weight"), constant(layer, "bias")
        with tf.name_scope(layer):
            return tf.nn.bias_add(tf.matmul(values, kernel, name="weight"), bias, name="bias")

    @tf.function(input_signature=[tf.TensorSpec((None, *IMAGE), tf.float32, name=INPUT)])
    def serve(image: tf.Tensor) -> dict[str, tf.Tensor]:
        pooled = tf.nn.max_pool2d(convolve("conv1", image), 2, 2, "VALID")
        features = tf.reshape(convolve("conv2", pooled), [-1, 512], name="flatten")
        hidden = tf.nn.relu(multiply("fc1", features))
        return {OUTPUT: tf.identity(multiply("fc2", hidden), name=OUTPUT)}

    holder = tf.Module()
    holder.serve = serve
    functions = [serve.get_concrete_function()]
    return tf.lite.TFLiteConverter.from_concrete_functions(functions, holder)


CAFFE_INPUT = f"""\
name: "digits"
layer {{
  name: "{INPUT}"
  type: "Input"
  top: "{INPUT}"
  input_param {{ shape {{ dim: 1 dim: 1 dim: 8 dim: 8 }} }}
}}
"""
CAFFE_CONV = "convolution_param {{ num_output: {} kernel_size: 3 pad: 1 }}"
CAFFE_NORM = f"batch_norm_param {{ use_global_stats: true eps: {EPSILON:g} }}"
CAFFE_SCALE = "scale_param { bias_term: true }"
CAFFE_POOL = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
CAFFE_DENSE = "inner_product_param {{ num_output: {} }}"
CAFFE_LAYERS = (
    ("conv1", "Convolution", INPUT, "conv1", CAFFE_CONV.format(16)),
    ("bn1", "BatchNorm", "conv1", "bn1", CAFFE_NORM),
    ("scale1", "Scale", "bn1", "scale1", CAFFE_SCALE),
    ("relu1", "ReLU", "scale1", "relu1", ""),
    ("pool1", "Pooling", "relu1", "pool1", CAFFE_POOL),
    ("conv2", "Convolution", "pool1", "conv2", CAFFE_CONV.format(32)),
    ("bn2", "BatchNorm", "conv2", "bn2", CAFFE_NORM),
    ("scale2", "Scale", "bn2", "scale2", CAFFE_SCALE),
    ("relu2", "ReLU", "scale2", "relu2", ""),
    ("fc1", "InnerProduct", "relu2", "fc1", CAFFE_DENSE.format(64)),
    ("relu3", "ReLU", "fc1", "relu3", ""),
    ("fc2", "InnerProduct", "relu3", OUTPUT, CAFFE_DENSE.format(10)),
)


def _caffe_names() -> NameMap:
    linear = {"weight": "weight", "bias": "bias"}
    entries = [*_names(dict.fromkeys(("conv1", "conv2", "fc2"), linear), {})]
    entries += _names({"fc1": linear}, {FLATTENED: {"reshape": (64, 512)}})
    for number in (1, 2):
        entries += [
            renamed(f"bn{number}.running_mean", f"bn{number}/mean"),
            renamed(f"bn{number}.running_var", f"bn{number}/variance"),
            renamed(f"bn{number}.factor", f"bn{number}/scale_factor"),
            renamed(f"bn{number}.weight", f"scale{number}/weight"),
            renamed(f"bn{number}.bias", f"scale{number}/bias"),
        ]
    return entries


def _build_caffe(parameters: Tensors) -> CaffeNet:
    return caffe_net("digits", CAFFE_INPUT, CAFFE_LAYERS, parameters)


NNEF_LINEAR = {"filter": "weight", "bias": "bias"}
NNEF_NORM = {
    "mean": "running_mean",
    "variance": "running_var",
    "offset": "bias",
    "scale": "weight",
}
NNEF_PARTS = {layer: NNEF_NORM if layer.startswith("bn") else NNEF_LINEAR for layer in CHANNELS}
NNEF = _names(
    NNEF_PARTS,
    {
        f"{layer}.{own}": {"reshape": (1, CHANNELS[layer])}
        for layer, parts in NNEF_PARTS.items()
        for part, own in parts.items()
        if part != "filter"
    }
    | {FLATTENED: {"reshape": (64, 512)}},
)
NNEF_CONV = (
    "{0} = conv({1}, {0}_filter, {0}_bias, border = 'constant', padding = [(1, 1), (1, 1)], "
    "stride = [1, 1], dilation = [1, 1], groups = 1);"
)
NNEF_BATCH_NORM = (
    "{0} = batch_normalization({1}, {0}_mean, {0}_variance, {0}_offset, {0}_scale, "
    f"epsilon = {EPSILON:.8f});"
)
NNEF_MAX_POOL = (
    "{0} = max_pool({1}, size = [1, 1, 2, 2], border = 'ignore', "
    "padding = [(0, 0), (0, 0), (0, 0), (0, 0)], stride = [1, 1, 2, 2], dilation = [1, 1, 1, 1]);"
)
NNEF_OPERATIONS = (
    NNEF_CONV.format("conv1", INPUT),
    NNEF_BATCH_NORM.format("bn1", "conv1"),
    "relu1 = relu(bn1);",
    NNEF_MAX_POOL.format("pool1", "relu1"),
    NNEF_CONV.format("conv2", "pool1"),
    NNEF_BATCH_NORM.format("bn2", "conv2"),
    "relu2 = relu(bn2);",
    "flatten = reshape(relu2, shape = [0, -1]);",
    "fc1 = linear(flatten, fc1_filter, fc1_bias);",
    "relu3 = relu(fc1);",
    f"{OUTPUT} = linear(relu3, fc2_filter, fc2_bias);",
)


def _build_nnef(variables: Tensors) -> NnefGraph:
    return NnefGraph.of("digits", (INPUT, [1, 1, 8, 8]), OUTPUT, variables, NNEF_OPERATIONS)


DIGITS_MODELS = (
    Model("onnx", build_model, FLAT, tensors="plain"),
    Model("torchscript", partial(_build_traceable, items=1), FLAT, tensors="plain"),
    Model("torch-export", partial(_build_traceable, items=2), FLAT, tensors="plain"),
    Model("torch-state-dict", _build_state_dict, FLAT, " as topology", "plain"),
    Model("savedmodel", _build_module, TENSORFLOW, tensors="plain", channels_last=True),
    Model("keras", _build_keras, TENSORFLOW, tensors="plain", channels_last=True),
    Model(
        "tflite",
        build_converter,
        TFLITE,
        ", batch normalisation folded",
        "folded",
        channels_last=True,
    ),
    Model("caffe", _build_caffe, _caffe_names(), tensors="factors", batch=1),
    Model("nnef", _build_nnef, NNEF, " with a file for each variable", "plain", batch=1),
)
"""All formats; the first is the one that the others are said to be equivalent to."""
