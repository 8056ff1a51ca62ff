"""How certain a difference between two networks on the same items is.

Use it like this::

    interval = paired_interval(metric, original.statistics, sample.statistics, level=0.95)

Both networks saw the same items, so differences are taken item by item; docs/metrics.md describes
the methods, gives references, and has a table of how often the intervals hold the true difference.
``benchmarks/interval_coverage.py`` writes that table.
"""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from conformance.metrics._protocol import Floats, Metric
from conformance.metrics.tolerance import Interval, NoInterval

FEWEST_ITEMS = 20
"""Items from which on an interval of a metric of real numbers is given."""

FEWEST_DIFFERENT = 5
"""Items in which two networks must differ for their differences to have a known spread."""

FEWEST_EQUAL = 50
"""Items from which on networks that differ in none of them are taken for equal: if they differed
in one item of ten, so many items would show none of it with a probability of 0.5 %."""

CELLS = 2**20
"""Statistics that influences are computed of at a time (8 MiB)."""

_SHARES = ((100, 8), (1000, 4), (math.inf, 2))
"""Below so many items, the error of Hall's t is the interval's divided by this."""

_SAME = 1e-9
"""Influences closer than this times the greatest of them count as equal."""

METHOD = "Student's t joined with Hall's skewness-corrected t, jackknife"


def paired_interval(
    metric: Metric,
    reference: Floats,
    sample: Floats,
    level: float = 0.95,
    first: NDArray[np.int64] | None = None,
) -> Interval | NoInterval:
    """Return the interval of value(sample) - value(reference) at a confidence ``level``.

    ``reference`` and ``sample`` are the statistics (items, k) of the same items in the same order;
    ValueError if their shapes differ. ``first`` has for each item the index of the first item with
    the same inputs: identical items count once. :class:`NoInterval` says why there is none, and
    how many items would give one.
    """
    if reference.shape != sample.shape:
        raise ValueError(f"not the same items: {reference.shape} and {sample.shape}")
    items = len(reference)
    if first is not None:
        if len(first) != items:
            return NoInterval("the metric has not one row of statistics for each item", items, 0)
        chosen = np.unique(first)
        reference, sample = reference[chosen], sample[chosen]
    distinct = len(reference)
    if not (np.isfinite(reference).all() and np.isfinite(sample).all()):
        return NoInterval("the metric is not finite on every item", items, distinct)
    if metric.binary and (reference[:, 1] == 1).all():
        return _of_outcomes(reference[:, 0] > 0, sample[:, 0] > 0, items, level)
    return _of_influences(metric, reference, sample, items, level)


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided p-value of the exact McNemar test of two discordant counts."""
    discordant = gained + lost
    ways = total = 1  # binomial coefficients, exact however many
    for index in range(min(gained, lost)):
        ways = ways * (discordant - index) // (index + 1)
        total += ways
    # In integers up to the last division: neither side need fit into a float.
    return min(1.0, float(Fraction(2 * total, 1 << discordant)))


def bonett_price(gained: int, lost: int, items: int, level: float) -> tuple[float, float]:
    """Return the adjusted Wald interval of (gained - lost) / items [Bonett & Price 2012]."""
    up, down = (gained + 1) / (items + 2), (lost + 1) / (items + 2)
    z = NormalDist().inv_cdf((1 + level) / 2)
    half_width = z * math.sqrt((up + down - (up - down) ** 2) / (items + 2))
    return max(-1.0, up - down - half_width), min(1.0, up - down + half_width)


def influences(metric: Metric, statistics: Floats) -> Floats:
    """Return by how much each item moves the value, times their number less one: (items,).

    It is the jackknife [Efron & Tibshirani 1993, chapter 11]: each item is left out once. Where
    the value is a mean over items, it is the deviation of the item from it.
    """
    items, width = statistics.shape
    totals = statistics.sum(axis=0)
    at_once = max(1, CELLS // width)
    parts = [
        metric.finish(totals) - metric.finish(totals - statistics[begin : begin + at_once])
        for begin in range(0, items, at_once)
    ]
    influence: Floats = (items - 1) * np.concatenate(parts)
    return influence


def distances(influence: Floats, level: float) -> tuple[float, float]:
    """Return how far below and above the measured difference its interval reaches.

    The greater of two on each side: that of Student's t, and that of Hall's monotone transformation
    of t, which takes the skewness of the items out [Hall 1992]. Of the error that ``level`` leaves,
    the second has the less the fewer items there are, as skewness is measured poorly then.
    """
    items = len(influence)
    deviation, unit = _deviations(influence)
    squares = float(np.square(deviation).sum())
    if squares == 0:
        return 0.0, 0.0
    skewness = float((deviation**3).sum()) * items * math.sqrt(items - 1) / squares**1.5
    bend = skewness / (items - 2) / (3 * math.sqrt(items))
    error = unit * math.sqrt(squares / (items * (items - 1)))
    straight = student((1 + level) / 2, items - 1)
    bent = student(1 - (1 - level) / (2 * _share(items)), items - 1)
    below = max(straight, _hall(bent, bend))
    above = max(straight, -_hall(-bent, bend))
    return below * error, above * error


def _deviations(influence: Floats) -> tuple[Floats, float]:
    """Return deviations from the mean in units of the greatest, and that; 1 if there are none."""
    deviation = influence - influence.mean()
    unit = float(np.abs(deviation).max()) or 1.0
    return deviation / unit, unit


def _share(items: int) -> int:
    """Return what divides the error of Hall's t; benchmarks/interval_coverage.py shows why."""
    return next(share for most, share in _SHARES if items < most)


