"""Whether an item is right: top-k accuracy of classes, exact match of strings and ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._arguments import Arg
from conformance.metrics._classes import CLASS_AXIS, CLASSES, Ids, check_ids, labels
from conformance.metrics._inputs import (
    as_texts,
    describe,
    is_floating,
    is_integer,
    refuse,
    same_shape,
)
from conformance.metrics._protocol import About, Count, Floats, Values
from conformance.metrics.additive import AdditiveMetric

_ANSWERS = Count("answers", 2, "targets that differ from each other")


class CorrectItems(AdditiveMetric):
    """The share of items that are correct."""

    binary = True

    def finish(self, totals: Floats) -> Floats:
        """Return correct / items."""
        share: Floats = totals[..., 0] / totals[..., 1]
        return share


class TopKAccuracy(CorrectItems):
    """The share of items whose class is among the k that score highest.

    Of classes with equal scores the one with the lower id counts as higher.
    """

    kind = "top-k-accuracy"
    counts = (CLASSES,)
    arguments = (
        Arg("k", "integer", "How many classes may be tried.", default=1, minimum=1),
        CLASS_AXIS,
    )
    about = About(
        summary="Share of items whose target class is among the k with the highest scores. "
        "Of equal scores, that of the lower class id counts as higher.",
        inputs="prediction: scores (N, C), or class ids (N) if k is 1; target: class ids (N), "
        "one-hot (N, C), or scores of another network, whose highest class is then the target.",
        unit="share",
        range="0 to 1",
        better="higher",
        statistics="(correct: 0 or 1, 1)",
        library="NumPy",
    )

    def __init__(self, *, k: int, class_axis: int) -> None:
        super().__init__()
        self._k = k
        self._axis = class_axis

    def statistics(self, values: Values) -> Floats:
        """Return (correct, 1) per item."""
        prediction, target, classes = labels(values, self._axis)
        self._check(target.shape[1], classes, values)
        self.count_distinct(CLASSES.noun, np.unique(target).tolist())
        if classes is None:
            correct = (prediction == target).ravel()
        else:
            check_ids("target", target, classes, np.ones(target.shape, np.bool_))
            scores = values["prediction"].reshape(len(target), classes)  # other axes have length 1
            correct = _rank(scores, target) < self._k
        return np.stack([correct, np.ones(len(correct))], axis=1)

    def _check(self, positions: int, classes: int | None, values: Values) -> None:
        if positions != 1:
            refuse(
                "prediction",
                f"metric kind {self.kind!r} judges one class per item",
                expected="scores (items, classes)",
                found=describe(values["prediction"]),
                fix="Use metric kind 'f1' or 'confusion-matrix' for classes at many positions.",
            )
        if self._k > 1 and (classes is None or self._k >= classes):
            refuse(
                "prediction",
                f"k is {self._k}, but there are not more classes than that: any guess is right",
                expected=f"more than {self._k} scores per item",
                found=describe(values["prediction"]),
                fix="Lower 'k' in the metric's args, or bind the output that holds the scores.",
            )


def _rank(scores: NDArray[Any], target: Ids) -> Ids:
    own = np.take_along_axis(scores, target, axis=1)
    before = np.arange(scores.shape[1])[None, :] < target
    rank: Ids = ((scores > own) | ((scores == own) & before)).sum(axis=1)
    return rank


class ExactMatch(CorrectItems):
    """The share of items that equal their target altogether."""

    kind = "exact-match"
    counts = (_ANSWERS,)
    about = About(
        summary="Share of items that equal their target in every position.",
        inputs="prediction, target: strings, or integers, both (N, ...)",
        unit="share",
        range="0 to 1",
        better="higher",
        statistics="(correct: 0 or 1, 1)",
        library="NumPy",
    )

    def statistics(self, values: Values) -> Floats:
        """Return (correct, 1) per item."""
        same_shape(values)
        prediction, target = values["prediction"], values["target"]
        for role, array in values.items():
            if is_floating(array):
                refuse(
                    role,
                    f"metric kind {self.kind!r} does not compare floating-point numbers",
                    expected="strings or integers",
                    found=describe(array),
                    fix="Use metric kind 'mae' or 'mse', or bind an output of class ids.",
                )
        if not (is_integer(prediction) and is_integer(target)):
            prediction, target = as_texts("prediction", prediction), as_texts("target", target)
        rows = target.reshape(len(target), -1).tolist()
        self.count_distinct(_ANSWERS.noun, (hash(tuple(row)) for row in rows))
        equal = (prediction == target).reshape(len(prediction), -1).all(axis=1)
        return np.stack([equal, np.ones(len(equal))], axis=1)
