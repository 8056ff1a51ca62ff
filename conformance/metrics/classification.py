"""Precision, recall and F1, from counts pooled over all items."""

from __future__ import annotations

from typing import Any

import numpy as np

from conformance.metrics._arguments import Arg
from conformance.metrics._classes import agreed_classes
from conformance.metrics._inputs import is_floating
from conformance.metrics._protocol import About, Floats, Values
from conformance.metrics.additive import ratio
from conformance.metrics.class_counts import CLASS_ARGUMENTS, COUNTS, INPUTS, ClassCounts, share

BINARY_CLASSES = 2


class AveragedCounts(ClassCounts):
    """Class counts averaged in one of the usual ways."""

    arguments = (
        Arg(
            "average",
            "string",
            "macro: mean over the classes that occur; micro: all classes pooled; weighted: mean "
            "weighted by the targets of each class; binary: class 1 of two.",
            default="macro",
            choices=("macro", "micro", "weighted", "binary"),
        ),
        Arg(
            "threshold",
            "number",
            "With average binary, scores of class 1 from here on count as class 1.",
            default=0.5,
        ),
        *CLASS_ARGUMENTS,
    )

    def __init__(self, *, average: str, threshold: float, **classes: Any) -> None:
        super().__init__(**classes)
        self._average = average
        self._threshold = threshold
        if average == "binary":
            self._classes = agreed_classes(self.kind, BINARY_CLASSES, self._classes)

    def statistics(self, values: Values) -> Floats:
        """Return tp, fp, fn of every class per item: (items, 3 * classes)."""
        return super().statistics(self._thresholded(values))

    def finish(self, totals: Floats) -> Floats:
        """Return the average over classes."""
        tp, fp, fn = np.split(totals, 3, axis=-1)
        if self._average == "macro":
            return super().finish(totals)
        if self._average == "binary":
            return self.per_class(tp[..., 1], fp[..., 1], fn[..., 1])
        if self._average == "micro":
            return self.per_class(tp.sum(axis=-1), fp.sum(axis=-1), fn.sum(axis=-1))
        weights = tp + fn
        weighted = self.per_class(tp, fp, fn) * weights
        return ratio(weighted.sum(axis=-1), weights.sum(axis=-1))

    def _thresholded(self, values: Values) -> Values:
        prediction, target = values["prediction"], values["target"]
        one_score = prediction.shape == target.shape and BINARY_CLASSES not in prediction.shape[1:]
        if self._average != "binary" or not one_score or not is_floating(prediction):
            return values
        if is_floating(target):
            target = (target >= self._threshold).astype(np.int64)
        return {"prediction": (prediction >= self._threshold).astype(np.int64), "target": target}


class Precision(AveragedCounts):
    """Of what was taken for a class, the share that is."""

    kind = "precision"
    about = About(
        summary="tp / (tp + fp), from counts pooled over all items. 0 / 0 counts as 0.",
        inputs=INPUTS,
        unit="share",
        range="0 to 1",
        better="higher",
        statistics=COUNTS,
        library="NumPy",
    )

    def per_class(self, tp: Floats, fp: Floats, fn: Floats) -> Floats:  # noqa: ARG002
        """Return tp / (tp + fp)."""
        return share(tp, tp + fp)


class Recall(AveragedCounts):
    """Of what is of a class, the share that was found."""

    kind = "recall"
    about = About(
        summary="tp / (tp + fn), from counts pooled over all items. 0 / 0 counts as 0.",
        inputs=INPUTS,
        unit="share",
        range="0 to 1",
        better="higher",
        statistics=COUNTS,
        library="NumPy",
    )

    def per_class(self, tp: Floats, fp: Floats, fn: Floats) -> Floats:  # noqa: ARG002
        """Return tp / (tp + fn)."""
        return share(tp, tp + fn)


class F1(AveragedCounts):
    """The harmonic mean of precision and recall."""

    kind = "f1"
    about = About(
        summary="2 tp / (2 tp + fp + fn), from counts pooled over all items. 0 / 0 counts as 0.",
        inputs=INPUTS,
        unit="share",
        range="0 to 1",
        better="higher",
        statistics=COUNTS,
        library="NumPy",
    )

    def per_class(self, tp: Floats, fp: Floats, fn: Floats) -> Floats:
        """Return 2 tp / (2 tp + fp + fn)."""
        return share(2 * tp, 2 * tp + fp + fn)
