"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._protocol import About, Floats, Values
from conformance.metrics.additive import ratio
from conformance.metrics.class_counts import INPUTS, ClassMetric
from conformance.verdicts import Json

LARGEST_MATRIX = 1000


class ConfusionMatrix(ClassMetric):
    """How often each class was taken for each; the value is the share that agrees."""

    kind = "confusion-matrix"
    about = About(
        summary="Share of positions whose class agrees: trace over total of the confusion "
        "matrix. The matrix itself (rows: target, columns: prediction) is in the details, for at "
        f"most {LARGEST_MATRIX} classes.",
        inputs=INPUTS,
        unit="share",
        range="0 to 1",
        better="higher",
        statistics="(positions that agree, positions)",
        library="NumPy",
    )

    def __init__(self, **classes: Any) -> None:
        super().__init__(**classes)
        self._matrix: NDArray[np.int64] | None = None

    def statistics(self, values: Values) -> Floats:
        """Return (positions that agree, positions) per item."""
        found, classes, counted = self.counted_labels(values)
        if classes <= LARGEST_MATRIX:
            cells = (found.target * classes + found.prediction)[counted]
            matrix = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
            self._matrix = matrix if self._matrix is None else self._matrix + matrix
        agree = counted & (found.prediction == found.target)
        return np.stack([agree.sum(axis=1), counted.sum(axis=1)], axis=1).astype(np.float64)

    def finish(self, totals: Floats) -> Floats:
        """Return agreeing positions / positions."""
        return ratio(totals[..., 0], totals[..., 1])

    def details(self, totals: Floats) -> Mapping[str, Json]:  # noqa: ARG002
        """Return the matrix: rows are targets, columns predictions."""
        return {} if self._matrix is None else {"matrix": self._matrix.tolist()}
