"""From scores, class ids and one-hot vectors to class ids that can be counted."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._arguments import Arg
from conformance.metrics._inputs import describe, is_floating, is_integer, refuse
from conformance.metrics._protocol import Count, Floats, Values
from conformance.verdicts import ConformanceError, Location

CLASSES = Count("classes", 2, "classes among the targets that count")
POSITIONS = Count("positions", 2, "positions that count, of all items")
Ids: TypeAlias = "NDArray[np.int64]"

CLASS_AXIS = Arg(
    "class_axis",
    "integer",
    "The axis of scores and one-hot targets that counts classes.",
    default=1,
)
IGNORED = Arg(
    "ignore_index", "integer", "Target id of the positions that do not count.", default=None
)


class Labels(NamedTuple):
    """Class ids of every position of every item (items, positions), and how many classes."""

    prediction: Ids
    target: Ids
    classes: int | None


def labels(values: Values, axis: int) -> Labels:
    """Return the class ids of a batch.

    The prediction is scores with a class axis, or class ids; the target is class ids, or has the
    shape of the scores (one-hot, or scores of another network): then its greatest entry counts,
    the first one if there are several. ConformanceError if the shapes do not fit together.
    """
    prediction, target = values["prediction"], values["target"]
    classes = None
    if _is_scores(prediction, target):
        axis = class_axis("prediction", prediction, axis)
        classes = prediction.shape[axis]
        if target.shape == prediction.shape:
            target = _highest(target, axis)
        prediction = prediction.argmax(axis)
        if target.size == prediction.size and target.shape[-1] == 1:
            target = target.reshape(prediction.shape)
    if prediction.shape != target.shape:
        _refuse_shapes(values)
    return Labels(flat_ids("prediction", prediction), flat_ids("target", target), classes)


def _is_scores(prediction: NDArray[Any], target: NDArray[Any]) -> bool:
    if prediction.shape == target.shape:
        return is_floating(prediction) and prediction.ndim > 1
    return prediction.ndim > 1


def class_axis(role: str, scores: NDArray[Any], axis: int) -> int:
    """Return ``axis`` counted from 0; ConformanceError unless it can count classes."""
    positive = axis + scores.ndim if axis < 0 else axis
    if not 0 < positive < scores.ndim or scores.shape[positive] < 2:  # noqa: PLR2004
        refuse(
            role,
            f"axis {axis} of {role} does not count classes",
            expected=f"an array with an axis {axis}, other than axis 0, of two or more classes",
            found=describe(scores),
            fix="Correct 'class_axis' in the metric's args.",
        )
    return positive


def _highest(target: NDArray[Any], axis: int) -> NDArray[Any]:
    """Return the class of one-hot vectors, or of the scores of another network."""
    only_bits = bool(((target == 0) | (target == 1)).all())
    one_hot = only_bits and bool((target.astype(np.int64).sum(axis) == 1).all())
    if not one_hot and (only_bits or is_integer(target)):
        refuse(
            "target",
            "target has the shape of the scores but is not one-hot",
            expected=f"along axis {axis} a single 1 and otherwise 0",
            found=describe(target),
            fix="Store class ids or one-hot vectors: only one class per position can be judged.",
        )
    highest: NDArray[Any] = target.argmax(axis)
    return highest


def _refuse_shapes(values: Values) -> None:
    prediction, target = values["prediction"], values["target"]
    refuse(
        "target",
        "prediction and target do not fit together",
        expected=(
            "class ids of the prediction's shape with or without its class axis: "
            f"prediction is {describe(prediction)}"
        ),
        found=describe(target),
        fix="Store one class id per prediction, and set 'class_axis' to the axis of the classes.",
    )


def flat_ids(role: str, ids: NDArray[Any]) -> Ids:
    """Return class ids as (items, positions); ConformanceError unless they are integers."""
    if not is_integer(ids):
        refuse(
            role,
            f"{role} does not hold class ids",
            expected="an integer dtype",
            found=describe(ids),
            fix=f"Store {role!r} as int64.",
        )
    return ids.reshape(len(ids), -1).astype(np.int64, copy=False)


def check_ids(role: str, ids: Ids, classes: int, counted: NDArray[np.bool_]) -> None:
    """Raise a ConformanceError for a class id outside 0..classes-1 at a position that counts."""
    outside = ((ids < 0) | (ids >= classes)) & counted
    if outside.any():
        item, _ = np.argwhere(outside)[0]
        refuse(
            role,
            f"{role} holds class ids that do not exist",
            expected=f"ids from 0 to {classes - 1}",
            found=f"{int(outside.sum())} others, the first is {ids[outside][0]} in item {item}",
            fix="Correct the ids, or 'num_classes' or 'ignore_index' in the metric's args.",
        )


def agreed_classes(kind: str, declared: int | None, seen: int | None) -> int:
    """Return the number of classes; ConformanceError if it is unknown or contradictory."""
    if declared is not None and seen is not None and declared != seen:
        refuse(
            "prediction",
            "the class axis of the prediction does not have the declared length",
            expected=f"{declared} classes, as 'num_classes' says",
            found=f"{seen} classes",
            fix="Correct 'num_classes' or 'class_axis' in the metric's args.",
        )
    known = declared if declared is not None else seen
    if known is None:
        raise ConformanceError(
            f"metric kind {kind!r} cannot know how many classes there are",
            where=Location(element="args.num_classes"),
            expected="'num_classes', as the prediction holds class ids and not scores",
            found="nothing",
            fix="Add 'num_classes' to the metric's args.",
        )
    return known


def count_outcomes(
    prediction: Ids, target: Ids, classes: int, counted: NDArray[np.bool_]
) -> Floats:
    """Return true positives, false positives and false negatives per item: (items, 3 * classes)."""
    items = len(prediction)
    offset = np.arange(items)[:, None] * classes
    right = counted & (prediction == target)
    wrong = counted & (prediction != target)
    counts = [
        np.bincount((ids + offset)[chosen], minlength=items * classes).reshape(items, classes)
        for ids, chosen in ((target, right), (prediction, wrong), (target, wrong))
    ]
    return np.concatenate(counts, axis=1).astype(np.float64)
