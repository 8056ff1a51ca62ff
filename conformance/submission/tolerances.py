"""Whether tolerances say anything: no relative one to a value of 0, none wider than it may be."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import TypeGuard

from conformance.submission.defects import Defect
from conformance.submission.positions import Pointer
from conformance.submission.sections import MEASUREMENTS, entries, ids_of
from conformance.submission.text import shown
from conformance.submission.values import VALUE_TOLERANCE
from conformance.verdicts import Json

WIDEST = 0.05
"""The widest tolerance of a declared value or output, as a fraction of what it is compared with."""

AS_WRITTEN = 1 + 1e-9
"""What messages round to ten digits is accepted when it is declared so."""

_CLAIMS = tuple(keys for keys in MEASUREMENTS if keys[-1] == "metric_values")


def widest_of_value(value: float, accepted_loss: float) -> float:
    """Return the widest tolerance of a declared or claimed metric value.

    It is :data:`WIDEST` of the loss that the tightest tolerance in use accepts, in the unit of the
    metric. Where no loss is accepted, or nothing is judged by the metric, it is that fraction of
    the value, or :data:`VALUE_TOLERANCE` if that is more.
    """
    if accepted_loss > 0:
        return WIDEST * accepted_loss
    return max(VALUE_TOLERANCE, WIDEST * abs(value))


def find_unusable_tolerances(data: Json) -> Iterator[Defect]:
    """Yield a problem for each relative tolerance that is applied to a reference of 0."""
    zeros = {key: at for key, (at, value) in _references(data).items() if value == 0}
    places: dict[Pointer, list[tuple[Pointer, str]]] = defaultdict(list)
    for model, metric, vectors, tolerance, pointer in _uses(data):
        reference = zeros.get((model, metric, vectors))
        if tolerance.get("type") == "relative" and reference:
            places[pointer].append((reference, metric))
    for pointer, ((reference, metric), *others) in places.items():
        yield _unusable(pointer, metric, [reference, *(each for each, _ in others)])


def find_empty_tolerances(data: Json) -> Iterator[Defect]:
    """Yield a problem for each tolerance so wide that it says nothing about what was declared.

    A metric value of an original, a sample or a layer may be met within :func:`widest_of_value`,
    outputs within :data:`WIDEST` of themselves; the absolute part of their tolerance is compared
    with what the network gives.
    """
    losses, metrics = _accepted_losses(data), ids_of(data, "metrics")
    # What is in use cannot be known of a metric that is not there, nor without any sample.
    ways = _CLAIMS if any(entries(data, "samples")) else ()
    for keys in ways:
        for pointer, entry in entries(data, *keys):
            value, tolerance = entry.get("value"), entry.get("tolerance", VALUE_TOLERANCE)
            pair = str(entry.get("metric")), str(entry.get("vectors"))
            if pair[0] not in metrics or not _is_number(value) or not _is_number(tolerance):
                continue
            loss = losses.get(pair, 0.0)
            widest = widest_of_value(value, loss)
            if tolerance > widest * AS_WRITTEN:
                is_declared = "tolerance" in entry
                yield _too_wide_value(pointer, tolerance, widest, loss, is_declared=is_declared)
    for pointer, vectors in entries(data, "vectors", "output_tolerance"):
        relative = vectors.get("rtol")
        if _is_number(relative) and relative > WIDEST:
            yield _too_wide(
                (*pointer, "rtol"), f"at most {WIDEST:g}: {WIDEST:.0%} of a value", f"{relative:g}"
            )


def _accepted_losses(data: Json) -> dict[tuple[str, str], float]:
    """Return, by metric and vectors, the least loss above 0 that a sample is allowed.

    A relative bound is one of the original's declared value; it is left out where there is none,
    or another than a finite number.
    """
    references = _references(data)
    losses: dict[tuple[str, str], float] = {}
    for model, metric, vectors, tolerance, _ in _uses(data):
        loss = tolerance.get("bound")
        if not _is_number(loss):
            continue
        if tolerance.get("type") == "relative":
            _, value = references.get((model, metric, vectors), ((), 0.0))
            loss *= abs(value)
        if loss > 0 and math.isfinite(loss):
            losses[metric, vectors] = min(loss, losses.get((metric, vectors), math.inf))
    return losses


def _is_number(value: Json) -> TypeGuard[float]:
    """Return whether a value is a number; the schema refuses all else where one is needed."""
    return type(value) in {int, float}


def _too_wide_value(
    pointer: Pointer, tolerance: float, widest: float, loss: float, *, is_declared: bool
) -> Defect:
    of = (
        f"{WIDEST:.0%} of the loss of {loss:.10g} that the tightest tolerance in use accepts"
        if loss > 0
        else f"{WIDEST:.0%} of the value, and {VALUE_TOLERANCE:g} for one that is smaller"
    )
    return _too_wide(
        (*pointer, "tolerance") if is_declared else pointer,
        f"at most {widest:.10g}: {of}",
        f"{tolerance:g}" + ("" if is_declared else ", which holds where none is declared"),
        f'Declare the measured value with "tolerance": {widest:.10g} or less.',
    )


def _too_wide(
    pointer: Pointer,
    expected: str,
    found: str,
    fix: str = "Declare the tolerance that two laboratories need.",
) -> Defect:
    return Defect(
        check="SUBMISSION-TOLERANCE-001",
        message="the tolerance is so wide that it says nothing",
        expected=expected,
        found=found,
        fix=fix,
        pointer=pointer,
    )


def _references(data: Json) -> dict[tuple[str, str, str], tuple[Pointer, float]]:
    """Return where an original's value is declared, and the value, by model, metric, vectors."""
    return {
        (str(model.get("id")), str(value.get("metric")), str(value.get("vectors"))): (
            (*at, *inner),
            float(value["value"]),
        )
        for at, model in entries(data, "models")
        for inner, value in entries(model, "metric_values")
        if _is_number(value.get("value"))
    }


def _uses(data: Json) -> Iterator[tuple[str, str, str, dict[str, Json], Pointer]]:
    """Yield model, metric and vectors of each tolerance in use, the tolerance, and its place."""
    metrics = ids_of(data, "metrics")
    of_metric = {at: metric.get("tolerance") for at, metric in entries(data, "metrics")}
    for at, sample in entries(data, "samples"):
        for inner, use in entries(sample, "metrics"):
            names = (str(sample.get("model")), str(use.get("metric")), str(use.get("vectors")))
            place = (*at, *inner) if "tolerance" in use else metrics.get(names[1], ())
            tolerance = use.get("tolerance", of_metric.get(place))
            if isinstance(tolerance, dict):
                yield *names, tolerance, (*place, "tolerance")


def _unusable(pointer: Pointer, metric: str, references: list[Pointer]) -> Defect:
    return Defect(
        check="SUBMISSION-TOLERANCE-001",
        message=f"the tolerance of metric {shown(metric)} is relative to a value of 0",
        expected="an absolute tolerance, or a reference that is not 0",
        found="type 'relative', and an original whose declared value is 0",
        fix='Write "type": "absolute" and give the bound in the unit of the metric.',
        pointer=pointer,
        also=references,
    )
