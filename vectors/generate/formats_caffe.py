"""The digits network in Caffe's format: a prototxt, and a caffemodel with the weights.

Caffe keeps what other formats call batch normalisation in two layers: BatchNorm, which normalises
by mean and variance, both times a stored factor, and Scale, which multiplies and adds. Both files
are written from scratch; the field numbers are those of ``caffe.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from formats_weights import Tensors
from network import EPSILON, INPUT, OUTPUT, Weights
from numpy.typing import NDArray

NET_NAME, NET_LAYER = 1, 100
LAYER_NAME, LAYER_TYPE, LAYER_BOTTOM, LAYER_TOP, LAYER_BLOBS = 1, 2, 3, 4, 7
BLOB_DATA, BLOB_SHAPE = 5, 7
SHAPE_DIM = 1
LENGTH_DELIMITED = 2
CONTINUED = 0x80
"""The bit of a byte of a variable-length integer that says that another follows."""

INPUT_LAYER = f"""\
name: "digits"
layer {{
  name: "{INPUT}"
  type: "Input"
  top: "{INPUT}"
  input_param {{ shape {{ dim: 1 dim: 1 dim: 8 dim: 8 }} }}
}}
"""
CONVOLUTION = "convolution_param {{ num_output: {outputs} kernel_size: 3 pad: 1 }}"
BATCH_NORM = f"batch_norm_param {{ use_global_stats: true eps: {EPSILON:g} }}"
SCALE = "scale_param { bias_term: true }"
POOLING = "pooling_param { pool: MAX kernel_size: 2 stride: 2 }"
DENSE = "inner_product_param {{ num_output: {outputs} }}"
LAYERS = (
    ("conv1", "Convolution", INPUT, "conv1", CONVOLUTION.format(outputs=16)),
    ("bn1", "BatchNorm", "conv1", "bn1", BATCH_NORM),
    ("scale1", "Scale", "bn1", "scale1", SCALE),
    ("relu1", "ReLU", "scale1", "relu1", ""),
    ("pool1", "Pooling", "relu1", "pool1", POOLING),
    ("conv2", "Convolution", "pool1", "conv2", CONVOLUTION.format(outputs=32)),
    ("bn2", "BatchNorm", "conv2", "bn2", BATCH_NORM),
    ("scale2", "Scale", "bn2", "scale2", SCALE),
    ("relu2", "ReLU", "scale2", "relu2", ""),
    ("fc1", "InnerProduct", "relu2", "fc1", DENSE.format(outputs=64)),
    ("relu3", "ReLU", "fc1", "relu3", ""),
    ("fc2", "InnerProduct", "relu3", OUTPUT, DENSE.format(outputs=10)),
)
"""Name, type, input, output and options of each layer, in the order of computation."""


def caffe_tensors(weights: Weights) -> Tensors:
    """Return the weights as Caffe names them, with its factors, which are 1."""
    tensors = {}
    for layer in ("conv1", "conv2", "fc1", "fc2"):
        tensors |= {f"{layer}/{part}": weights[f"{layer}.{part}"] for part in ("weight", "bias")}
    for number in (1, 2):
        norm = f"bn{number}"
        tensors[f"{norm}/mean"] = weights[f"{norm}.running_mean"]
        tensors[f"{norm}/variance"] = weights[f"{norm}.running_var"]
        tensors[f"{norm}/scale_factor"] = np.ones(1, np.float32)
        tensors[f"scale{number}/weight"] = weights[f"{norm}.weight"]
        tensors[f"scale{number}/bias"] = weights[f"{norm}.bias"]
    return tensors


def write_caffe(folder: Path, weights: Weights) -> list[Path]:
    """Write ``digits.prototxt`` and ``digits.caffemodel`` and return their paths."""
    network, model = folder / "digits.prototxt", folder / "digits.caffemodel"
    network.write_text(INPUT_LAYER + "".join(map(_layer_text, LAYERS)), "utf-8")
    tensors = caffe_tensors(weights)
    layers = b"".join(
        _message(NET_LAYER, b"".join(_layer_fields(layer[:4], tensors))) for layer in LAYERS
    )
    model.write_bytes(_message(NET_NAME, b"digits") + layers)
    return [network, model]


def run_caffe(files: list[Path], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of ``images``, computed by OpenCV."""
    import cv2

    network = cv2.dnn.readNetFromCaffe(*map(str, files))
    network.setInput(images, INPUT)
    logits: NDArray[np.float32] = network.forward()
    return logits


def _layer_text(layer: tuple[str, str, str, str, str]) -> str:
    name, kind, bottom, top, options = layer
    lines = [f'name: "{name}"', f'type: "{kind}"', f'bottom: "{bottom}"', f'top: "{top}"']
    body = "".join(f"  {line}\n" for line in (*lines, options) if line)
    return f"layer {{\n{body}}}\n"


def _layer_fields(layer: tuple[str, ...], tensors: Tensors) -> Iterator[bytes]:
    fields = (LAYER_NAME, LAYER_TYPE, LAYER_BOTTOM, LAYER_TOP)
    for field, text in zip(fields, layer, strict=True):
        yield _message(field, text.encode())
    for name, values in tensors.items():
        if name.startswith(f"{layer[0]}/"):
            yield _message(LAYER_BLOBS, _blob(values))


def _blob(values: NDArray[np.float32]) -> bytes:
    shape = _message(SHAPE_DIM, b"".join(map(_variable_length, values.shape)))
    data = np.ascontiguousarray(values, "<f4").tobytes()
    return _message(BLOB_DATA, data) + _message(BLOB_SHAPE, shape)


def _message(field: int, content: bytes) -> bytes:
    """Return a field whose content has a length: a message, a text or packed numbers."""
    key = field << 3 | LENGTH_DELIMITED
    return _variable_length(key) + _variable_length(len(content)) + content


def _variable_length(value: int) -> bytes:
    """Return ``value`` as protocol buffers write it: seven bits a byte, the lowest first."""
    written = bytearray()
    while value >= CONTINUED:
        written.append(value % CONTINUED | CONTINUED)
        value //= CONTINUED
    return bytes([*written, value])
