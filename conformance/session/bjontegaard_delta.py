"""The Bjøntegaard delta between two families of samples (VCEG-M33, JVET-T2010).

Rate is the size of a point in bytes, on a logarithmic scale, and quality the value of the metric.
``rate_percent`` is how many more bytes the test family takes than the anchor, on average over the
values that both reach; ``metric_difference`` how much better it is, on average over the sizes that
both have. Metrics of which less is better are negated, so that a positive difference is always an
improvement and a negative rate always a saving.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.session.dominance import Direction, Point, front, gain

# Bjøntegaard's own cubic polynomial, and Akima's pieces, may leave the range of the points they
# join: a curve would then promise a better network for fewer bytes. Monotone pieces (Fritsch and
# Carlson) never do, and they are what the common test conditions of MPEG and ITU-T compare video
# codecs by. Two points are joined by a line.
INTERPOLATION = "pchip"
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

    Points that another of their own family dominates are left out: the rest rises strictly.
    """
    curves = [_curve(points, direction) for points in (anchor, test)]
    for name, curve in zip(names, curves, strict=True):
        if len(curve) < NEEDED:
            return _none(
                f"{name} has {_points(len(curve))} that no other of its own dominates; a curve "
                f"needs {NEEDED}"
            )
    gains, sizes = (_overlap([[row[i] for row in curve] for curve in curves]) for i in (1, 0))
    if not gains and not sizes:
        return _none("the families have no range of values and no range of sizes in common")
    numbers = _numbers(curves)
    rate = numbers["bd_rate"] if gains else None
    difference = numbers["bd_psnr"] if sizes else None
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


def _numbers(curves: Sequence[Sequence[tuple[float, float]]]) -> Mapping[str, float | None]:
    """Return what the library's two functions give for anchor and test; None if not finite."""
    from conformance.report.pictures.importing import quiet_matplotlib

    with quiet_matplotlib():  # The library imports it, to draw what we do not ask for.
        import bjontegaard
        import numpy as np

    columns = [np.array(column) for curve in curves for column in zip(*curve, strict=True)]
    found: dict[str, float | None] = {}
    for name in ("bd_rate", "bd_psnr"):
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                number = float(
                    getattr(bjontegaard, name)(
                        *columns, method=INTERPOLATION, require_matching_points=False, min_overlap=0
                    )
                )
            except (ValueError, ArithmeticError):
                # Slopes between values very far apart, or very close, overflow within SciPy.
                number = math.nan
        found[name] = float(f"{number:.{DIGITS}g}") if math.isfinite(number) else None
    return found


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
