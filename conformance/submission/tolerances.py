"""Whether a relative tolerance has a reference to be relative to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from conformance.submission.clauses import TOLERANCE
from conformance.submission.positions import Pointer
from conformance.submission.problems import Problem
from conformance.submission.sections import entries, ids_of
from conformance.submission.wording import shown
from conformance.verdicts import Json


def find_unusable_tolerances(data: Json) -> Iterator[Problem]:
    """Yield a problem for each relative tolerance that is applied to a reference of 0."""
    zeros = _zero_references(data)
    places: dict[Pointer, list[tuple[Pointer, str]]] = defaultdict(list)
    for model, metric, vectors, tolerance_at in _relative_uses(data):
        if reference := zeros.get((model, metric, vectors)):
            places[tolerance_at].append((reference, metric))
    for pointer, ((reference, metric), *others) in places.items():
        yield _unusable(pointer, metric, [reference, *(each for each, _ in others)])


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
