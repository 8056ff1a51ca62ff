"""The autoencoder of photographs as an ONNX model, built node by node from its weights.

Three convolutions of stride 2 turn a patch into 16 planes of an eighth of its height and width, a
quarter of its numbers; three transposed convolutions turn those into the patch again.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from bundle_onnx import build_model
from numpy.typing import NDArray
from onnx import TensorProto, helper
from patches_data import SIDE

INPUT = "image"
OUTPUT = "reconstruction"
CHANNELS = (16, 24, 16)
"""Planes behind the first, second and third convolution; the decoder has them the other way."""
ENCODER = {"enc1": (5, 2), "enc2": (3, 1), "enc3": (3, 1)}
"""Side of the kernel and padding of each convolution."""
DECODER = ("dec1", "dec2", "dec3")
KERNEL, PADDING = 4, 1


def build_autoencoder(weights: Mapping[str, NDArray[np.float32]]) -> onnx.ModelProto:
    """Return the network; its parameters are the entries of ``weights``."""
    nodes, source = [], INPUT
    for layer in (*ENCODER, *DECODER):
        last = layer == DECODER[-1]
        target = OUTPUT if last else f"{layer}.out"
        nodes.append(_layer(layer, source, target))
        source = target
        if layer not in ("enc3", DECODER[-1]):
            source = f"{layer}.relu"
            nodes.append(helper.make_node("Relu", [target], [source], source))
    ports = (
        helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", 1, SIDE, SIDE]),
        helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", 1, SIDE, SIDE]),
    )
    return build_model("patches-autoencoder", nodes, ports, weights)


def _layer(name: str, source: str, target: str) -> onnx.NodeProto:
    inputs = [source, f"{name}.weight", f"{name}.bias"]
    if name in ENCODER:
        side, padding = ENCODER[name]
        operator = "Conv"
    else:
        side, padding = KERNEL, PADDING
        operator = "ConvTranspose"
    return helper.make_node(
        operator,
        inputs,
        [target],
        name,
        kernel_shape=[side, side],
        pads=[padding] * 4,
        strides=[2, 2],
    )