def student(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t, by its expansion around the normal one.

    To four digits and more from 19 degrees of freedom and up to a probability of 0.9975
    [Abramowitz & Stegun 1964, 26.7.5].
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / freedom**power for power, term in enumerate(terms))


def _hall(t: float, bend: float) -> float:
    """Return the studentised difference that Hall's transformation takes to ``t``."""
    if math.isclose(bend, 0.0, abs_tol=_SAME):
        return t
    return (math.cbrt(1 + 3 * bend * (t - bend / 2)) - 1) / bend


def _of_outcomes(
    reference: NDArray[np.bool_], sample: NDArray[np.bool_], items: int, level: float
) -> Interval | NoInterval:
    distinct = len(reference)
    if distinct < 2:  # noqa: PLR2004
        return NoInterval("fewer than 2 distinct items", items, distinct, 2)
    gained = int((sample & ~reference).sum())
    lost = int((reference & ~sample).sum())
    low, high = bonett_price(gained, lost, distinct, level)
    return Interval(
        level=level,
        low=low,
        high=high,
        method="Bonett-Price adjusted Wald",
        items=items,
        distinct_items=distinct,
        p_value=mcnemar(gained, lost),
        gained=gained,
        lost=lost,
    )


def _of_influences(
    metric: Metric, reference: Floats, sample: Floats, items: int, level: float
) -> Interval | NoInterval:
    distinct = len(reference)
    if distinct < FEWEST_ITEMS:
        reason = f"{distinct} distinct items are fewer than {FEWEST_ITEMS}"
        return NoInterval(reason, items, distinct, FEWEST_ITEMS)
    with np.errstate(all="ignore"):  # what is not finite gives no interval
        delta = _difference(metric, reference.sum(axis=0), sample.sum(axis=0))
        influence = influences(metric, sample) - influences(metric, reference)
    if not (math.isfinite(delta) and np.isfinite(influence).all()):
        return NoInterval("the value is not finite on all distinct items but one", items, distinct)
    if problem := _too_few(_different(reference, sample, influence), items, distinct):
        return problem
    below, above = distances(influence, level)
    low = np.fmin(delta - below, _moved(metric, reference, sample, influence, -below))
    high = np.fmax(delta + above, _moved(metric, reference, sample, influence, above))
    if not (np.isfinite(low) and np.isfinite(high)):
        return NoInterval("the interval has no end", items, distinct)
    return Interval(level, float(low), float(high), METHOD, items, distinct)


def _difference(metric: Metric, reference: Floats, sample: Floats) -> float:
    """Return the difference of the values of two sums of statistics."""
    return float(metric.finish(sample) - metric.finish(reference))


def _moved(
    metric: Metric, reference: Floats, sample: Floats, influence: Floats, change: float
) -> float:
    """Return the difference when items are weighted so that it should change by ``change``.

    The weights go with the influences, as those of the least favourable family do [Efron 1987].
    It is the difference plus ``change`` where the value is a mean over items; where it bends, as
    perplexity and PSNR do, it bends the end of the interval. NaN where it has no value.
    """
    deviation, unit = _deviations(influence)
    squares = float(np.square(deviation).sum())  # at least 1, or all deviations are 0
    weights = 1 + deviation * (len(influence) * change / unit / max(1.0, squares))
    with np.errstate(all="ignore"):
        return _difference(metric, weights @ reference, weights @ sample)


def _different(reference: Floats, sample: Floats, influence: Floats) -> int:
    """Return in how many items the networks differ by another amount than in most of them."""
    unequal = int((reference != sample).any(axis=1).sum())
    middle = np.median(influence)
    off = np.abs(influence - middle)
    return min(unequal, int((off > _SAME * np.abs(influence).max()).sum()))


def _too_few(different: int, items: int, distinct: int) -> NoInterval | None:
    """Return why too few items differ for an interval, or None.

    So many items would do as let twice the least number of different ones be expected.
    """
    if different >= FEWEST_DIFFERENT or (different == 0 and distinct >= FEWEST_EQUAL):
        return None
    need = math.ceil(distinct * 2 * FEWEST_DIFFERENT / different) if different else FEWEST_EQUAL
    reason = f"only {different} of {distinct} distinct items distinguish the networks"
    return NoInterval(f"{reason}, fewer than {FEWEST_DIFFERENT}", items, distinct, need)
