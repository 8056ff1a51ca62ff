"""Networks of TensorFlow and Keras for tests, saved by TensorFlow and Keras themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from conformance.runtimes import ModelSource, Network, runtime

GIB = 1 << 30
IMAGE = (6, 6, 1)
ROWS = (5, 3)


class Cnn(tf.Module):
    """Convolution, batch normalisation and a dense layer, of plain variables."""

    def __init__(self, seed: int) -> None:
        super().__init__("net")
        rng = np.random.default_rng(seed)
        shapes = {
            "kernel": (3, 3, 1, 4),
            "bias": (4,),
            "mean": (4,),
            "variance": (4,),
            "dense": (144, 3),
        }
        for name, shape in shapes.items():
            values = rng.uniform(0.1, 0.9, shape).astype(np.float32)
            setattr(self, name, tf.Variable(values, name=f"net/{name}"))
        self.steps = tf.Variable(7, name="net/steps")

    @tf.function(input_signature=[tf.TensorSpec((None, *IMAGE), tf.float32, name="image")])
    def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        hidden = tf.nn.conv2d(image, self.kernel, 1, "SAME") + self.bias
        hidden = tf.nn.relu((hidden - self.mean) / tf.sqrt(self.variance + 1e-3))
        flat = tf.reshape(hidden, [-1, 144])
        return {"logits": tf.matmul(flat, self.dense)}


def keras_cnn(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(IMAGE, name="image"),
            layers.Conv2D(4, 3, padding="same", bias_initializer="uniform", name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Dropout(0.5, name="drop"),
            layers.Flatten(name="flat"),
            layers.Dense(3, bias_initializer="uniform", name="logits"),
        ]
    )
    rng = np.random.default_rng(seed)
    for variable in model.get_layer("norm").variables:
        variable.assign(rng.uniform(0.3, 0.9, variable.shape))
    return model


def keras_recurrent(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    rows = keras.Input(ROWS, name="rows")
    hidden = keras.layers.LSTM(12, return_sequences=True, name="lstm")(rows)
    both = keras.layers.Bidirectional(keras.layers.GRU(8, name="gru"), name="both")(hidden)
    made = keras.layers.Dense(2, bias_initializer="uniform", name="made")(both)
    return keras.Model(rows, made, name="recurrent")


class Served(tf.Module):
    """A model of Keras as a module with a signature."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__("served")
        self.model = model
        spec = tf.TensorSpec((None, *model.inputs[0].shape[1:]), tf.float32, name="rows")
        self.serve = tf.function(lambda rows: {"made": model(rows)}, input_signature=[spec])


def save(folder: Path, module: Any) -> Path:
    """Save a SavedModel, and return the path of its graph."""
    served = Served(module) if isinstance(module, keras.Model) else module
    tf.saved_model.save(served, str(folder), signatures={"serving_default": served.serve})
    return folder / "saved_model.pb"


def save_keras(folder: Path, model: keras.Model) -> Path:
    """Save a ``.keras`` file, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.keras"
    model.save(path)
    return path


def source_of(path: Path, limit: int = GIB) -> ModelSource:
    """The files of a model, in the order in which a submission lists them."""
    files = [path]
    if path.name == "saved_model.pb":
        files += sorted(f for f in path.parent.rglob("*") if f.is_file() and f != path)
    names = tuple(f"model/{file.relative_to(path.parent).as_posix()}" for file in files)
    return ModelSource(tuple(files), names, path.parent, limit)


def opened(path: Path, limit: int = GIB) -> Network:
    served = "savedmodel" if path.name == "saved_model.pb" else "keras"
    return runtime(served).open(source_of(path, limit))


def run(
    network: Network, value: np.ndarray, tensors: Mapping[str, np.ndarray] | None = None
) -> np.ndarray:
    """The only output for the only input."""
    (given,), (made,) = network.inputs, network.outputs
    return network.bind(tensors).run({given.name: value})[made.name]


def feed(network: Network, seed: int = 0, items: int = 2) -> np.ndarray:
    (port,) = network.inputs
    shape = [items if size is None else size for size in port.shape]
    return np.random.default_rng(seed).normal(size=shape).astype(port.dtype)


def copies(network: Network) -> dict[str, np.ndarray]:
    return {name: np.array(array) for name, array in network.parameters.items()}


def changed(path: Path, change: Callable[[Any], None]) -> Path:
    """Write the graph at ``path`` again after ``change``, which gets its MetaGraphDef."""
    model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    change(model.meta_graphs[0])
    path.write_bytes(model.SerializeToString())
    return path
