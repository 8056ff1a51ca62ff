"""What the submission ``digits-formats`` says about itself that no file tells."""

from __future__ import annotations

from typing import Any

from description import DATASETS as ALL_DATASETS
from description import HEAD as DIGITS_HEAD
from description import METRICS as ALL_METRICS

ID = "digits-formats"
TRAINING, TEST = "digits-training", "digits-test"
ITEMS = 360
"""The number of test scans in the vectors: the first half of those of ``digits-cnn``."""

DATASETS = [
    ALL_DATASETS[0],
    {
        **ALL_DATASETS[1],
        "split": "test: the first 360 of the other 720 scans",
        "items": ITEMS,
        "description": (
            "The first half of the second part of the same split. No scan of it was used for "
            "training or for choosing how to train."
        ),
    },
]
METRICS = [metric for metric in ALL_METRICS if metric["id"] != "logits-cosine"]

SCRIPTS = {"name": "vectors/generate/digits_formats.py of nnr-conformance", "version": "1.0.0"}

HEAD: dict[str, Any] = {
    **DIGITS_HEAD,
    "id": ID,
    "title": "One classifier of handwritten digits in nine model formats",
    "description": (
        "The convolutional network of the submission digits-cnn, from one set of trained weights, "
        "in ONNX, three formats of PyTorch, SavedModel, Keras, TensorFlow Lite, Caffe and NNEF. "
        "Samples are shared between formats wherever a change of axes leads from one to another."
    ),
}
