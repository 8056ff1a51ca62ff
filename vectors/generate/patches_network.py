"""The autoencoder of photographs, as an ONNX model and in PyTorch.

Three convolutions of stride 2 turn a patch into 16 planes of an eighth of its height and width, a
quarter of its numbers; three transposed convolutions turn those into the patch again.
"""

from __future__ import annotations

import onnx
import torch
from exporters import StateDict, Traceable, as_torch, loaded
from onnx import TensorProto, helper
from onnx_graph import build_model
from patches_data import SIDE
from tensor_layouts import Tensors
from torch import Tensor, nn

INPUT = "image"
OUTPUT = "reconstruction"
CHANNELS = (16, 24, 16)
"""Planes after the first, second and third convolution; the decoder has them the other way."""
ENCODER = {"enc1": (5, 2), "enc2": (3, 1), "enc3": (3, 1)}
"""Side of the kernel and padding of each convolution."""
DECODER = ("dec1", "dec2", "dec3")
KERNEL, PADDING = 4, 1


class Autoencoder(nn.Module):
    """The network in PyTorch; the names of its layers are the names of the parameters."""

    def __init__(self) -> None:
        super().__init__()
        planes = (1, *CHANNELS)
        for number, (layer, (side, padding)) in enumerate(ENCODER.items()):
            shape = (planes[number], planes[number + 1], side)
            self.add_module(layer, nn.Conv2d(*shape, stride=2, padding=padding))
        planes = tuple(reversed(planes))
        for number, layer in enumerate(DECODER):
            shape = (planes[number], planes[number + 1], KERNEL)
            self.add_module(layer, nn.ConvTranspose2d(*shape, stride=2, padding=PADDING))

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Return the reconstruction of images, both of shape (N, 1, H, W)."""
        code = self.enc3(self.enc2(self.enc1(image).relu()).relu())
        return {OUTPUT: self.dec3(self.dec2(self.dec1(code).relu()).relu())}


def build_traceable(weights: Tensors) -> Traceable:
    """Return the network of PyTorch."""
    return Traceable(loaded(Autoencoder(), weights), torch.zeros(2, 1, SIDE, SIDE))


def build_state_dict(weights: Tensors) -> StateDict:
    """Return weights and topology."""
    return StateDict(as_torch(weights), build_onnx(weights))


def build_onnx(weights: Tensors) -> onnx.ModelProto:
    """Return the ONNX model; its parameters are the entries of ``weights``."""
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
