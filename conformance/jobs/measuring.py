"""Metrics of a run, fed shard by shard with its outputs and what they are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from conformance.jobs.context import TaskContext
from conformance.jobs.stored_arrays import stored_outputs
from conformance.jobs.vectors import read_shards
from conformance.metrics import Measurement, NoInterval
from conformance.metrics import Metric as MetricKind
from conformance.metrics import metric as metric_kind
from conformance.plan.requests import MeasureRequest, MetricSpec
from conformance.plan.results import (
    MeasuredInterval,
    MeasureResult,
    MissingInterval,
    OriginalRow,
    Outcome,
    RunConditions,
    result_from_json,
)
from conformance.sandbox.limits import Limits
from conformance.tensorfiles import Array, open_tensors, write_tensors
from conformance.verdicts import ConformanceError, Json, JsonNumber, json_number

STATISTICS = "statistics.safetensors"

Asked = TypeVar("Asked", bound=MeasureRequest)


def measure_run(task: TaskContext[MeasureRequest]) -> MeasureResult:
    """Return a row for each metric on the outputs of a run; per-item statistics are kept."""
    measuring = measured(task, "run")
    results = list(measuring.results())
    tables = {
        name: outcome.statistics
        for name, outcome in results
        if isinstance(outcome, Measured) and outcome.statistics is not None
    }
    write_tensors(task.out / STATISTICS, tables)
    return MeasureResult(
        metrics={name: _original_row(outcome) for name, outcome in results},
        readers=measuring.readers(),
    )


def conditions_of(run: Mapping[str, Json]) -> RunConditions:
    """Return the conditions that a result of running a network has, next to other things."""
    conditions = {each.name: run[each.name] for each in fields(RunConditions)}
    return result_from_json(RunConditions, conditions)


def measured(task: TaskContext[Asked], run: str) -> Measuring:
    """Return all metrics of a request, fed with the outputs of a run."""
    asked = task.asked
    measuring = Measuring(metrics_of(task), batched=asked.vectors.batched)
    for shard in read_shards(task, asked.vectors, (), ()):
        outputs = stored_outputs(task.results[run], shard.index, task.limits)
        original: dict[str, Array] = {}
        if "reference" in task.results:
            original = stored_outputs(task.results["reference"], shard.index, task.limits)
        measuring.add(outputs, shard.targets, original)
    return measuring


def metrics_of(task: TaskContext[Asked]) -> dict[str, MetricSpec]:
    """Return the metrics of a request by what stands for their ids."""
    return {task.id(f"metric.{place}"): each for place, each in enumerate(task.asked.metrics)}


def statistics_in(folder: Path, limits: Limits) -> dict[str, Array]:
    """Return the per-item statistics of every metric that has some: float64 (items, k)."""
    path = folder / STATISTICS
    with open_tensors(path, display=STATISTICS, limit_bytes=limits.memory_bytes) as tables:
        return {name: tables[name] for name in tables}


def _original_row(outcome: Measured | ConformanceError) -> Outcome[OriginalRow]:
    if isinstance(outcome, ConformanceError):
        return Outcome(None, outcome)
    return Outcome(OriginalRow(*outcome.row_fields, better=outcome.kind.about.better))


@dataclass(slots=True)
class _Gauge:
    """One metric at work; after an error it takes no more."""

    name: str
    declared: MetricSpec
    kind: MetricKind | None = None
    error: ConformanceError | None = None
    read: set[str] = field(default_factory=set)
    rows: list[int] = field(default_factory=list)

    def attempt(self, action: Callable[[], None]) -> None:
        if self.error is None:
            try:
                action()
            except ConformanceError as error:
                self.error = error


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement, and the metric that took it."""

    kind: MetricKind
    measurement: Measurement

    @property
    def statistics(self) -> Array | None:
        """A row for each item, where the metric is a function of their sum: (items, k)."""
        return self.measurement.statistics

    @property
    def row_fields(
        self,
    ) -> tuple[JsonNumber, int, dict[str, Json], dict[str, int], dict[str, int]]:
        """The fields of a :class:`~conformance.plan.results.MetricRow`, in their order."""
        found = self.measurement
        return (
            json_number(found.value),
            found.items,
            dict(found.details),
            {"items": found.items, **found.counted},
            {count.noun: count.least for count in self.kind.counts},
        )

    def interval(
        self, reference: Array | None, level: float, first: Array
    ) -> MeasuredInterval | MissingInterval | None:
        """Return the interval of the difference from the original, whose statistics are given.

        None where either has none. ``first`` has for each item the first one identical with it.
        """
        if reference is None or self.statistics is None:
            return None
        from conformance.metrics.uncertainty import paired_interval

        if reference.shape != self.statistics.shape:
            raise ConformanceError(
                "the original and the reconstructed network were not measured on the same items",
                expected=f"statistics of shape {reference.shape}",
                found=f"{self.statistics.shape}",
                fix="submit a network whose outputs have the original's shape",
            )
        found = paired_interval(self.kind, reference, self.statistics, level, first)
        if isinstance(found, NoInterval):
            return MissingInterval(
                found.reason, found.items, found.distinct_items, found.items_needed
            )
        return MeasuredInterval(
            level=found.level,
            low=json_number(found.low),
            high=json_number(found.high),
            method=found.method,
            items=found.items,
            distinct_items=found.distinct_items,
            p_value=found.p_value,
            gained=found.gained,
            lost=found.lost,
        )


