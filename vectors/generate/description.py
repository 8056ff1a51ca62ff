"""What several submissions say about themselves that no file says: use cases, data, metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bundle import dataset

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
DIGITS = {
    "name": "Optical Recognition of Handwritten Digits",
    "version": "1998-06-30, the copy in scikit-learn",
    "url": "https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
    "doi": "10.24432/C50P49",
    "license": "CC-BY-4.0",
}
DATASETS = [
    dataset(
        DIGITS,
        "digits-training",
        "training: 1,077 of the 1,797 scans in sklearn.datasets.load_digits()",
        1077,
        "The scans that train_test_split(test_size=720, random_state=15938, stratify=labels) puts "
        "in its first part, 8x8 grey levels of 0 to 16 divided by 16.",
    ),
    dataset(
        DIGITS,
        "digits-test",
        "test: the other 720 scans",
        720,
        "The second part of the same split. No scan of it was used for training, for choosing "
        "how to train, or for calibrating a quantiser.",
    ),
]


def metric(
    id: str,
    kind: str,
    direction: str,
    bound: float,
    description: str,
    *,
    type: str = "absolute",
    args: Mapping[str, Any] | None = None,
    bindings: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the entry of a metric: of targets with ``bindings``, else of the original's output."""
    return {
        "id": id,
        "kind": kind,
        "description": description,
        "direction": direction,
        **({"args": args} if args else {}),
        **({"bindings": bindings} if bindings else {}),
        "against": "targets" if bindings else "original",
        "tolerance": {"type": type, "bound": bound, "inclusive": True},
    }


TOP1 = metric(
    "top1",
    "top-k-accuracy",
    "higher",
    0.01,
    "Share of test scans whose digit has the highest logit.",
    args={"k": 1},
    bindings={"prediction": "logits", "target": "label"},
)
LOGITS_COSINE = metric(
    "logits-cosine",
    "cosine-similarity",
    "higher",
    0.002,
    "Cosine of the angle between the logits of the reconstructed and of the original network, mean "
    "over the test scans.",
)
LOGITS_MSE = metric(
    "logits-mse",
    "mse",
    "lower",
    0.1,
    "Squared difference between the logits of the reconstructed and of the original network, mean "
    "over the ten logits and the test scans; the mean square of the original's logits is 35.",
)
DIGITS_KL = metric(
    "digits-kl",
    "kl-divergence",
    "lower",
    0.02,
    "Kullback-Leibler divergence of the class probabilities of the reconstructed network from "
    "those of the original, in nats, mean over the test scans.",
    args={"inputs": "logits"},
)
