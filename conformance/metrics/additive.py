"""Metrics that are functions of sums over items: nearly all.

A subclass says what the statistics of the items of a batch are, and how a value comes from their
sum. This is also the simplest base of your own metric::

    class Bias(AdditiveMetric):
        kind = "bias"
        about = About(...)

        def statistics(self, values):
            error = values["prediction"] - values["target"]
            return np.stack([error.mean(axis=1), np.ones(len(error))], axis=1)

        def finish(self, totals):
            return totals[..., 0] / totals[..., 1]
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._inputs import count_items, refuse_empty, split_non_finite
from conformance.metrics._protocol import Floats, Measurement, Metric, Values
from conformance.verdicts import Json

STATISTICS_LIMIT = 2**24
"""Statistics are kept per item up to this many numbers (128 MiB), and only summed beyond it."""


class AdditiveMetric(Metric):
    """A metric whose value is ``finish`` of the sum of per-item statistics.

    Statistics of an item in whose predictions a NaN or an infinity occurs are NaN, and with them
    the value of the metric; ``details`` then says how many there were.
    """

    def __init__(self) -> None:
        self._rows: list[Floats] = []
        self._items = 0
        self._broken_items = 0
        self._broken_values = 0
        self._counted: Counter[str] = Counter()
        self._distinct: defaultdict[str, set[Hashable]] = defaultdict(set)

    @abstractmethod
    def statistics(self, values: Values) -> NDArray[Any]:
        """Return the statistics (items, k) of one batch; every prediction in it is finite."""

    @abstractmethod
    def finish(self, totals: Floats) -> Floats:
        """Return the values (...) of sums of statistics (..., k)."""

    def details(self, totals: Floats) -> Mapping[str, Json]:  # noqa: ARG002
        """Return what else there is to say about sums of statistics (k,)."""
        return {}

    def count(self, noun: str, number: int) -> None:
        """Count so many more of what :attr:`counts` names; for :meth:`statistics` to call."""
        self._counted[noun] += number

    def count_distinct(self, noun: str, found: Iterable[Hashable]) -> None:
        """Count those of ``found`` that no batch had before."""
        self._distinct[noun].update(found)

    def update(self, values: Values) -> None:
        """Take in one batch."""
        items = count_items(self.kind, self.roles, values)
        finite, replaced = split_non_finite(self.roles, values)
        with np.errstate(all="ignore"):  # what is not finite shows in the value
            rows = np.array(self.statistics(finite), dtype=np.float64).reshape(items, -1)
        broken = replaced > 0
        rows[broken] = np.nan
        self._items += items
        self._broken_items += int(broken.sum())
        self._broken_values += int(replaced.sum())
        self._keep(rows)

    def result(self) -> Measurement:
        """Return the measurement of all batches."""
        if not self._items:
            refuse_empty(self.kind)
        rows = np.concatenate(self._rows)
        return self._measurement(rows.sum(axis=0), rows if self._fits(rows) else None)

    def _measurement(self, totals: Floats, statistics: Floats | None) -> Measurement:
        with np.errstate(all="ignore"):
            value = float(self.finish(totals))
        return Measurement(
            value=value,
            items=self._items,
            statistics=statistics,
            details={**self._remarks(totals), **self._exceptions(statistics)},
            counted={**self._counted, **{n: len(found) for n, found in self._distinct.items()}},
        )

    def _keep(self, rows: Floats) -> None:
        self._rows.append(rows)
        if not self._fits(rows):
            self._rows = [np.sum([kept.sum(axis=0) for kept in self._rows], axis=0, keepdims=True)]

    def _fits(self, rows: Floats) -> bool:
        return bool(self._items * rows.shape[1] <= STATISTICS_LIMIT)

    def _remarks(self, totals: Floats) -> Mapping[str, Json]:
        return self.details(totals) if np.isfinite(totals).all() else {}

    def _exceptions(self, statistics: Floats | None) -> dict[str, Json]:
        said: dict[str, Json] = {}
        if self._broken_items:
            said["non_finite_items"] = self._broken_items
            said["non_finite_values"] = self._broken_values
        if statistics is None:
            said["no_interval"] = (
                f"the statistics per item are more than {STATISTICS_LIMIT} numbers: only sums kept"
            )
        return said


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return numerator / denominator, and NaN without a warning where nothing was counted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        quotient: Floats = np.divide(numerator, denominator)
    return quotient