class Measuring:
    """All metrics of one vector set on one network; one metric's trouble does not stop another.

    If the set is not ``batched``, a shard is one item of the statistics, whatever its arrays hold:
    what one run of the network gives is not independent.
    """

    def __init__(self, metrics: Mapping[str, MetricSpec], *, batched: bool = True) -> None:
        self._batched = batched
        self._gauges = [_Gauge(name, metric) for name, metric in metrics.items()]
        for gauge in self._gauges:
            gauge.attempt(lambda gauge=gauge: _configure(gauge))  # type: ignore[misc]

    def add(
        self,
        outputs: Mapping[str, Array],
        targets: Mapping[str, Array],
        original: Mapping[str, Array],
    ) -> None:
        """Take in a shard: the network's outputs, the targets, the original's outputs."""
        for gauge in self._gauges:
            against = original if gauge.declared.against == "original" else targets
            gauge.attempt(lambda gauge=gauge, against=against: _update(gauge, outputs, against))  # type: ignore[misc]

    def readers(self) -> dict[str, tuple[str, ...]]:
        """Return, by the name of an output, the names of the metrics that have read it."""
        names = sorted({name for gauge in self._gauges for name in gauge.read})
        return {n: tuple(gauge.name for gauge in self._gauges if n in gauge.read) for n in names}

    def results(self) -> Iterator[tuple[str, Measured | ConformanceError]]:
        """Yield the name of every metric with what it measured, or with what went wrong."""
        for gauge in self._gauges:
            found: list[Measured] = []
            if gauge.kind is not None:
                gauge.attempt(lambda kind=gauge.kind: found.append(Measured(kind, kind.result())))  # type: ignore[misc]  # noqa: B023 - called at once
            yield gauge.name, gauge.error or self._by_item(gauge, found.pop())

    def _by_item(self, gauge: _Gauge, found: Measured) -> Measured:
        statistics = found.statistics
        if self._batched or statistics is None or sum(gauge.rows) != len(statistics):
            return found
        begins = np.cumsum([0, *gauge.rows[:-1]])
        by_item = np.add.reduceat(statistics, begins, axis=0)
        return Measured(found.kind, replace(found.measurement, statistics=by_item))


_TARGETS = "targets of the vectors"


def _configure(gauge: _Gauge) -> None:
    gauge.kind = metric_kind(gauge.declared.kind, gauge.declared.args)


def _update(gauge: _Gauge, outputs: Mapping[str, Array], against: Mapping[str, Array]) -> None:
    if gauge.kind is None:
        return
    roles, bindings = gauge.kind.roles, gauge.declared.bindings
    named = {
        role: _name(role, roles.predictions, bindings, outputs, "outputs of the network")
        for role in roles.predictions
    }
    values = {role: outputs[name] for role, name in named.items()}
    gauge.read |= set(named.values())
    compared, whose = dict(bindings), _TARGETS
    if gauge.declared.against == "original":
        whose = "outputs of the original"
        # The original's counterpart of a prediction is the output of the same name.
        for target, prediction in zip(roles.targets, roles.predictions, strict=False):
            if prediction in bindings:
                compared.setdefault(target, bindings[prediction])
    for role in roles.targets:
        name = _name(role, roles.targets, compared, against, whose)
        values[role] = against[name]
        if gauge.declared.against == "original":
            gauge.read.add(name)
    # A single number has no axis that counts items: the shard, one run of the network, is the item.
    batch = {role: np.atleast_1d(array) for role, array in values.items()}
    gauge.kind.update(batch)
    gauge.rows.append(len(next(iter(batch.values()))))


def _name(
    role: str,
    roles: Sequence[str],
    bindings: Mapping[str, str],
    arrays: Mapping[str, Array],
    whose: str,
) -> str:
    """Return the name of a role's array: as bound, else the role's own, else the only one."""
    name = bindings.get(role, role)
    if name in arrays:
        return name
    if role not in bindings and len(roles) == len(arrays) == 1:
        return next(iter(arrays))
    bind = f'bind the role: "bindings": {{"{role}": "<name of the array>"}}'
    if whose == _TARGETS:
        bind = bind if arrays else "store targets in the shards of the vectors"
        bind += ', or compare with the outputs of the original: "against": "original"'
    raise ConformanceError(
        f"there is no array for the role {role!r} of the metric",
        expected=f"{name!r} among the {whose}",
        found=", ".join(sorted(arrays)) or "none",
        fix=bind,
    )
