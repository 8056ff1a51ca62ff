"""A stack of square matrices, with a ReLU after each, in every model format.

Used by ``runtimes.py``. Each writer takes a folder and the weights of ``large_submission.py`` and
returns the files of the model, in the order in which a submission lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from large_submission import Weights, make_model
from onnx import TensorProto, helper

Writer: TypeAlias = Callable[[Path, Weights], list[Path]]

BATCH = 32
"""Items per run: as many as the suite takes where a network leaves it open."""

_LAYER, _NAME, _BLOBS, _SHAPE, _DIM, _DATA = 100, 1, 7, 7, 1, 5


def _onnx(folder: Path, weights: Weights) -> list[Path]:
    onnx.save(make_model(weights), folder / "model.onnx")
    return [folder / "model.onnx"]


def torch_stack(weights: Weights) -> Any:
    """Return the network as a module of PyTorch, whose output is a dictionary."""
    import torch

    class Stack(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            width = len(next(iter(weights.values())))
            layers = [torch.nn.Linear(width, width, bias=False) for _ in weights]
            self.layers = torch.nn.ModuleList(layers)
            with torch.no_grad():
                for layer, weight in zip(layers, weights.values(), strict=True):
                    layer.weight.copy_(torch.from_numpy(weight.T))

        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            for layer in self.layers:
                x = torch.relu(layer(x))
            return {"y": x}

    return Stack().eval()


def _torchscript(folder: Path, weights: Weights) -> list[Path]:
    import torch

    torch.jit.script(torch_stack(weights)).save(str(folder / "model.pt"))
    return [folder / "model.pt"]


def _exported(folder: Path, weights: Weights) -> list[Path]:
    import torch

    example = (torch.zeros(BATCH, len(next(iter(weights.values())))),)
    torch.export.save(torch.export.export(torch_stack(weights), example), folder / "model.pt2")
    return [folder / "model.pt2"]


def _state_dict(folder: Path, weights: Weights) -> list[Path]:
    """Weights for themselves, and a graph that takes them as inputs."""
    import torch

    tensors = {name: torch.from_numpy(weight) for name, weight in weights.items()}
    torch.save(tensors, folder / "model.pt")
    model = make_model(weights)
    for initializer in model.graph.initializer:
        dims = list(initializer.dims)
        port = helper.make_tensor_value_info(initializer.name, TensorProto.FLOAT, dims)
        model.graph.input.append(port)
    del model.graph.initializer[:]
    onnx.save(model, folder / "model.onnx")
    return [folder / "model.pt", folder / "model.onnx"]


def _tensorflow_module(weights: Weights) -> Any:
    import tensorflow as tf

    class Stack(tf.Module):
        def __init__(self) -> None:
            super().__init__("stack")
            self.layers = [tf.Variable(w, name=n) for n, w in weights.items()]

        @tf.function(input_signature=[tf.TensorSpec((BATCH, len(weights["layer0.weight"])))])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            for layer in self.layers:
                x = tf.nn.relu(tf.matmul(x, layer))
            return {"y": x}

    return Stack()


def _savedmodel(folder: Path, weights: Weights) -> list[Path]:
    import tensorflow as tf

    stack = _tensorflow_module(weights)
    tf.saved_model.save(stack, str(folder), signatures={"serving_default": stack.serve})
    graph = folder / "saved_model.pb"
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path != graph)
    return [graph, *others]


def _keras(folder: Path, weights: Weights) -> list[Path]:
    import keras

    width = len(next(iter(weights.values())))
    names = [*weights][:-1]
    dense = [
        keras.layers.Dense(width, activation="relu", use_bias=False, name=name.replace(".", "_"))
        for name in (*names, "y")
    ]
    model = keras.Sequential([keras.Input((width,), BATCH, name="x"), *dense])
    for layer, weight in zip(dense, weights.values(), strict=True):
        layer.kernel.assign(weight)
    model.save(folder / "model.keras")
    return [folder / "model.keras"]


def _tflite(folder: Path, weights: Weights) -> list[Path]:
    import tensorflow as tf

    stack = _tensorflow_module(weights)
    concrete = [stack.serve.get_concrete_function()]
    content = tf.lite.TFLiteConverter.from_concrete_functions(concrete, stack).convert()
    (folder / "model.tflite").write_bytes(content)
    return [folder / "model.tflite"]


def _caffe(folder: Path, weights: Weights) -> list[Path]:
    width = len(next(iter(weights.values())))
    shape = f"shape {{ dim: {BATCH} dim: {width} }}"
    text = [f'layer {{ name: "x" type: "Input" top: "x" input_param {{ {shape} }} }}']
    given = "x"
    for index, name in enumerate(weights):
        result = "y" if index == len(weights) - 1 else f"out{index}"
        option = f"inner_product_param {{ num_output: {width} bias_term: false }}"
        ends = f'bottom: "{given}" top: "product{index}"'
        text.append(f'layer {{ name: "{name}" type: "InnerProduct" {ends} {option} }}')
        ends = f'bottom: "product{index}" top: "{result}"'
        text.append(f'layer {{ name: "relu{index}" type: "ReLU" {ends} }}')
        given = result
    (folder / "model.prototxt").write_text("\n".join(text), "utf-8")
    layers = (_field(_LAYER, _layer(name, weight.T)) for name, weight in weights.items())
    (folder / "model.caffemodel").write_bytes(b"".join(layers))
    return [folder / "model.prototxt", folder / "model.caffemodel"]


def _layer(name: str, weight: Any) -> bytes:
    shape = _field(_SHAPE, _field(_DIM, b"".join(map(_varint, weight.shape))))
    values = _field(_DATA, np.ascontiguousarray(weight, "<f4").tobytes())
    return _field(_NAME, name.encode()) + _field(_BLOBS, shape + values)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low = value & 0x7F
    return bytes([low]) if value == low else bytes([low | 0x80]) + _varint(value >> 7)


def _nnef(folder: Path, weights: Weights) -> list[Path]:
    import nnef

    width = len(next(iter(weights.values())))
    lines, paths, given = [f"x = external(shape = [{BATCH}, {width}]);"], [], "x"
    for index, (name, weight) in enumerate(weights.items()):
        label = name.replace(".", "_")
        result = "y" if index == len(weights) - 1 else f"out{index}"
        lines.append(f"w{index} = variable(shape = [{width}, {width}], label = '{label}');")
        lines.append(f"product{index} = matmul({given}, w{index});")
        lines.append(f"{result} = relu(product{index});")
        given = result
        paths.append(folder / f"{label}.dat")
        with paths[-1].open("wb") as file:
            nnef.write_tensor(file, weight)
    body = "\n    ".join(lines)
    text = f"version 1.0;\ngraph network(x) -> (y)\n{{\n    {body}\n}}\n"
    (folder / "graph.nnef").write_text(text, "utf-8")
    return [folder / "graph.nnef", *paths]


WRITERS: Mapping[str, Writer] = {
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
"""How a model of each format is written."""

NO_BATCH = frozenset({"onnx", "torch-state-dict", "torchscript"})
"""Formats whose stack leaves the number of items open."""
