"""Files of TensorFlow and Keras of the bundled networks, to the same bytes each time.

TensorFlow would give a SavedModel a random identifier, and Keras its file a date and addresses of
objects in memory; they are made the same each time.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from bundle_samples import Tensors
from numpy.typing import NDArray
from tensorflow.core.protobuf import fingerprint_pb2

SAVED = "1980-01-01@00:00:00"
"""Date of every Keras file."""
MEMBER_DATE = (1980, 1, 1, 0, 0, 0)


def write_savedmodel(
    folder: Path, network: tf.Module, serve: Callable[..., Any], spec: tf.TensorSpec
) -> list[Path]:
    """Write a SavedModel and return the paths of its files, ``saved_model.pb`` first.

    ``serve`` is the method of ``network`` that is its signature, with an input of ``spec``.
    """
    network.serve = tf.function(serve, input_signature=[spec])
    tf.saved_model.save(network, str(folder), signatures={"serving_default": network.serve})
    (folder / "assets").rmdir()
    fingerprint = folder / "fingerprint.pb"
    content = fingerprint_pb2.FingerprintDef.FromString(fingerprint.read_bytes())
    content.uuid = "0"
    fingerprint.write_bytes(content.SerializeToString(deterministic=True))
    graph = folder / "saved_model.pb"
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path != graph)
    return [graph, *others]


def run_savedmodel(files: list[Path], inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the only output for ``inputs``, computed by TensorFlow."""
    loaded = tf.saved_model.load(str(files[0].parent))
    (output,) = loaded.signatures["serving_default"](tf.constant(inputs)).values()
    values: NDArray[Any] = output.numpy()
    return values


def write_keras(folder: Path, network: keras.Model, parameters: Tensors) -> list[Path]:
    """Write ``model.keras``, ``network`` with the values in ``parameters``; return its path."""
    path = folder / "model.keras"
    assigned = {variable.path: variable for variable in network.variables}
    for name, values in parameters.items():
        assigned[name].assign(values)
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch, path.name)
        network.save(written)
        _copy_undated(written, path)
    return [path]


def run_keras(files: list[Path], inputs: NDArray[Any]) -> NDArray[Any]:
    """Return the only output for ``inputs``, computed by Keras."""
    network = keras.saving.load_model(files[0], safe_mode=True)
    values: NDArray[Any] = np.asarray(network(inputs, training=False))
    return values


def _copy_undated(source: Path, target: Path) -> None:
    """Copy a Keras file without what would differ the next time."""
    with zipfile.ZipFile(source) as written, zipfile.ZipFile(target, "w") as copy:
        for entry in written.infolist():
            content = written.read(entry)
            if entry.filename == "metadata.json":
                content = json.dumps({**json.loads(content), "date_saved": SAVED}).encode()
            elif entry.filename == "config.json":
                content = _number_objects(content.decode()).encode()
            copy.writestr(zipfile.ZipInfo(entry.filename, MEMBER_DATE), content)


def _number_objects(config: str) -> str:
    """Replace the address of each shared object by a number, in the order of appearance."""
    found = re.findall(r'"shared_object_id": (\d+)', config)
    numbers = {address: number for number, address in enumerate(dict.fromkeys(found), 1)}
    return re.sub(r'("shared_object_id": )(\d+)', lambda at: f"{at[1]}{numbers[at[2]]}", config)
