"""Metrics of class ids: what they share, and those made of counts per class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._arguments import Arg
from conformance.metrics._classes import (
    CLASS_AXIS,
    CLASSES,
    IGNORED,
    POSITIONS,
    Labels,
    agreed_classes,
    check_ids,
    count_outcomes,
    labels,
)
from conformance.metrics._protocol import Floats, Values
from conformance.metrics.additive import AdditiveMetric, ratio
from conformance.verdicts import Json

INPUTS = (
    "prediction: scores with a class axis (N, C, ...) or class ids (N, ...); target: class ids "
    "(N, ...), one-hot, or scores of another network, whose highest class is then the target."
)
COUNTS = "(true positives, false positives, false negatives) of each class: 3 x classes"
CLASS_ARGUMENTS: tuple[Arg, ...] = (
    Arg(
        "num_classes",
        "integer",
        "How many classes there are; needed if the prediction holds class ids.",
        default=None,
        minimum=2,
        maximum=65536,
    ),
    CLASS_AXIS,
    IGNORED,
)


class ClassMetric(AdditiveMetric):
    """A metric of predicted and true class ids, at one or more positions of each item."""

    arguments: ClassVar[tuple[Arg, ...]] = CLASS_ARGUMENTS
    counts = (POSITIONS, CLASSES)

    def __init__(
        self, *, num_classes: int | None, class_axis: int, ignore_index: int | None
    ) -> None:
        super().__init__()
        self._classes = num_classes
        self._axis = class_axis
        self._ignored = ignore_index

    def counted_labels(self, values: Values) -> tuple[Labels, int, NDArray[np.bool_]]:
        """Return checked class ids, the number of classes, and which positions count."""
        found = labels(values, self._axis)
        self._classes = classes = agreed_classes(self.kind, self._classes, found.classes)
        counted = np.ones(found.target.shape, np.bool_)
        if self._ignored is not None:
            counted = found.target != self._ignored
        check_ids("target", found.target, classes, counted)
        self.count(POSITIONS.noun, int(counted.sum()))
        self.count_distinct(CLASSES.noun, np.unique(found.target[counted]).tolist())
        check_ids("prediction", found.prediction, classes, counted)
        return found, classes, counted


class ClassCounts(ClassMetric):
    """A metric of the true and false positives and false negatives of each class."""

    @abstractmethod
    def per_class(self, tp: Floats, fp: Floats, fn: Floats) -> Floats:
        """Return the value of each class, or of pooled classes; 0 / 0 is 0."""

    def statistics(self, values: Values) -> Floats:
        """Return tp, fp, fn of every class per item: (items, 3 * classes)."""
        found, classes, counted = self.counted_labels(values)
        return count_outcomes(found.prediction, found.target, classes, counted)

    def finish(self, totals: Floats) -> Floats:
        """Return the mean over the classes that occur in targets or predictions."""
        tp, fp, fn = np.split(totals, 3, axis=-1)
        occurs = (tp + fp + fn) > 0
        values = np.where(occurs, self.per_class(tp, fp, fn), 0.0)
        return ratio(values.sum(axis=-1), occurs.sum(axis=-1).astype(np.float64))

    def details(self, totals: Floats) -> Mapping[str, Json]:
        """Return value and support of each class; a class that does not occur has None."""
        tp, fp, fn = np.split(totals, 3)
        values, occurs = self.per_class(tp, fp, fn).tolist(), tp + fp + fn > 0
        return {
            "per_class": [
                value if seen else None for value, seen in zip(values, occurs, strict=True)
            ],
            "support": (tp + fn).astype(int).tolist(),
        }


def share(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, and 0 where both are 0."""
    return np.where(whole == 0, 0.0, ratio(part, whole))
