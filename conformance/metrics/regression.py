"""Errors of real-valued outputs, and the angle between output vectors."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from conformance.metrics._inputs import VALUES, as_float64, same_shape
from conformance.metrics._protocol import About, Floats, Values
from conformance.metrics.additive import AdditiveMetric, ratio

_INPUTS = "prediction, target: real numbers, both (N, ...)"


class ErrorMetric(AdditiveMetric):
    """A function of the mean error of all values of all items."""

    counts = (VALUES,)

    @abstractmethod
    def errors(self, difference: Floats) -> Floats:
        """Return the error of each value from prediction - target."""

    def statistics(self, values: Values) -> Floats:
        """Return (sum of errors, values) per item."""
        same_shape(values)
        prediction = as_float64("prediction", values["prediction"])
        difference = prediction - as_float64("target", values["target"])
        self.count(VALUES.noun, difference.size)
        errors = self.errors(difference).reshape(len(difference), -1)
        count = np.full(len(errors), errors.shape[1], dtype=np.float64)
        return np.stack([errors.sum(axis=1), count], axis=1)

    def finish(self, totals: Floats) -> Floats:
        """Return the mean error."""
        return ratio(totals[..., 0], totals[..., 1])


class Mse(ErrorMetric):
    """Mean squared error."""

    kind = "mse"
    about = About(
        summary="Mean of (prediction - target)^2 over all values of all items.",
        inputs=_INPUTS,
        unit="square of the output's unit",
        range="0 to infinity",
        better="lower",
        statistics="(sum of squared errors, values)",
        library="NumPy",
    )

    def errors(self, difference: Floats) -> Floats:
        """Return the squares."""
        return np.square(difference)


class Rmse(Mse):
    """Root of the mean squared error."""

    kind = "rmse"
    about = About(
        summary="Square root of the mean of (prediction - target)^2 over all values of all items.",
        inputs=_INPUTS,
        unit="the output's unit",
        range="0 to infinity",
        better="lower",
        statistics="(sum of squared errors, values)",
        library="NumPy",
    )

    def finish(self, totals: Floats) -> Floats:
        """Return the root of the mean."""
        return np.sqrt(super().finish(totals))


class Mae(ErrorMetric):
    """Mean absolute error."""

    kind = "mae"
    about = About(
        summary="Mean of |prediction - target| over all values of all items.",
        inputs=_INPUTS,
        unit="the output's unit",
        range="0 to infinity",
        better="lower",
        statistics="(sum of absolute errors, values)",
        library="NumPy",
    )

    def errors(self, difference: Floats) -> Floats:
        """Return the magnitudes."""
        return np.abs(difference)


class CosineSimilarity(AdditiveMetric):
    """The mean cosine of the angle between outputs and targets."""

    kind = "cosine-similarity"
    counts = (VALUES,)
    about = About(
        summary="Mean over items of the cosine of the angle between prediction and target, each "
        "taken as one vector. It is 0 where one of them is all zeros; of an item that is a single "
        "number it is only the sign.",
        inputs=_INPUTS,
        unit="none",
        range="-1 to 1",
        better="higher",
        statistics="(cosine, 1)",
        library="NumPy",
    )

    def statistics(self, values: Values) -> Floats:
        """Return (cosine, 1) per item."""
        same_shape(values)
        self.count(VALUES.noun, values["prediction"].size)
        ours, theirs = (
            _unit_vectors(as_float64(role, values[role])) for role in ("prediction", "target")
        )
        return np.stack([(ours * theirs).sum(axis=1), np.ones(len(ours))], axis=1)

    def finish(self, totals: Floats) -> Floats:
        """Return the mean cosine."""
        return ratio(totals[..., 0], totals[..., 1])


def _unit_vectors(array: Floats) -> Floats:
    """Return items as vectors of length 1 (items, values); all zeros stay so."""
    vectors = array.reshape(len(array), -1)
    # Scaled first, so that squares neither overflow nor vanish.
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled = vectors / np.where(largest == 0, 1.0, largest)
    length = np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
    unit: Floats = scaled / np.where(length == 0, 1.0, length)
    return unit
