"""The metrics of a sample on a vector set, beside the original's."""

from __future__ import annotations

from dataclasses import asdict

from conformance.jobs.context import TaskContext
from conformance.jobs.measuring import measured, row_of, statistics_in
from conformance.jobs.vectors import first_of_identical
from conformance.metrics import Measurement, NoInterval
from conformance.metrics import Metric as MetricKind
from conformance.plan.requests import ReconstructionRequest, token
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Json, NotRunError, json_number


def measure_sample(task: TaskContext[ReconstructionRequest]) -> Json:
    """Return the metric values of the sample, and the intervals of their differences."""
    run = task.result("run")
    return {
        "items": run["items"],
        "batch_size": run["batch_size"],
        "settings": run["settings"],
        "casts": run["casts"],
        "half": run["half"],
        "metrics": _compared(task),
    }


def _compared(task: TaskContext[ReconstructionRequest]) -> dict[str, Json]:
    """Return a row for each metric: the sample's value, the original's, and the interval."""
    references = task.result("measured")["metrics"]
    statistics = statistics_in(task.results["measured"], task.limits)
    first, rows = first_of_identical(task), {}
    for place, (name, kind, outcome) in enumerate(measured(task, "run").results()):
        # Both requests have the same metrics in the same order.
        there = token(task.asked.results["measured"], f"id.metric.{place}")
        reference, level = references[there], task.asked.levels[place]
        if "error" in reference:
            rows[name] = row_of(_not_measured(name))
            continue
        row = row_of(outcome, kind)
        if isinstance(outcome, Measurement) and kind is not None:
            row["reference"] = reference["value"]
            try:
                row |= _interval(kind, statistics.get(there), outcome, level, first)
            except ConformanceError as error:
                row = row_of(error)
        rows[name] = row
    return rows


def _interval(
    kind: MetricKind, reference: Array | None, outcome: Measurement, level: float, first: Array
) -> dict[str, Json]:
    """Return the interval of the difference, or None and why there is none."""
    if reference is None or outcome.statistics is None:
        return {"interval": None, "no_interval": None}
    from conformance.metrics.uncertainty import paired_interval

    if reference.shape != outcome.statistics.shape:
        raise ConformanceError(
            "the original and the reconstructed network were not measured on the same items",
            expected=f"statistics of shape {reference.shape}",
            found=f"{outcome.statistics.shape}",
            fix="submit a network whose outputs have the original's shape",
        )
    interval = paired_interval(kind, reference, outcome.statistics, level, first)
    if isinstance(interval, NoInterval):
        return {"interval": None, "no_interval": asdict(interval)}
    said = {
        name: json_number(value) if isinstance(value, float) else value
        for name, value in asdict(interval).items()
    }
    return {"interval": said, "no_interval": None}


def _not_measured(metric: str) -> NotRunError:
    return NotRunError(
        f"'{metric}' could not be measured on the original",
        expected="a value of the original to compare with",
        found="an error",
        fix="fix the finding of METRIC-MEASURE-001 first",
    )
