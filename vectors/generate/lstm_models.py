"""The recurrent networks in every format that the bundled submissions have them in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import bundle_onnx
import bundle_pytorch
import bundle_tensorflow
import lstm_nnef
import lstm_tensorflow
import torch
from bundle_parts import BundledModel, NameMap
from bundle_samples import Tensors
from lstm_network import (
    BIASES,
    MATRICES,
    ONNX_GATES,
    OWN_GATES,
    Recurrence,
    build_lstm,
    onnx_parameters,
)
from lstm_pytorch import LstmNetwork
from numpy.typing import NDArray

NNEF_BATCH = 60


def lstm_models(size: Recurrence, title: str) -> tuple[BundledModel, ...]:
    """Return the network in ONNX, TorchScript, SavedModel, Keras and NNEF."""
    return (
        BundledModel(
            format="onnx",
            title=f"{title}: ONNX model with the operator LSTM",
            write=partial(write_onnx, size),
            run=bundle_onnx.run_model,
            parameters=onnx_parameters,
            name_map=onnx_name_map(size),
        ),
        BundledModel(
            format="torchscript",
            title=f"{title}: traced TorchScript archive",
            write=partial(write_torchscript, size),
            run=bundle_pytorch.run_traced,
        ),
        BundledModel(
            format="savedmodel",
            title=f"{title}: SavedModel of TensorFlow with a loop",
            write=partial(lstm_tensorflow.write_savedmodel, size),
            run=bundle_tensorflow.run_savedmodel,
            parameters=partial(lstm_tensorflow.tensorflow_parameters, cell="lstm"),
            name_map=lstm_tensorflow.tensorflow_name_map("lstm"),
        ),
        BundledModel(
            format="keras",
            title=f"{title}: Keras file with the layer LSTM",
            write=partial(lstm_tensorflow.write_keras, size),
            run=bundle_tensorflow.run_keras,
            parameters=partial(lstm_tensorflow.tensorflow_parameters, dense=size.output),
            name_map=lstm_tensorflow.tensorflow_name_map(dense=size.output),
        ),
        BundledModel(
            format="nnef",
            title=f"{title}: NNEF graph, unrolled",
            write=partial(lstm_nnef.write_nnef, size, NNEF_BATCH),
            run=partial(lstm_nnef.run_nnef, NNEF_BATCH),
            parameters=lstm_nnef.nnef_parameters,
            name_map=lstm_nnef.nnef_name_map(size),
            batch=NNEF_BATCH,
        ),
    )


def onnx_name_map(size: Recurrence) -> NameMap:
    """Return how the tensors of a sample become the parameters of the ONNX model."""
    gates = {"permute_gates": {"axis": 0, "from": OWN_GATES, "to": ONNX_GATES}}
    rows = 4 * size.hidden
    return [
        {
            "sample": MATRICES[0],
            "model": "lstm.W",
            **gates,
            "reshape": [1, rows, size.features],
        },
        {"sample": MATRICES[1], "model": "lstm.R", **gates, "reshape": [1, rows, size.hidden]},
        {
            "sample": [*BIASES],
            "model": "lstm.B",
            **gates,
            "reshape": [1, rows],
            "combine": {"how": "concatenate", "axis": 1},
        },
    ]


def write_onnx(size: Recurrence, folder: Path, parameters: Tensors) -> list[Path]:
    """Write the network as ONNX model and return its path."""
    return bundle_onnx.write_model(folder, build_lstm(size, parameters))


def write_torchscript(size: Recurrence, folder: Path, parameters: Tensors) -> list[Path]:
    """Write the traced network and return its path."""
    network = bundle_pytorch.load_weights(LstmNetwork(size), parameters)
    example = torch.zeros(2, size.steps, size.features)
    return bundle_pytorch.write_traced(folder, network, example)


def reference(size: Recurrence, weights: Tensors, inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the output for ``inputs``, computed in float64."""
    return bundle_onnx.evaluate(build_lstm(size, onnx_parameters(weights)), inputs)
