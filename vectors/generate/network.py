"""The network of the bundled submission as an ONNX model, built node by node from its weights.

    conv1 - bn1 - relu - pool - conv2 - bn2 - relu - flatten - fc1 - relu - fc2 -> logits

:func:`build_model` keeps batch normalisation as separate nodes; :func:`build_folded_model` is
the same network with each batch normalisation folded into the convolution before it, the usual
first step of a quantiser, and :func:`build_half_model` computes in float16.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnx_graph
from numpy.typing import NDArray
from onnx import TensorProto, helper

Weights = Mapping[str, NDArray[np.float32]]

INPUT = "image"
OUTPUT = "logits"
EPSILON = 1e-5
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


def build_model(weights: Weights, name: str = "digits-cnn") -> onnx.ModelProto:
    """Return the original network; its parameters are the entries of ``weights``."""
    return _model(name, _layers(INPUT, OUTPUT), weights)


def build_half_model(weights: Weights) -> onnx.ModelProto:
    """Return the network that computes in float16, with float32 input and output."""
    nodes = [
        helper.make_node("Cast", [INPUT], ["image.half"], "cast1", to=TensorProto.FLOAT16),
        *_layers("image.half", "logits.half"),
        helper.make_node("Cast", ["logits.half"], [OUTPUT], "cast2", to=TensorProto.FLOAT),
    ]
    halves = {name: value.astype(np.float16) for name, value in weights.items()}
    return _model("digits-cnn-half", nodes, halves)


def build_folded_model(weights: Weights) -> onnx.ModelProto:
    """Return the network with its batch normalisations folded into its convolutions."""
    nodes = [
        _conv("conv1", INPUT),
        *_middle("conv1.out"),
        _conv("conv2", "pool1.out"),
        *_head("conv2.out", OUTPUT),
    ]
    folded = {name: value for name, value in weights.items() if not name.startswith("bn")}
    for conv, norm in (("conv1", "bn1"), ("conv2", "bn2")):
        folded.update(_fold(weights, conv, norm))
    return _model("digits-cnn-folded", nodes, folded)


def _fold(weights: Weights, conv: str, norm: str) -> dict[str, NDArray[np.float32]]:
    """Fold in float64, so that every machine rounds to the same float32."""
    wide = {name: value.astype(np.float64) for name, value in weights.items()}
    gain, shift, mean, variance = (wide[f"{norm}.{part}"] for part in BATCH_NORM)
    scale = gain / np.sqrt(variance + EPSILON)
    weight = wide[f"{conv}.weight"] * scale[:, None, None, None]
    bias = (wide[f"{conv}.bias"] - mean) * scale + shift
    return {
        f"{conv}.weight": weight.astype(np.float32),
        f"{conv}.bias": bias.astype(np.float32),
    }


def _layers(source: str, target: str) -> list[onnx.NodeProto]:
    return [
        _conv("conv1", source),
        _batch_norm("bn1", "conv1.out"),
        *_middle("bn1.out"),
        _conv("conv2", "pool1.out"),
        _batch_norm("bn2", "conv2.out"),
        *_head("bn2.out", target),
    ]


def _conv(name: str, source: str) -> onnx.NodeProto:
    inputs = [source, f"{name}.weight", f"{name}.bias"]
    return helper.make_node(
        "Conv", inputs, [f"{name}.out"], name, kernel_shape=[3, 3], pads=[1, 1, 1, 1]
    )


def _batch_norm(name: str, source: str) -> onnx.NodeProto:
    inputs = [source, *(f"{name}.{part}" for part in BATCH_NORM)]
    return helper.make_node("BatchNormalization", inputs, [f"{name}.out"], name, epsilon=EPSILON)


def _middle(source: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Relu", [source], ["relu1.out"], "relu1"),
        helper.make_node(
            "MaxPool", ["relu1.out"], ["pool1.out"], "pool1", kernel_shape=[2, 2], strides=[2, 2]
        ),
    ]


def _head(source: str, target: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("Relu", [source], ["relu2.out"], "relu2"),
        helper.make_node("Flatten", ["relu2.out"], ["flatten.out"], "flatten"),
        _dense("fc1", "flatten.out", "fc1.out"),
        helper.make_node("Relu", ["fc1.out"], ["relu3.out"], "relu3"),
        _dense("fc2", "relu3.out", target),
    ]


def _dense(name: str, source: str, target: str) -> onnx.NodeProto:
    inputs = [source, f"{name}.weight", f"{name}.bias"]
    return helper.make_node("Gemm", inputs, [target], name, transB=1)


def _model(
    name: str, nodes: list[onnx.NodeProto], weights: Mapping[str, NDArray[np.floating]]
) -> onnx.ModelProto:
    ports = (
        helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 1, 8, 8]),
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", 10]),
    )
    return onnx_graph.build_model(name, nodes, ports, weights)
