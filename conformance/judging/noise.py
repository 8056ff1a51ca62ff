"""The noise floor of a metric: how far its value moves with the model format alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from conformance.submission.values import MetricUse
from conformance.verdicts import Json, json_number


def spread_of(values: Collection[float]) -> float:
    """Return the greatest less the least of the values; equal ones, infinite too, differ by 0."""
    greatest, least = max(values), min(values)
    return 0.0 if greatest == least else greatest - least


def noise_row(use: MetricUse, values: Mapping[str, float]) -> dict[str, Json]:
    """Return what the report says of a metric's values, by the model's id, and of their spread."""
    return {
        "metric": use.metric,
        "vectors": use.vectors,
        "noise_floor": json_number(spread_of(values.values())),
        "values": {model: json_number(value) for model, value in values.items()},
    }
