"""How certain a difference between two networks on the same items is.

Use it like this::

    interval = paired_interval(metric, original.statistics, sample.statistics, level=0.95)

Both networks saw the same items, so differences are taken item by item; docs/metrics.md describes
the methods and gives references.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._protocol import Floats, Metric
from conformance.metrics.tolerance import Interval

SEED = 15938
RESAMPLES = 2000

_CELLS = 2**22
"""Item counts of resamples held at a time (32 MiB)."""


def paired_interval(
    metric: Metric,
    reference: Floats,
    sample: Floats,
    level: float = 0.95,
    seed: int = SEED,
) -> Interval | None:
    """Return the interval of value(sample) - value(reference) at a confidence ``level``.

    ``reference`` and ``sample`` are the statistics (items, k) of the same items in the same order;
    ValueError if their shapes differ. None if no interval can be had: fewer than two items, or
    values that are not finite. The same input gives the same digits.
    """
    if reference.shape != sample.shape:
        raise ValueError(f"not the same items: {reference.shape} and {sample.shape}")
    if len(reference) < 2 or not (np.isfinite(reference).all() and np.isfinite(sample).all()):  # noqa: PLR2004
        return None
    if metric.binary:
        return _of_outcomes(reference[:, 0] > 0, sample[:, 0] > 0, level)
    return _of_resamples(metric, reference, sample, level, seed)


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p-value of the exact McNemar test of two discordant counts."""
    discordant = gained + lost
    ways = total = 1  # binomial coefficients, exact however many
    for index in range(min(gained, lost)):
        ways = ways * (discordant - index) // (index + 1)
        total += ways
    # In whole numbers up to the last division: neither side need fit into a float.
    return min(1.0, float(Fraction(2 * total, 1 << discordant)))


def bonett_price(gained: int, lost: int, items: int, level: float) -> tuple[float, float]:
    """Return the adjusted Wald interval of (gained - lost) / items [Bonett & Price 2012]."""
    up, down = (gained + 1) / (items + 2), (lost + 1) / (items + 2)
    z = NormalDist().inv_cdf((1 + level) / 2)
    half_width = z * math.sqrt((up + down - (up - down) ** 2) / (items + 2))
    return max(-1.0, up - down - half_width), min(1.0, up - down + half_width)


def _of_outcomes(reference: NDArray[np.bool_], sample: NDArray[np.bool_], level: float) -> Interval:
    gained = int((sample & ~reference).sum())
    lost = int((reference & ~sample).sum())
    low, high = bonett_price(gained, lost, len(reference), level)
    return Interval(
        level=level,
        low=low,
        high=high,
        method="Bonett-Price adjusted Wald",
        items=len(reference),
        p_value=mcnemar(gained, lost),
        gained=gained,
        lost=lost,
    )


def _of_resamples(
    metric: Metric, reference: Floats, sample: Floats, level: float, seed: int
) -> Interval | None:
    items = len(reference)
    with np.errstate(all="ignore"):  # what is not finite gives no interval
        deltas = np.concatenate(
            [
                metric.finish(times @ sample) - metric.finish(times @ reference)
                for times in _resamples(items, seed)
            ]
        )
        low, high = map(float, np.quantile(deltas, [(1 - level) / 2, (1 + level) / 2]))
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    return Interval(level, low, high, f"paired percentile bootstrap, {RESAMPLES} resamples", items)


def _resamples(items: int, seed: int) -> Iterable[Floats]:
    """Return how often each resample draws each item: (resamples, items), in one part or more."""
    if RESAMPLES * items <= _CELLS:
        return _kept_resamples(items, seed)
    return _drawn(items, seed)


@lru_cache(maxsize=1)
def _kept_resamples(items: int, seed: int) -> tuple[Floats, ...]:
    """Return the resamples of a small set, which all its metrics and samples share."""
    return tuple(_drawn(items, seed))


def _drawn(items: int, seed: int) -> Iterator[Floats]:
    random = np.random.Generator(np.random.PCG64(seed))
    at_once = max(1, _CELLS // items)
    for begin in range(0, RESAMPLES, at_once):
        size = min(at_once, RESAMPLES - begin)
        yield _times_drawn(random.integers(0, items, (size, items)))


def _times_drawn(drawn: NDArray[np.int64]) -> Floats:
    """Return how often each item was drawn: (resamples, items) from indices of that shape."""
    resamples, items = drawn.shape
    offset = np.arange(resamples)[:, None] * items
    times = np.bincount((drawn + offset).ravel(), minlength=resamples * items)
    return times.reshape(resamples, items).astype(np.float64)
