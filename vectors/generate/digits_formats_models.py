"""The formats of the submission ``digits-formats``, and the names and layouts of their parameters.

A name map leads from the tensors of a sample to the parameters of a model. Three sets of tensors
are enough for nine formats: those of PyTorch; the same with the factors that Caffe stores beside
mean and variance; and those with batch normalisation folded, for TensorFlow Lite. In all of them
``fc1.weight`` has four dimensions, so that every format can be reached by a change of axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import formats_caffe
import formats_nnef
import formats_onnx
import formats_pytorch
import formats_tensorflow
import formats_tflite
import numpy as np
from formats_weights import FLATTENED, Tensors, fold, spread
from network import Weights
from numpy.typing import NDArray

Images: TypeAlias = NDArray[np.float32]
TensorSet: TypeAlias = Literal["plain", "factors", "folded"]
NameMap: TypeAlias = list[dict[str, Any]]

CHANNELS_LAST = (0, 2, 3, 1)
"""Order of the axes of an image for TensorFlow, TensorFlow Lite and Keras."""


@dataclass(frozen=True, slots=True)
class ModelFormat:
    """One format: ``write`` makes its files, and ``run`` runs them in its own framework.

    ``batch`` is the first dimension of its input and output, ``tensors`` names the set that its
    samples hold, and ``name_map`` leads from there to its parameters.
    """

    format: str
    title: str
    write: Callable[[Path, Weights], list[Path]]
    run: Callable[[list[Path], Images], Images]
    name_map: NameMap
    tensors: TensorSet = "plain"
    channels_last: bool = False
    batch: str | int = "N"

    @property
    def model(self) -> str:
        """The id of the model."""
        return f"digits-{self.format}"

    @property
    def vectors(self) -> str:
        """The id of the vector set."""
        return f"test-{self.format}"

    @property
    def image_shape(self) -> list[str | int]:
        """The shape of the input."""
        return [self.batch, 8, 8, 1] if self.channels_last else [self.batch, 1, 8, 8]


def tensor_set(name: TensorSet, weights: Weights) -> Tensors:
    """Return the tensors that a sample for formats with the set ``name`` holds."""
    if name == "folded":
        return spread(fold(weights))
    factors = {f"bn{number}.factor": np.ones(1, np.float32) for number in (1, 2)}
    return spread(weights) | (factors if name == "factors" else {})


def _entry(sample: str, model: str, **layout: Sequence[int]) -> dict[str, Any]:
    return {"sample": sample, "model": model, **{key: [*value] for key, value in layout.items()}}


def _flattened(name: str) -> NameMap:
    return [_entry(FLATTENED, name, reshape=(64, 512))]


def _of_tensorflow() -> NameMap:
    layouts: dict[str, dict[str, Sequence[int]]] = {
        "conv1.weight": {"transpose": (2, 3, 1, 0)},
        "conv2.weight": {"transpose": (2, 3, 1, 0)},
        "fc1.weight": {"transpose": (2, 3, 1, 0), "reshape": (512, 64)},
        "fc2.weight": {"transpose": (1, 0)},
    }
    return [
        _entry(own, f"{layer}/{part}", **layouts.get(own, {}))
        for layer, parts in formats_tensorflow.LEARNED.items()
        for part in parts
        for own in [f"{layer}.{formats_tensorflow.PARTS[part]}"]
    ]


def _of_tflite() -> NameMap:
    names = formats_tflite.TENSOR_NAMES
    layouts: dict[str, dict[str, Sequence[int]]] = {
        "conv1.weight": {"transpose": CHANNELS_LAST},
        "conv2.weight": {"transpose": CHANNELS_LAST},
        "fc1.weight": {"transpose": CHANNELS_LAST, "reshape": (64, 512)},
    }
    return [_entry(own, name, **layouts.get(own, {})) for own, name in names.items()]


def _of_caffe() -> NameMap:
    entries = [
        _entry(f"{layer}.{part}", f"{layer}/{part}")
        for layer in ("conv1", "conv2", "fc2")
        for part in ("weight", "bias")
    ]
    entries += [_entry(FLATTENED, "fc1/weight", reshape=(64, 512)), _entry("fc1.bias", "fc1/bias")]
    for number in (1, 2):
        entries += [
            _entry(f"bn{number}.running_mean", f"bn{number}/mean"),
            _entry(f"bn{number}.running_var", f"bn{number}/variance"),
            _entry(f"bn{number}.factor", f"bn{number}/scale_factor"),
            _entry(f"bn{number}.weight", f"scale{number}/weight"),
            _entry(f"bn{number}.bias", f"scale{number}/bias"),
        ]
    return entries


def _of_nnef() -> NameMap:
    channels = {"conv1": 16, "bn1": 16, "conv2": 32, "bn2": 32, "fc1": 64, "fc2": 10}
    entries = []
    for layer, parts in formats_nnef.LEARNED.items():
        for part in parts:
            own = f"{layer}.{formats_nnef.PARTS[part]}"
            if part != "filter":
                entries.append(_entry(own, f"{layer}/{part}", reshape=(1, channels[layer])))
            elif own == FLATTENED:
                entries += _flattened(f"{layer}/{part}")
            else:
                entries.append(_entry(own, f"{layer}/{part}"))
    return entries


FORMATS = (
    ModelFormat(
        format="onnx",
        title="ONNX model",
        write=formats_onnx.write_onnx,
        run=formats_onnx.run_onnx,
        name_map=_flattened(FLATTENED),
    ),
    ModelFormat(
        format="torchscript",
        title="traced TorchScript archive",
        write=formats_pytorch.write_torchscript,
        run=formats_pytorch.run_torchscript,
        name_map=_flattened(FLATTENED),
    ),
    ModelFormat(
        format="torch-export",
        title="exported program of PyTorch (.pt2)",
        write=formats_pytorch.write_exported,
        run=formats_pytorch.run_exported,
        name_map=_flattened(FLATTENED),
    ),
    ModelFormat(
        format="torch-state-dict",
        title="state dict of PyTorch, with an ONNX graph as topology",
        write=formats_pytorch.write_state_dict,
        run=formats_pytorch.run_state_dict,
        name_map=_flattened(FLATTENED),
    ),
    ModelFormat(
        format="savedmodel",
        title="SavedModel of TensorFlow",
        write=formats_tensorflow.write_savedmodel,
        run=formats_tensorflow.run_savedmodel,
        name_map=_of_tensorflow(),
        channels_last=True,
    ),
    ModelFormat(
        format="keras",
        title="Keras file",
        write=formats_tensorflow.write_keras,
        run=formats_tensorflow.run_keras,
        name_map=_of_tensorflow(),
        channels_last=True,
    ),
    ModelFormat(
        format="tflite",
        title="TensorFlow Lite model, batch normalisation folded",
        write=formats_tflite.write_tflite,
        run=formats_tflite.run_tflite,
        name_map=_of_tflite(),
        tensors="folded",
        channels_last=True,
    ),
    ModelFormat(
        format="caffe",
        title="prototxt and caffemodel of Caffe",
        write=formats_caffe.write_caffe,
        run=formats_caffe.run_caffe,
        name_map=_of_caffe(),
        tensors="factors",
        batch=1,
    ),
    ModelFormat(
        format="nnef",
        title="NNEF graph with a file for each variable",
        write=formats_nnef.write_nnef,
        run=formats_nnef.run_nnef,
        name_map=_of_nnef(),
        batch=1,
    ),
)
"""All formats; the first is the one that the others are said to be equivalent to."""
