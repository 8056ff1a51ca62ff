"""The noise floor of a metric: how far its value moves with the model format alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from conformance.plan.results import (
    AgreementResult,
    MetricRow,
    OriginalResult,
    OriginalRow,
    Outcome,
    Result,
)
from conformance.submission.values import MetricUse
from conformance.verdicts import Json, json_number


def spread_of(values: Collection[float]) -> float:
    """Return the greatest less the least of the values; equal ones, infinite too, differ by 0."""
    greatest, least = max(values), min(values)
    return 0.0 if greatest == least else greatest - least


def metrics_in(
    result: Result | Mapping[str, Json] | None,
) -> Mapping[str, Outcome[OriginalRow]] | Mapping[str, Outcome[MetricRow]]:
    """Return what came of every metric of an original, or between formats, by id."""
    return result.metrics if isinstance(result, OriginalResult | AgreementResult) else {}


def value_in(result: Result | Mapping[str, Json] | None, metric: str) -> float | None:
    """Return the value of a metric on an original, or between formats; None if there is none."""
    outcome = metrics_in(result).get(metric)
    return None if outcome is None or outcome.error is not None else float(outcome.row.value)


def noise_row(use: MetricUse, values: Mapping[str, float]) -> dict[str, Json]:
    """Return what the report says of a metric's values, by the model's id, and of their spread."""
    return {
        "metric": use.metric,
        "vectors": use.vectors,
        "noise_floor": json_number(spread_of(values.values())),
        "values": {model: json_number(value) for model, value in values.items()},
    }
