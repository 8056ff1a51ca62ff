"""Metrics, the tolerance rule, and the uncertainty of a difference.

Use it like this::

    from conformance.metrics import judge, metric

    measure = metric("top-k-accuracy", {"k": 1})
    measure.update({"prediction": logits, "target": labels})  # once per batch
    measurement = measure.result()
    judgement = judge(tolerance, "higher", reference.value, measurement.value)

:mod:`conformance.metrics.uncertainty` gives the interval of a difference. A package adds kinds of
metrics in the entry point group ``nnr_conformance.metrics``: subclasses of :class:`Metric`, most
simply of :class:`conformance.metrics.additive.AdditiveMetric`. Importing this package imports
neither NumPy nor torch.
"""

from conformance.metrics._arguments import REQUIRED, Arg
from conformance.metrics._protocol import About, Count, Measurement, Metric, Roles
from conformance.metrics._registry import metric, metric_class
from conformance.metrics.tolerance import (
    Interval,
    Judgement,
    NoInterval,
    items_to_decide,
    judge,
)
from conformance.registry import METRICS

__all__ = [
    "METRICS",
    "REQUIRED",
    "About",
    "Arg",
    "Count",
    "Interval",
    "Judgement",
    "Measurement",
    "Metric",
    "NoInterval",
    "Roles",
    "items_to_decide",
    "judge",
    "metric",
    "metric_class",
]
