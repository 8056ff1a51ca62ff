"""From the name of a metric kind to a configured metric."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.metrics._protocol import Metric
from conformance.registry import METRICS, Registry
from conformance.verdicts import Json, UnsupportedError


def metric_class(kind: str, registry: Registry = METRICS) -> type[Metric]:
    """Return the class registered for ``kind``; UnsupportedError if there is none to use."""
    found = registry.load(kind)
    if isinstance(found, type) and issubclass(found, Metric):
        return found
    raise UnsupportedError(
        f"what is registered as the metric kind {kind!r} is not a metric",
        expected="a subclass of conformance.metrics.Metric",
        found=f"{found!r} of {registry.distribution(kind)}",
        fix="Point the entry point at a subclass of conformance.metrics.Metric.",
    )


def metric(kind: str, args: Mapping[str, Json], registry: Registry = METRICS) -> Metric:
    """Return a fresh metric of ``kind``.

    Raises UnsupportedError for an unknown kind, ConformanceError for arguments that do not fit,
    and NotRunError if a library the kind needs is not installed.
    """
    return metric_class(kind, registry).configure(args)
