"""Rate and performance in a report: curves, dominance, transparent point, Bjøntegaard deltas."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from itertools import combinations

from conformance.judging.grouped import Grouped
from conformance.report.bjontegaard_delta import Delta, delta
from conformance.report.dominance import Point, dominated_by, transparent
from conformance.report.measurements import Measurements
from conformance.report.rate_points import Curve, curves
from conformance.submission.values import Submission
from conformance.verdicts import Json

MIN_POINTS = 2
"""Points that are worth a table and a picture."""

UNFINISHED = Delta(None, None, "the run is not complete: more points may come")


def rate_performance_block(
    submission: Submission, measured: Measurements, grouped: Grouped, *, complete: bool
) -> list[dict[str, Json]]:
    """Return one entry for each model, metric and vectors with at least two points.

    Deltas between families are computed once the run is ``complete``.
    """
    return [
        _entry(curve, complete=complete)
        for curve in curves(submission, measured, grouped)
        if len(curve.points) >= MIN_POINTS
    ]


def _entry(curve: Curve, *, complete: bool) -> dict[str, Json]:
    best = transparent(curve.points, curve.noise_floor)
    return {
        "model": curve.model,
        "metric": curve.metric,
        "vectors": curve.vectors,
        "direction": curve.direction,
        "reference": curve.reference,
        "noise_floor": curve.noise_floor,
        "points": [
            {**asdict(point), "dominated_by": labels}
            for point, labels in zip(curve.points, dominated_by(curve.points), strict=True)
        ],
        "transparent": None
        if best is None
        else {
            "sample": best.sample,
            "layer": best.layer,
            "parameter_factor": best.parameter_factor,
        },
        "bjontegaard": _deltas(curve, complete=complete),
    }


def _deltas(curve: Curve, *, complete: bool) -> list[dict[str, Json]]:
    """Compare every two families; the first by name is the anchor."""
    families: dict[str, list[Point]] = defaultdict(list)
    for point in curve.points:
        families[point.family].append(point)
    return [
        {
            "anchor": anchor,
            "test": test,
            **asdict(
                delta(families[anchor], families[test], curve.direction, (anchor, test))
                if complete
                else UNFINISHED
            ),
        }
        for anchor, test in combinations(sorted(families), 2)
    ]
