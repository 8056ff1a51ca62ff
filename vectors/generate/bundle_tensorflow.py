"""Files of TensorFlow and Keras of the bundled networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from bundle_samples import Tensors
from numpy.typing import NDArray
from tensorflow_files import save_keras, save_savedmodel


def write_savedmodel(
    folder: Path, network: tf.Module, serve: Callable[..., Any], spec: tf.TensorSpec
) -> list[Path]:
    """Write a SavedModel and return the paths of its files, ``saved_model.pb`` first.

    ``serve`` is the method of ``network`` that is its signature, with an input of ``spec``.
    """
    network.serve = tf.function(serve, input_signature=[spec])
    return save_savedmodel(folder, network, network.serve)


def run_savedmodel(files: list[Path], inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the only output for ``inputs``, computed by TensorFlow."""
    loaded = tf.saved_model.load(str(files[0].parent))
    (output,) = loaded.signatures["serving_default"](tf.constant(inputs)).values()
    values: NDArray[Any] = output.numpy()
    return values


def write_keras(folder: Path, network: keras.Model, parameters: Tensors) -> list[Path]:
    """Write ``model.keras``, ``network`` with the values in ``parameters``; return its path."""
    assigned = {variable.path: variable for variable in network.variables}
    for name, values in parameters.items():
        assigned[name].assign(values)
    return save_keras(folder / "model.keras", network)


def run_keras(files: list[Path], inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the only output for ``inputs``, computed by Keras."""
    network = keras.saving.load_model(files[0], safe_mode=True)
    values: NDArray[Any] = np.asarray(network(inputs, training=False))
    return values
