"""The vectors of the submission ``digits-formats``: the same scans for every format.

Two files hold the same images, with channels first and with channels last; outputs and targets are
shared by all formats. Expected outputs are those of :mod:`reference`, rounded to float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from digits_data import Part
from digits_formats_description import ITEMS, TEST
from digits_formats_models import CHANNELS_LAST, FORMATS, ModelFormat
from file_entry import describe_file
from formats_weights import arrange
from network import INPUT, OUTPUT, Weights, build_model
from numpy.typing import NDArray
from reference import evaluate
from vector_files import TARGET

from conformance.tensorfiles import write_tensors

TOLERANCE = {"atol": 1e-4, "rtol": 1e-5}


@dataclass(frozen=True, slots=True)
class Arrays:
    """Images with channels first and with channels last, labels, and expected logits."""

    first: NDArray[np.float32]
    last: NDArray[np.float32]
    labels: NDArray[np.int64]
    logits: NDArray[np.float32]

    def images(self, one: ModelFormat) -> NDArray[np.float32]:
        """Return the images in the layout of ``one``."""
        return self.last if one.channels_last else self.first


def make_arrays(weights: Weights, test: Part) -> Arrays:
    """Return the first :data:`ITEMS` scans of ``test`` and what the network gives for them."""
    images = test.images[:ITEMS]
    logits = evaluate(build_model(weights), images, [OUTPUT])[OUTPUT].astype(np.float32)
    return Arrays(images, arrange(images, CHANNELS_LAST), test.labels[:ITEMS], logits)


def write_vectors(root: Path, arrays: Arrays) -> list[dict[str, Any]]:
    """Write the vector files below ``root`` and return a vector set for each format."""
    (root / "vectors").mkdir()
    named = {
        "images-channels-first": {INPUT: arrays.first},
        "images-channels-last": {INPUT: arrays.last},
        "labels": {TARGET: arrays.labels},
        "logits": {OUTPUT: arrays.logits},
    }
    files = {}
    for name, content in named.items():
        path = root / "vectors" / f"{name}.safetensors"
        write_tensors(path, content)
        files[name] = describe_file(root, path)
    return [_vector_set(one, files) for one in FORMATS]


def _vector_set(one: ModelFormat, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    images = "images-channels-last" if one.channels_last else "images-channels-first"
    shard = {
        "items": ITEMS,
        "inputs": [files[images]],
        "targets": [files["labels"]],
        "outputs": [files["logits"]],
    }
    entry = {
        "id": one.vectors,
        "model": one.model,
        "dataset": TEST,
        "batched": True,
        "output_tolerance": TOLERANCE,
        "shards": [shard],
    }
    return entry if one is FORMATS[0] else {**entry, "equivalent_to": _equivalence(one)}


def _equivalence(one: ModelFormat) -> dict[str, Any]:
    reference: dict[str, Any] = {"vectors": FORMATS[0].vectors}
    if not one.channels_last:
        return reference
    back = [CHANNELS_LAST.index(axis) for axis in range(len(CHANNELS_LAST))]
    return {**reference, "inputs": [{"name": INPUT, "of": INPUT, "transpose": back}]}
