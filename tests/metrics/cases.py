"""One small, valid use of every built-in kind."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from conformance.metrics import Measurement, metric


@dataclass(frozen=True)
class Case:
    kind: str
    values: dict[str, Any]
    args: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        said = "-".join(str(value) for value in self.args.values())
        return f"{self.kind}-{said}" if said else self.kind


def measured(kind: str, args: dict[str, Any] | None = None, **values: Any) -> Measurement:
    made = metric(kind, args or {})
    made.update({role: np.asarray(array) for role, array in values.items()})
    return made.result()


def texts(rng: np.random.Generator, items: int) -> np.ndarray:
    words = np.array(["a", "cat", "sat", "on", "the", "mat"])
    return np.array([" ".join(rng.choice(words, size=rng.integers(4, 9))) for _ in range(items)])


def additive_cases(items: int = 24, seed: int = 7) -> list[Case]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(items, 5)).astype(np.float32)
    classes = rng.integers(0, 5, items)
    pair = {"prediction": scores, "target": classes}
    pixels = {
        "prediction": rng.normal(size=(items, 5, 6, 6)).astype(np.float32),
        "target": rng.integers(0, 5, (items, 6, 6)),
    }
    real = {
        "prediction": rng.normal(size=(items, 3, 4)).astype(np.float32),
        "target": rng.normal(size=(items, 3, 4)).astype(np.float32),
    }
    images = {
        "prediction": rng.uniform(size=(items, 1, 16, 16)),
        "target": rng.uniform(size=(items, 1, 16, 16)),
    }
    large = {
        "prediction": rng.uniform(size=(4, 1, 80, 80)),
        "target": rng.uniform(size=(4, 1, 80, 80)),
    }
    written = {"prediction": texts(rng, items), "target": texts(rng, items)}
    tokens = {
        "prediction": rng.normal(size=(items, 7, 11)).astype(np.float32),
        "target": rng.integers(0, 11, (items, 7)),
    }
    logits = {"prediction": scores, "target": rng.normal(size=(items, 5)).astype(np.float32)}
    averages = ("macro", "micro", "weighted")
    return [
        Case("top-k-accuracy", pair),
        Case("top-k-accuracy", pair, {"k": 3}),
        Case("exact-match", {"prediction": classes, "target": rng.integers(0, 5, items)}),
        *(
            Case(kind, pair, {"average": a})
            for kind in ("precision", "recall", "f1")
            for a in averages
        ),
        Case(
            "f1",
            {"prediction": rng.uniform(size=items), "target": rng.integers(0, 2, items)},
            {"average": "binary"},
        ),
        Case("confusion-matrix", pair),
        Case("mean-iou", pixels, {"ignore_index": 0}),
        Case("mse", real),
        Case("rmse", real),
        Case("mae", real),
        Case("psnr", images, {"data_range": 1}),
        Case("cosine-similarity", real),
        Case("ssim", images, {"data_range": 1}),
        Case("ms-ssim", large, {"data_range": 1, "sigma": 0.5}),
        Case("snr", real),
        Case("kl-divergence", logits),
        Case("perplexity", tokens, {"ignore_index": 3}),
        Case("bleu", written, {"n_gram": 2}),
        Case("wer", written),
    ]


def boxes_case() -> Case:
    boxes = np.array([[[0, 0, 10, 10], [20, 20, 30, 30]], [[5, 5, 15, 15], [0, 0, 0, 0]]], float)
    labels = np.array([[1, 2], [1, -1]])
    return Case(
        "mean-average-precision",
        {
            "boxes": boxes + 0.5,
            "scores": np.array([[0.9, 0.8], [0.7, 0.0]]),
            "labels": labels,
            "target_boxes": boxes,
            "target_labels": labels,
        },
    )
