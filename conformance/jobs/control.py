"""The controls: what metrics say of networks that have lost what the original has learned.

Two kinds: *zeros*, in which every parameter is zero, and *shuffled*, in which the elements of every
parameter are permuted, once for each of three seeds. A tolerance that accepts one of them, or
comes near to it, cannot tell the original from a bad sample either.

Each of the four networks is run on every item of the vector set; all metrics are measured on the
outputs of one run.
"""

from __future__ import annotations

from conformance.jobs.context import TaskContext
from conformance.jobs.measuring import measured, metrics_of, row_of
from conformance.plan.requests import MeasureRequest
from conformance.verdicts import ConformanceError, Json

SHUFFLED = ("shuffled-1", "shuffled-2", "shuffled-3")


def measure_controls(task: TaskContext[MeasureRequest]) -> Json:
    """Return, by metric, ``value`` or ``error`` of every control: zeros, and one for each seed.

    There are no shuffled networks if no permutation changes anything.
    """
    zeros = _rows(task, "zeros")
    shuffles = [rows for seed in SHUFFLED if (rows := _rows(task, seed)) is not None]
    return {
        "items": task.asked.vectors.items,
        "metrics": {
            name: {
                "zeros": zeros[name] if zeros is not None else None,
                "shuffled": [rows[name] for rows in shuffles],
            }
            for name in metrics_of(task)
        },
    }


def _rows(task: TaskContext[MeasureRequest], change: str) -> dict[str, Json] | None:
    """Return what every metric says of the network with changed parameters; its values or errors.

    A network that could not be run has no values; None is one that was not changed by it.
    """
    try:
        if task.result(change)["items"] is None:
            return None
    except ConformanceError as error:
        return {name: {"error": error.to_json()} for name in metrics_of(task)}
    results = measured(task, change).results()
    return {name: _value_of(row_of(outcome)) for name, _, outcome in results}


def _value_of(row: dict[str, Json]) -> Json:
    return {part: row[part] for part in ("value", "error") if part in row}
