"""The controls: what metrics say of networks that have lost what the original has learned.

Two kinds: *zeros*, in which every parameter is zero, and *shuffled*, in which the elements of every
parameter are permuted, once for each of three seeds. A tolerance that accepts one of them, or
comes near to it, cannot tell the original from a bad sample either.

Each of the four networks is run on every item of the vector set; all metrics are measured on the
outputs of one run.
"""

from __future__ import annotations

from conformance.jobs.context import TaskContext
from conformance.jobs.measuring import measured, metrics_of
from conformance.plan.requests import MeasureRequest
from conformance.plan.results import ControlResult, ControlRow, ControlValue, Outcome
from conformance.verdicts import ConformanceError, json_number

SHUFFLED = ("shuffled-1", "shuffled-2", "shuffled-3")


def measure_controls(task: TaskContext[MeasureRequest]) -> ControlResult:
    """Return what every metric says of the controls: zeros, and one network for each seed.

    There are no shuffled networks if no permutation changes anything.
    """
    zeros = _values(task, "zeros")
    shuffles = [_values(task, seed) for seed in SHUFFLED if _is_changed(task, seed)]
    return ControlResult(
        items=task.asked.vectors.items,
        metrics={
            name: ControlRow(each, tuple(values[name] for values in shuffles))
            for name, each in zeros.items()
        },
    )


def _is_changed(task: TaskContext[MeasureRequest], change: str) -> bool:
    """Return whether the parameters were changed, as far as that network could be run."""
    try:
        return task.result(change)["items"] is not None
    except ConformanceError:
        return True


def _values(task: TaskContext[MeasureRequest], change: str) -> dict[str, Outcome[ControlValue]]:
    """Return what every metric says of the network with changed parameters.

    It is the error in the place of each value for a network that could not be run.
    """
    try:
        task.result(change)
    except ConformanceError as error:
        return {name: Outcome(None, error) for name in metrics_of(task)}
    return {
        name: Outcome(None, outcome)
        if isinstance(outcome, ConformanceError)
        else Outcome(ControlValue(json_number(outcome.measurement.value)))
        for name, outcome in measured(task, change).results()
    }
