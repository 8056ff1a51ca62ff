"""What the bundled submission says about itself that no file tells: texts, references, metrics."""

from __future__ import annotations

from typing import Any

import onnx
import onnxruntime

VECTOR_SET = "test"
MODEL = "digits-cnn"

USE_CASES = [
    {
        "id": "handwritten-digit-recognition",
        "title": "Recognition of handwritten digits",
        "description": (
            "A classifier sent over the air to a device with little memory, which reads digits "
            "from small grey-scale scans, one digit per scan."
        ),
    }
]


def _digits(id: str, split: str, items: int, description: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": "Optical Recognition of Handwritten Digits",
        "version": "1998-06-30, the copy in scikit-learn",
        "url": "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        "doi": "10.24432/C50P49",
        "license": "CC-BY-4.0",
        "split": split,
        "items": items,
        "description": description,
    }


DATASETS = [
    _digits(
        "digits-training",
        "training: 1,077 of the 1,797 scans in sklearn.datasets.load_digits()",
        1077,
        "The scans that train_test_split(test_size=720, random_state=15938, stratify=labels) puts "
        "in its first part, 8x8 grey levels of 0 to 16 divided by 16.",
    ),
    _digits(
        "digits-test",
        "test: the other 720 scans",
        720,
        "The second part of the same split. No scan of it was used for training, for choosing "
        "how to train, or for calibrating a quantiser.",
    ),
]

METRICS = [
    {
        "id": "top1",
        "kind": "top-k-accuracy",
        "description": "Share of test scans whose digit has the highest logit.",
        "direction": "higher",
        "args": {"k": 1},
        "bindings": {"prediction": "logits", "target": "label"},
        "against": "targets",
        "tolerance": {"type": "absolute", "bound": 0.01, "inclusive": True},
    },
    {
        "id": "logits-cosine",
        "kind": "cosine-similarity",
        "description": (
            "Cosine of the angle between the logits of the reconstructed and of the original "
            "network, mean over the test scans."
        ),
        "direction": "higher",
        "against": "original",
        "tolerance": {"type": "absolute", "bound": 0.002, "inclusive": True},
    },
    {
        "id": "logits-mse",
        "kind": "mse",
        "description": (
            "Squared difference between the logits of the reconstructed and of the original "
            "network, mean over the ten logits and the test scans; the mean square of the "
            "original's logits is 35."
        ),
        "direction": "lower",
        "against": "original",
        "tolerance": {"type": "absolute", "bound": 0.1, "inclusive": True},
    },
    {
        "id": "digits-kl",
        "kind": "kl-divergence",
        "description": (
            "Kullback-Leibler divergence of the class probabilities of the reconstructed network "
            "from those of the original, in nats, mean over the test scans."
        ),
        "direction": "lower",
        "args": {"inputs": "logits"},
        "against": "original",
        "tolerance": {"type": "absolute", "bound": 0.02, "inclusive": True},
    },
]

OWN_SCRIPTS = {"name": "vectors/generate/digits_cnn.py of nnr-conformance", "version": "1.0.0"}
ONNX = {"name": "onnx", "version": onnx.__version__, "url": "https://onnx.ai"}
ONNX_RUNTIME = {
    "name": "onnxruntime",
    "version": onnxruntime.__version__,
    "url": "https://onnxruntime.ai",
}

HEAD: dict[str, Any] = {
    "schema_version": "1.0",
    "id": "digits-cnn",
    "title": "A small convolutional classifier of handwritten digits, compressed in fourteen ways",
    "description": (
        "Convolutional network with batch normalisation, 38,474 parameters, trained on real scans "
        "of handwritten digits. The submission is small enough to be run in seconds and shows "
        "every section of the submission format."
    ),
    "contributor": "nnr-conformance project",
    "mdms_number": None,
    "conforms_to": ["MPEG Call for Test Data for neural network compression (April 2018)"],
    "license": "CC-BY-4.0",
    "version": "1.0.0",
    "published": False,
    "use_cases": USE_CASES,
}
