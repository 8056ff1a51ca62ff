"""The weights of the digits network in the layouts of other frameworks.

The committed weights have PyTorch's names and layouts: kernels with outputs first, and ``fc1``
takes the features channel by channel. TensorFlow keeps channels last, so that its ``fc1`` takes
the same features in another order.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from network import Weights, build_folded_model
from numpy.typing import NDArray
from onnx import numpy_helper

Tensors: TypeAlias = dict[str, NDArray[np.float32]]

FLATTENED = "fc1.weight"
PLANE = (64, 32, 4, 4)
"""Shape of fc1.weight before flattening: outputs, channels, height and width."""


def spread(weights: Weights) -> Tensors:
    """Return the weights with ``fc1.weight`` as a tensor of four dimensions, :data:`PLANE`.

    From this one, the layouts of all formats can be reached by transposition and reshaping.
    """
    return {**weights, FLATTENED: weights[FLATTENED].reshape(PLANE)}


def fold(weights: Weights) -> Tensors:
    """Return the weights with batch normalisations folded into the convolutions before them."""
    graph = build_folded_model(weights).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def arrange(
    values: NDArray[np.float32], axes: tuple[int, ...], shape: tuple[int, ...] | None = None
) -> NDArray[np.float32]:
    """Return ``values`` with other axes and, if given, another shape, row by row in memory."""
    moved = np.ascontiguousarray(values.transpose(axes))
    return moved if shape is None else moved.reshape(shape)
