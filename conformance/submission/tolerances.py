"""Whether tolerances say anything: no relative one to a value of 0, none as wide as the value."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from conformance.submission.clauses import TOLERANCE
from conformance.submission.pieces import VALUE_TOLERANCE
from conformance.submission.positions import Pointer
from conformance.submission.problems import Problem
from conformance.submission.sections import entries, ids_of
from conformance.submission.wording import shown
from conformance.verdicts import Json

WIDEST = 0.05
"""The widest tolerance of a declared value or output, as a fraction of it."""


def find_unusable_tolerances(data: Json) -> Iterator[Problem]:
    """Yield a problem for each relative tolerance that is applied to a reference of 0."""
    zeros = _zero_references(data)
    places: dict[Pointer, list[tuple[Pointer, str]]] = defaultdict(list)
    for model, metric, vectors, tolerance_at in _relative_uses(data):
        if reference := zeros.get((model, metric, vectors)):
            places[tolerance_at].append((reference, metric))
    for pointer, ((reference, metric), *others) in places.items():
        yield _unusable(pointer, metric, [reference, *(each for each, _ in others)])


def find_empty_tolerances(data: Json) -> Iterator[Problem]:
    """Yield a problem for each tolerance so wide that it says nothing about what was declared.

    A declared metric value may be met within :data:`WIDEST` of itself or of the loss that its
    metric accepts, whichever is more; outputs within as much of themselves.
    """
    bounds = {str(m.get("id")): _bound(m) for _, m in entries(data, "metrics")}
    for keys in (("models", "metric_values"), ("samples", "claims", "metric_values")):
        for pointer, entry in entries(data, *keys):
            value, tolerance = _number(entry.get("value")), _number(entry.get("tolerance"))
            bound = bounds.get(str(entry.get("metric")), math.inf)
            widest = max(VALUE_TOLERANCE, WIDEST * abs(value), WIDEST * bound)
            if tolerance > widest:
                yield _too_wide((*pointer, "tolerance"), tolerance, widest)
    for pointer, vectors in entries(data, "vectors", "output_tolerance"):
        relative = _number(vectors.get("rtol"))
        if relative > WIDEST:
            yield _too_wide((*pointer, "rtol"), relative, WIDEST)


def _bound(metric: dict[str, Json]) -> float:
    tolerance = metric.get("tolerance")
    return _number(tolerance.get("bound")) if isinstance(tolerance, dict) else 0.0


def _number(value: Json) -> float:
    """Return a number as it is; 0 for anything else, which the schema refuses."""
    return float(value) if isinstance(value, int | float) else 0.0


def _too_wide(pointer: Pointer, tolerance: float, widest: float) -> Problem:
    return Problem(
        check="SUBMISSION-TOLERANCE-001",
        message="the tolerance is so wide that it says nothing",
        expected=f"at most {widest:g}: {WIDEST:.0%} of what is declared, or of the accepted loss",
        found=f"{tolerance:g}",
        mend="Declare the measured value, with the tolerance that two laboratories need.",
        clause=TOLERANCE,
        pointer=pointer,
    )


def _zero_references(data: Json) -> dict[tuple[str, str, str], Pointer]:
    return {
        (str(model.get("id")), str(value.get("metric")), str(value.get("vectors"))): (*at, *inner)
        for at, model in entries(data, "models")
        for inner, value in entries(model, "metric_values")
        if type(value.get("value")) in {int, float} and value["value"] == 0
    }


def _relative_uses(data: Json) -> Iterator[tuple[str, str, str, Pointer]]:
    """Yield model, metric and vectors of each use of a relative tolerance, and its place."""
    metrics = ids_of(data, "metrics")
    of_metric = {at: metric.get("tolerance") for at, metric in entries(data, "metrics")}
    for at, sample in entries(data, "samples"):
        for inner, use in entries(sample, "metrics"):
            names = (str(sample.get("model")), str(use.get("metric")), str(use.get("vectors")))
            place = (*at, *inner) if "tolerance" in use else metrics.get(names[1], ())
            tolerance = use.get("tolerance", of_metric.get(place))
            if isinstance(tolerance, dict) and tolerance.get("type") == "relative":
                yield *names, (*place, "tolerance")


def _unusable(pointer: Pointer, metric: str, references: list[Pointer]) -> Problem:
    return Problem(
        check="SUBMISSION-TOLERANCE-001",
        message=f"the tolerance of metric {shown(metric)} is relative to a value of 0",
        expected="an absolute tolerance, or a reference that is not 0",
        found="type 'relative', and an original whose declared value is 0",
        mend='Write "type": "absolute" and give the bound in the unit of the metric.',
        clause=TOLERANCE,
        pointer=pointer,
        also=references,
    )
