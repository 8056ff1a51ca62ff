"""The metrics of a sample on a vector set, next to the original's."""

from __future__ import annotations

from conformance.jobs.context import TaskContext
from conformance.jobs.measuring import conditions_of, measured, statistics_in
from conformance.jobs.vectors import first_of_identical
from conformance.plan.requests import ReconstructionRequest, Tokens
from conformance.plan.results import (
    MeasuredInterval,
    MeasureResult,
    MissingInterval,
    Outcome,
    ReconstructedRow,
    ReconstructionResult,
    result_from_json,
)
from conformance.verdicts import ConformanceError, NotRunError


def measure_sample(task: TaskContext[ReconstructionRequest]) -> ReconstructionResult:
    """Return the metric values of the sample, and the intervals of their differences."""
    run, levels = task.result("run"), task.asked.levels
    # Both requests have the same metrics in the same order.
    tokens = Tokens(task.asked.results["measured"])
    there = [tokens.id(f"metric.{place}") for place in range(len(levels))]
    references = result_from_json(MeasureResult, task.result("measured")).metrics
    first = first_of_identical(task)
    statistics = statistics_in(task.results["measured"], task.limits)
    conditions = conditions_of(run)
    metrics: dict[str, Outcome[ReconstructedRow]] = {}
    results = measured(task, "run").results()
    for (name, outcome), of, level in zip(results, there, levels, strict=True):
        try:
            if references[of].error is not None:
                raise _not_measured(name)
            if isinstance(outcome, ConformanceError):
                raise outcome
            found = outcome.interval(statistics.get(of), level, first)
        except ConformanceError as error:
            metrics[name] = Outcome(None, error)
            continue
        row = ReconstructedRow(
            *outcome.row_fields,
            reference=references[of].row.value,
            interval=found if isinstance(found, MeasuredInterval) else None,
            no_interval=found if isinstance(found, MissingInterval) else None,
        )
        metrics[name] = Outcome(row)
    return ReconstructionResult(
        items=conditions.items,
        batch_size=conditions.batch_size,
        settings=conditions.settings,
        half=conditions.half,
        casts=run["casts"],
        metrics=metrics,
    )


def _not_measured(metric: str) -> NotRunError:
    return NotRunError(
        f"'{metric}' could not be measured on the original",
        expected="a value of the original to compare with",
        found="an error",
        fix="fix the finding of METRIC-MEASURE-001 first",
    )
