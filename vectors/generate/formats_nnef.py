"""The digits network in NNEF: a text, ``graph.nnef``, and a ``.dat`` file for each variable.

Both are written from scratch, as NNEF 1.0.5 lays them down. Vectors of a layer, such as a bias,
are of shape (1, channels) in NNEF.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from formats_weights import Tensors
from network import EPSILON, INPUT, OUTPUT, Weights
from numpy.typing import NDArray

MAGIC, VERSION = b"N\xef", (1, 0)
RANK_LIMIT, HEADER_BYTES = 8, 128
FLOAT_TYPE, FLOAT_BITS = 0, 32

PARTS = {
    "filter": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "variance": "running_var",
    "offset": "bias",
    "scale": "weight",
}
"""What NNEF calls the parameters of a layer, and what PyTorch does."""
LEARNED = {
    "conv1": ("filter", "bias"),
    "bn1": ("mean", "variance", "offset", "scale"),
    "conv2": ("filter", "bias"),
    "bn2": ("mean", "variance", "offset", "scale"),
    "fc1": ("filter", "bias"),
    "fc2": ("filter", "bias"),
}

CONV = (
    "{0} = conv({1}, {0}_filter, {0}_bias, border = 'constant', padding = [(1, 1), (1, 1)], "
    "stride = [1, 1], dilation = [1, 1], groups = 1);"
)
BATCH_NORM = (
    "{0} = batch_normalization({1}, {0}_mean, {0}_variance, {0}_offset, {0}_scale, "
    f"epsilon = {EPSILON:.8f});"
)
MAX_POOL = (
    "{0} = max_pool({1}, size = [1, 1, 2, 2], border = 'ignore', "
    "padding = [(0, 0), (0, 0), (0, 0), (0, 0)], stride = [1, 1, 2, 2], dilation = [1, 1, 1, 1]);"
)
OPERATIONS = (
    CONV.format("conv1", INPUT),
    BATCH_NORM.format("bn1", "conv1"),
    "relu1 = relu(bn1);",
    MAX_POOL.format("pool1", "relu1"),
    CONV.format("conv2", "pool1"),
    BATCH_NORM.format("bn2", "conv2"),
    "relu2 = relu(bn2);",
    "flatten = reshape(relu2, shape = [0, -1]);",
    "fc1 = linear(flatten, fc1_filter, fc1_bias);",
    "relu3 = relu(fc1);",
    f"{OUTPUT} = linear(relu3, fc2_filter, fc2_bias);",
)


def nnef_tensors(weights: Weights) -> Tensors:
    """Return the weights under the labels of the variables, in NNEF's shapes."""
    return {
        f"{layer}/{part}": _at_least_two_axes(weights[f"{layer}.{PARTS[part]}"])
        for layer, parts in LEARNED.items()
        for part in parts
    }


def write_nnef(folder: Path, weights: Weights) -> list[Path]:
    """Write ``graph.nnef`` and the ``.dat`` files and return their paths, the graph first."""
    graph = folder / "graph.nnef"
    tensors = nnef_tensors(weights)
    graph.write_text(_graph_text(tensors), "utf-8")
    files = [graph]
    for label, values in tensors.items():
        path = folder / f"{label}.dat"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(_header(values) + np.ascontiguousarray(values, "<f4").tobytes())
        files.append(path)
    return files


def run_nnef(files: list[Path], images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits of ``images``, computed by NNEF's own interpreter, image by image."""
    from nnef_tools.interpreter.pytorch import Interpreter

    network = Interpreter(str(files[0].parent))
    runs = [network([image])[OUTPUT] for image in np.split(images, len(images))]
    return np.concatenate([np.asarray(logits) for logits in runs])


def _graph_text(tensors: Tensors) -> str:
    variables = [
        f"{label.replace('/', '_')} = variable<scalar>(shape = {list(values.shape)}, "
        f"label = '{label}');"
        for label, values in tensors.items()
    ]
    external = f"{INPUT} = external<scalar>(shape = [1, 1, 8, 8]);"
    body = "".join(f"    {line}\n" for line in (external, *variables, *OPERATIONS))
    return f"version 1.0;\n\ngraph digits({INPUT}) -> ({OUTPUT})\n{{\n{body}}}\n"


def _at_least_two_axes(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[np.newaxis] if values.ndim == 1 else values


def _header(values: NDArray[np.float32]) -> bytes:
    """Return the 128 bytes before the values: sizes, shape and element type."""
    extents = [*values.shape, *[0] * (RANK_LIMIT - values.ndim)]
    start = struct.pack(
        f"<2s2B2I{RANK_LIMIT}I2I", MAGIC, *VERSION, values.nbytes, values.ndim, *extents,
        FLOAT_BITS, FLOAT_TYPE,
    )  # fmt: skip
    return start.ljust(HEADER_BYTES, b"\0")
