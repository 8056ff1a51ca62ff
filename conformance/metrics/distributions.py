"""Metrics of predicted distributions: Kullback-Leibler divergence and perplexity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._arguments import Arg
from conformance.metrics._classes import (
    CLASS_AXIS,
    IGNORED,
    POSITIONS,
    check_ids,
    class_axis,
    flat_ids,
)
from conformance.metrics._inputs import as_float64, describe, refuse, same_shape
from conformance.metrics._protocol import About, Floats, Values
from conformance.metrics.additive import AdditiveMetric, ratio

CHUNK = 2**17
"""Scores turned to float64 at a time: 1 MiB, which stays in the cache."""

_NORMAL = 1e-3
"""How far the sum of probabilities may be from 1."""


class KlDivergence(AdditiveMetric):
    """How far the predicted distributions are from those they should be."""

    kind = "kl-divergence"
    counts = (POSITIONS,)
    arguments = (
        Arg(
            "inputs",
            "string",
            "What prediction and target hold.",
            default="logits",
            choices=("logits", "probabilities"),
        ),
        CLASS_AXIS,
    )
    about = About(
        summary="Mean over all positions of the sum over classes of P log(P / Q), where P is the "
        "target's and Q the prediction's distribution. Infinite if Q is 0 where P is not.",
        inputs="prediction, target: logits or probabilities with a class axis, both (N, C, ...)",
        unit="nat",
        range="0 to infinity",
        better="lower",
        statistics="(sum of divergences, positions)",
        library="NumPy",
    )

    def __init__(self, *, inputs: str, class_axis: int) -> None:
        super().__init__()
        self._logits = inputs == "logits"
        self._axis = class_axis

    def statistics(self, values: Values) -> Floats:
        """Return (sum of divergences, positions) per item."""
        same_shape(values)
        target, prediction = (
            self._distributions(role, values[role]) for role in ("target", "prediction")
        )
        divergence = _of_logits if self._logits else _of_probabilities
        each = [divergence(target[part], prediction[part]) for part in _parts(*target.shape)]
        per_item = np.concatenate(each).reshape(len(values["target"]), -1)
        self.count(POSITIONS.noun, per_item.size)
        positions = np.full(len(per_item), per_item.shape[1], dtype=np.float64)
        return np.stack([per_item.sum(axis=1), positions], axis=1)

    def finish(self, totals: Floats) -> Floats:
        """Return the mean divergence."""
        return ratio(totals[..., 0], totals[..., 1])

    def _distributions(self, role: str, array: NDArray[Any]) -> Floats:
        """Return one distribution, or its logits, per row."""
        last = np.moveaxis(as_float64(role, array), class_axis(role, array, self._axis), -1)
        rows = np.ascontiguousarray(last).reshape(-1, last.shape[-1])
        if self._logits:
            return rows
        if (rows < 0).any() or (np.abs(rows.sum(axis=1) - 1) > _NORMAL).any():
            refuse(
                role,
                f"{role} does not hold probabilities",
                expected=f"numbers from 0, and sums of 1 (within {_NORMAL}) along the class axis",
                found=f"numbers from {rows.min():g}, sums from {rows.sum(axis=1).min():g} to "
                f"{rows.sum(axis=1).max():g}",
                fix="Set 'inputs' to 'logits', or correct 'class_axis' in the metric's args.",
            )
        return rows


class Perplexity(AdditiveMetric):
    """How surprised a language model is by a text."""

    kind = "perplexity"
    counts = (POSITIONS,)
    arguments = (
        Arg("class_axis", "integer", "The axis of the logits that counts tokens.", default=-1),
        IGNORED,
    )
    about = About(
        summary="exp of the mean, over all positions, of -log of the probability that the softmax "
        "of the logits gives to the target token.",
        inputs="prediction: logits (N, T, V) or (N, V); target: token ids (N, T) or (N)",
        unit="none",
        range="1 to infinity",
        better="lower",
        statistics="(sum of -log probability in nat, positions)",
        library="NumPy",
    )

    def __init__(self, *, class_axis: int, ignore_index: int | None) -> None:
        super().__init__()
        self._axis = class_axis
        self._ignored = ignore_index

    def statistics(self, values: Values) -> Floats:
        """Return (sum of -log probability, positions) per item."""
        prediction, target = values["prediction"], values["target"]
        logits = np.moveaxis(prediction, class_axis("prediction", prediction, self._axis), -1)
        if logits.shape[:-1] != target.shape:
            refuse(
                "target",
                "prediction and target do not fit together",
                expected=f"token ids of shape {logits.shape[:-1]}",
                found=describe(target),
                fix="Store one token id per position of the logits, or correct 'class_axis'.",
            )
        ids = flat_ids("target", target)
        counted = np.ones(ids.shape, np.bool_) if self._ignored is None else ids != self._ignored
        check_ids("target", ids, logits.shape[-1], counted)
        self.count(POSITIONS.noun, int(counted.sum()))
        rows = logits.reshape(*ids.shape, logits.shape[-1])
        surprise = [self._of_item(*item) for item in zip(rows, ids, counted, strict=True)]
        return np.stack([np.array(surprise), counted.sum(axis=1)], axis=1)

    def finish(self, totals: Floats) -> Floats:
        """Return the perplexity."""
        with np.errstate(over="ignore"):
            return np.exp(ratio(totals[..., 0], totals[..., 1]))

    @staticmethod
    def _of_item(logits: NDArray[Any], ids: NDArray[Any], counted: NDArray[Any]) -> float:
        """Return the sum of -log probability of one item in nat."""
        logits, ids = logits[counted], ids[counted]
        surprise = np.empty(len(ids))
        for part in _parts(*logits.shape):
            surprise[part] = _surprise(as_float64("prediction", logits[part]), ids[part])
        return float(surprise.sum())


def _parts(rows: int, classes: int) -> Iterator[slice]:
    """Yield the rows that are computed with at a time."""
    step = max(1, CHUNK // classes)
    return (slice(start, start + step) for start in range(0, rows, step))


def _shifted(logits: Floats) -> tuple[Floats, Floats]:
    """Return logits less the greatest of their row, and the log of the sum of their exponentials.

    The difference of the two is the log of the softmax, which neither overflows nor becomes
    -infinity where the probability itself is too small for a number.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted, np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _surprise(logits: Floats, ids: NDArray[Any]) -> Floats:
    """Return -log of the probability that each row gives to its token."""
    shifted, total = _shifted(logits)
    surprise: Floats = total - np.take_along_axis(shifted, ids[:, None], axis=1)
    return surprise.ravel()


def _of_logits(target: Floats, prediction: Floats) -> Floats:
    """Return the divergence of each row of logits."""
    (ours, our_total), (theirs, their_total) = _shifted(prediction), _shifted(target)
    theirs -= their_total
    ours -= our_total
    divergence: Floats = (np.exp(theirs) * (theirs - ours)).sum(axis=1)
    return divergence


def _of_probabilities(target: Floats, prediction: Floats) -> Floats:
    """Return the divergence of each row of probabilities, their sums made exactly 1."""
    theirs, ours = (rows / rows.sum(axis=1, keepdims=True) for rows in (target, prediction))
    with np.errstate(divide="ignore", invalid="ignore"):  # 0 log(0 / q) is 0
        divergence: Floats = np.where(theirs == 0, 0.0, theirs * np.log(theirs / ours)).sum(axis=1)
    return divergence
