"""The sample of ``digits-formats`` that is itself a network, and runs without reconstruction."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from digits_data import load_digits_split
from digits_formats_description import METRICS, SCRIPTS
from digits_formats_models import CHANNELS_LAST, FORMATS
from file_entry import describe_file
from formats_tflite import quantised_tflite
from formats_weights import arrange
from network import Weights
from samples import method

CALIBRATION_ITEMS = 200
"""Scans of the training part that the ranges of the activations are taken from."""
CONVERTER = {
    "name": "TensorFlow",
    "version": importlib.metadata.version("tensorflow-cpu"),
    "url": "https://www.tensorflow.org",
}


def write_networks(root: Path, weights: Weights) -> list[dict[str, Any]]:
    """Write the model file below ``root`` and return the sample."""
    one = next(each for each in FORMATS if each.format == "tflite")
    images = arrange(load_digits_split()[0].images[:CALIBRATION_ITEMS], CHANNELS_LAST)
    path = root / "samples" / "int8.tflite"
    path.write_bytes(quantised_tflite(weights, images))
    file = describe_file(root, path)
    how = method(
        "Post-training quantisation of weights and activations to int8 by TensorFlow's converter.",
        quantisation=(
            "int8, symmetric, one scale for each output channel of a weight",
            f"int8 activations, ranges of {CALIBRATION_ITEMS} training scans",
        ),
    )
    return [
        {
            "id": "int8-tflite",
            "model": one.model,
            "title": "A TensorFlow Lite model that computes in int8",
            "codec": {"id": "tflite", "params": {}},
            "files": [file],
            "lossless": False,
            "method": {**how, "software": [CONVERTER, SCRIPTS]},
            "features": [],
            "metrics": [{"metric": metric["id"], "vectors": one.vectors} for metric in METRICS],
            "claims": {
                "compressed_size": file["size"],
                "metric_values": [],
                "tensor_digests": {},
            },
        }
    ]
