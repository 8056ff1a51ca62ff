"""Building the small values that several sections of the metadata are made of."""

from __future__ import annotations

from conformance.submission.values import File, MetricValue, Tolerance
from conformance.verdicts import Json

VALUE_TOLERANCE = 1e-6
"""How far a measured metric may lie from a declared one, where that is not declared as well."""


def files(data: Json) -> tuple[File, ...]:
    """Return the files that a list of the metadata names."""
    return tuple(File(each["rel_filepath"], int(each["size"]), each["sha256"]) for each in data)


def metric_values(data: Json) -> tuple[MetricValue, ...]:
    """Return declared or claimed values of metrics."""
    return tuple(
        MetricValue(
            metric=each["metric"],
            vectors=each["vectors"],
            value=float(each["value"]),
            tolerance=float(each.get("tolerance", VALUE_TOLERANCE)),
        )
        for each in data
    )


def optional_float(data: Json, key: str) -> float | None:
    """Return the number under ``key``, or None if there is none."""
    return float(data[key]) if key in data else None


def tolerance(data: Json) -> Tolerance:
    """Return the tolerance that ``data`` describes."""
    return Tolerance(
        type=data["type"],
        bound=float(data["bound"]),
        inclusive=data["inclusive"],
        upper_bound=optional_float(data, "upper_bound"),
        confidence=optional_float(data, "confidence"),
    )
