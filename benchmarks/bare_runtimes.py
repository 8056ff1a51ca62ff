"""The least that running a model can be: a framework's own loading and its runs, in one process.

    python benchmarks/bare_runtimes.py FORMAT SMALL LARGE INPUTS

SMALL and LARGE are folders with the model as ``stacks.py`` writes it. The small one is run first,
so that imports and first calls do not count; the seconds for the large one are printed. It is
loaded and run five times: as itself, and for each of the four controls, which differ in values
alone. INPUTS is an .npz file with ``small`` and ``large``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stacks import BATCH

Array = NDArray[np.float32]
Batches = Sequence[Array]

NETWORKS = 5
"""The original and its controls."""
RESOLVER = "LITERT_RESOLVER"
"""The variable that names LiteRT's set of kernels, if not its own choice is wanted."""


def _onnx(folder: Path, batches: Batches) -> list[Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    return [session.run(["y"], {"x": x})[0] for x in batches]


def _torchscript(folder: Path, batches: Batches) -> list[Array]:
    import torch

    torch.set_num_threads(1)
    model = torch.jit.load(folder / "model.pt")
    with torch.no_grad():
        return [model(torch.from_numpy(x))["y"].numpy() for x in batches]


def _exported(folder: Path, batches: Batches) -> list[Array]:
    import torch

    torch.set_num_threads(1)
    model = torch.export.load(folder / "model.pt2").module()
    with torch.no_grad():
        return [model(torch.from_numpy(x))["y"].numpy() for x in batches]


def _state_dict(folder: Path, batches: Batches) -> list[Array]:
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options)
    tensors = torch.load(folder / "model.pt", weights_only=True)
    weights = {name: tensor.numpy() for name, tensor in tensors.items()}
    return [session.run(["y"], {"x": x, **weights})[0] for x in batches]


def _savedmodel(folder: Path, batches: Batches) -> list[Array]:
    import tensorflow as tf

    _one_thread(tf)
    run = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return [run(tf.constant(x))["y"].numpy() for x in batches]


def _keras(folder: Path, batches: Batches) -> list[Array]:
    import keras
    import tensorflow as tf

    _one_thread(tf)
    model = keras.saving.load_model(folder / "model.keras")
    return [np.asarray(model(x, training=False)) for x in batches]


def _one_thread(tf: object) -> None:
    import contextlib

    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)  # type: ignore[attr-defined]
        tf.config.threading.set_inter_op_parallelism_threads(1)  # type: ignore[attr-defined]


def _tflite(folder: Path, batches: Batches) -> list[Array]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType[os.environ.get(RESOLVER, "AUTO")]
    path = str(folder / "model.tflite")
    model = Interpreter(path, num_threads=1, experimental_op_resolver_type=kernels)
    model.allocate_tensors()
    return [_invoked(model, x) for x in batches]


def _invoked(model: Any, x: Array) -> Array:
    model.set_tensor(model.get_input_details()[0]["index"], x)
    model.invoke()
    return model.get_tensor(model.get_output_details()[0]["index"])


def _caffe(folder: Path, batches: Batches) -> list[Array]:
    import cv2

    cv2.setNumThreads(1)
    names = (folder / "model.prototxt", folder / "model.caffemodel")
    model = cv2.dnn.readNetFromCaffe(*map(str, names))
    return [_forwarded(model, x) for x in batches]


def _forwarded(model: Any, x: Array) -> Array:
    model.setInput(x, "x")
    return model.forward()


def _nnef(folder: Path, batches: Batches) -> list[Array]:
    import torch
    from nnef_tools.interpreter.pytorch import Interpreter

    torch.set_num_threads(1)
    model = Interpreter(str(folder))
    return [np.asarray(model([x])["y"]) for x in batches]


RUNS: Mapping[str, Callable[[Path, Batches], list[Array]]] = {
    "caffe": _caffe,
    "keras": _keras,
    "nnef": _nnef,
    "onnx": _onnx,
    "savedmodel": _savedmodel,
    "tflite": _tflite,
    "torch-export": _exported,
    "torch-state-dict": _state_dict,
    "torchscript": _torchscript,
}
"""What loads and runs a model of each format."""


def main() -> None:
    """Print the seconds that the large model takes."""
    chosen, small, large, inputs = sys.argv[1:]
    run = RUNS[chosen]
    with np.load(inputs) as arrays:
        batches = {size: np.split(arrays[size], len(arrays[size]) // BATCH) for size in arrays}
        run(Path(small), batches["small"])
        started = time.perf_counter()
        for _ in range(NETWORKS):
            run(Path(large), batches["large"])
        print(time.perf_counter() - started)


if __name__ == "__main__":
    main()
