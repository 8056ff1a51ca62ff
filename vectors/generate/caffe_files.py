"""Networks in Caffe's format: a prototxt, and a caffemodel with the weights.

Both are written from scratch; the field numbers are those of ``caffe.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from exporters import CaffeNet
from numpy.typing import NDArray
from tensor_layouts import Tensors

NET_NAME, NET_LAYER = 1, 100
LAYER_NAME, LAYER_TYPE, LAYER_BOTTOM, LAYER_TOP, LAYER_BLOBS = 1, 2, 3, 4, 7
BLOB_DATA, BLOB_SHAPE = 5, 7
SHAPE_DIM = 1
LENGTH_DELIMITED = 2
CONTINUED = 0x80
"""The bit of a byte of a variable-length integer that says that another follows."""

Layer: TypeAlias = tuple[str, str, str, str, str]
"""Name, type, input, output and options of a layer."""


def caffe_net(name: str, head: str, layers: Sequence[Layer], tensors: Tensors) -> CaffeNet:
    """Return the network ``name``: ``layers``, after what is said in ``head``, with ``tensors``.

    A tensor is named ``LAYER/PART``; those of a layer are in its order.
    """
    fields = [_message(NET_LAYER, b"".join(_layer_fields(layer[:4], tensors))) for layer in layers]
    weights = _message(NET_NAME, name.encode()) + b"".join(fields)
    return CaffeNet(head + "".join(map(_layer_text, layers)), weights)


def _layer_text(layer: Layer) -> str:
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
