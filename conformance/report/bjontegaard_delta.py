"""The Bjøntegaard delta between two families of samples (VCEG-M33, JVET-T2010).

Rate is the size of a point in bytes, on a logarithmic scale, and quality the value of the metric.
``rate_percent`` is how many more bytes the test family takes than the anchor, on average over the
values that both reach; ``metric_difference`` how much better it is, on average over the sizes that
both have. Metrics of which less is better are negated, so that a positive difference is always an
improvement and a negative rate always a saving.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from conformance.report.dominance import Direction, Point, front, gain

# Bjøntegaard's own cubic polynomial, and Akima's pieces, may leave the range of the points they
# join: a curve would then promise a better network for fewer bytes. Monotone pieces (Fritsch and
# Carlson) never do, and they are what the common test conditions of MPEG and ITU-T compare video
# codecs by. Two points are joined by a line.
#
# The pieces are computed here: the package `bjontegaard` imports pyplot and all of SciPy's
# interpolation, which took a tenth of a run, for a formula of a few lines. The tests compare the
# two.
NEEDED = 2
"""Points that a curve needs at least, after those that are dominated within it are left out."""

DIGITS = 10
"""Significant digits that are kept: the last ones of a logarithm differ between processors."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The two averages, in percent and in units of the metric, or ``reason``: why there is none."""

    rate_percent: float | None
    metric_difference: float | None
    reason: str


def delta(
    anchor: Sequence[Point], test: Sequence[Point], direction: Direction, names: tuple[str, str]
) -> Delta:
    """Compare the curve of ``test`` with that of ``anchor``; ``names`` are those of the families.

    Points that another point of their family dominates are left out: the rest rises strictly.
    """
    curves = [_curve(points, direction) for points in (anchor, test)]
    for name, curve in zip(names, curves, strict=True):
        if len(curve) < NEEDED:
            return _none(
                f"{name} has {_points(len(curve))} that no other of its points dominates; a curve "
                f"needs {NEEDED}"
            )
    gains, sizes = (_overlap([[row[i] for row in curve] for curve in curves]) for i in (1, 0))
    if not gains and not sizes:
        return _none("the families have no range of values and no range of sizes in common")
    points = [[(math.log10(size), better) for size, better in curve] for curve in curves]
    swapped = [[(better, size) for size, better in curve] for curve in points]
    rate = _finite(lambda: 100 * (10 ** _mean_difference(*swapped) - 1)) if gains else None
    difference = _finite(lambda: _mean_difference(*points)) if sizes else None
    return Delta(rate, difference, _reason(rate, difference, gains=gains, sizes=sizes))


def _curve(points: Sequence[Point], direction: Direction) -> list[tuple[float, float]]:
    """Return size and gain of the points of a front, both strictly rising.

    Sizes differ, but their logarithms, or two losses as values, may round to one number.
    """
    curve: list[tuple[float, float]] = []
    for point in front(points):
        row = float(point.size), gain(point.value, direction)
        if not curve or (math.log10(row[0]) > math.log10(curve[-1][0]) and row[1] > curve[-1][1]):
            curve.append(row)
    return curve


def _overlap(ranges: Sequence[Sequence[float]]) -> bool:
    return max(min(numbers) for numbers in ranges) < min(max(numbers) for numbers in ranges)


Row: TypeAlias = tuple[float, float]
"""A point of a curve: x and y."""


def _finite(compute: Callable[[], float]) -> float | None:
    """Return what ``compute`` gives, or None if that is not finite."""
    try:
        number = compute()
    except ArithmeticError:
        # Slopes between values very far apart, or very close, overflow.
        return None
    return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else None


def _mean_difference(anchor: Sequence[Row], test: Sequence[Row]) -> float:
    """Return the mean of ``test`` - ``anchor`` over the x that both have."""
    low, high = max(anchor[0][0], test[0][0]), min(anchor[-1][0], test[-1][0])
    return (_integral(test, low, high) - _integral(anchor, low, high)) / (high - low)


def _integral(rows: Sequence[Row], low: float, high: float) -> float:
    """Return the integral of the curve through ``rows`` from ``low`` to ``high``."""
    x = [each for each, _ in rows]
    steps = [right - left for left, right in pairwise(x)]
    slopes = [
        (right - left) / step
        for ((_, left), (_, right)), step in zip(pairwise(rows), steps, strict=True)
    ]
    tangents = _tangents(steps, slopes)
    total = 0.0
    for at in range(max(0, bisect_right(x, low) - 1), len(steps)):
        if x[at] >= high:
            break
        step, slope = steps[at], slopes[at]
        bend = (tangents[at] + tangents[at + 1] - 2 * slope) / step
        # y + b s + c s^2 + d s^3 where s is counted from the left end of the piece.
        terms = (rows[at][1], tangents[at], (slope - tangents[at]) / step - bend, bend / step)
        ends = max(low, x[at]) - x[at], min(high, x[at + 1]) - x[at]
        left, right = (sum(t * s ** (n + 1) / (n + 1) for n, t in enumerate(terms)) for s in ends)
        total += right - left
    return total


def _tangents(steps: Sequence[float], slopes: Sequence[float]) -> list[float]:
    """Return the slope of the curve at each point.

    Within, the weighted harmonic mean of the slopes on both sides; at the ends that of a parabola
    through three points, kept small enough for the piece to stay monotone. All slopes are positive,
    as the points of a front rise strictly; one that vanished in rounding makes the tangent 0.
    """
    if len(slopes) == 1:
        return [slopes[0]] * 2
    inner = [
        _harmonic(before, after, 2 * right + left, right + 2 * left)
        for (before, after), (left, right) in zip(pairwise(slopes), pairwise(steps), strict=True)
    ]
    return [
        _end(steps[0], steps[1], slopes[0], slopes[1]),
        *inner,
        _end(steps[-1], steps[-2], slopes[-1], slopes[-2]),
    ]


def _harmonic(before: float, after: float, weight: float, other: float) -> float:
    if before <= 0 or after <= 0:
        return 0.0
    return (weight + other) / (weight / before + other / after)


def _end(step: float, next_step: float, slope: float, next_slope: float) -> float:
    tangent = ((2 * step + next_step) * slope - step * next_slope) / (step + next_step)
    return max(0.0, tangent)


def _reason(rate: float | None, difference: float | None, *, gains: bool, sizes: bool) -> str:
    reasons = []
    if not gains:
        reasons.append("no rate: the families have no range of values in common")
    elif rate is None:
        reasons.append("no rate: it cannot be computed as a finite number")
    if not sizes:
        reasons.append("no difference: the families have no range of sizes in common")
    elif difference is None:
        reasons.append("no difference: it cannot be computed as a finite number")
    return "; ".join(reasons)


def _none(reason: str) -> Delta:
    return Delta(None, None, reason)


def _points(amount: int) -> str:
    return f"{amount} point" + ("" if amount == 1 else "s")
