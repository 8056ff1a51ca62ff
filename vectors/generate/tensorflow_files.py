"""Files of TensorFlow and Keras, to the same bytes each time.

TensorFlow would give a SavedModel a random identifier, and Keras its file a date and addresses of
objects in memory; they are made the same each time.
"""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import fingerprint_pb2

SAVED = "1980-01-01@00:00:00"
"""Date of every Keras file."""
MEMBER_DATE = (1980, 1, 1, 0, 0, 0)


def save_savedmodel(folder: Path, network: tf.Module, signature: Any) -> list[Path]:
    """Write a SavedModel and return the paths of its files, ``saved_model.pb`` first."""
    tf.saved_model.save(network, str(folder), signatures={"serving_default": signature})
    (folder / "assets").rmdir()
    fingerprint = folder / "fingerprint.pb"
    content = fingerprint_pb2.FingerprintDef.FromString(fingerprint.read_bytes())
    content.uuid = "0"
    fingerprint.write_bytes(content.SerializeToString(deterministic=True))
    graph = folder / "saved_model.pb"
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path != graph)
    return [graph, *others]


def save_keras(path: Path, network: keras.Model) -> list[Path]:
    """Write a Keras file and return its path."""
    with tempfile.TemporaryDirectory() as scratch:
        written = Path(scratch, path.name)
        network.save(written)
        _copy_undated(written, path)
    return [path]


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
