"""The original on a vector set: its outputs beside those that the vectors declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from conformance.jobs.compare import Magnitudes, OutputComparison
from conformance.jobs.context import TaskContext
from conformance.jobs.measuring import conditions_of
from conformance.jobs.stored_arrays import stored_outputs
from conformance.jobs.vectors import check_untold, ports_of, read_shards
from conformance.plan.requests import OriginalRequest, typed
from conformance.plan.results import (
    Effect,
    MeasureResult,
    OriginalResult,
    SecondOpinion,
    result_from_json,
)


def compare_outputs(task: TaskContext[OriginalRequest]) -> OriginalResult:
    """Return what the original gives on the vectors: comparison of outputs, and metric values."""
    asked, run, declared = task.asked, task.result("run"), task.result("vectors")["outputs"]
    ports = ports_of(task.result("model"), "outputs")
    comparison = OutputComparison(asked.output_tolerance)
    magnitudes = Magnitudes(asked.vectors.batched)
    for shard in read_shards(task, asked.vectors, (), [port.name for port in ports]):
        outputs = stored_outputs(task.results["run"], shard.index, task.limits)
        check_untold(ports, asked.outputs, outputs, "outputs")
        for name, array in shard.outputs.items():
            comparison.add(name, shard.sources[name], outputs[name], array)
        magnitudes.add({name: outputs[name] for name in shard.outputs})
    measured = result_from_json(MeasureResult, task.result("measured"))
    conditions = conditions_of(run)
    return OriginalResult(
        items=conditions.items,
        distinct_items=task.result("vectors")["distinct_items"],
        batch_size=conditions.batch_size,
        settings=conditions.settings,
        half=conditions.half,
        second_opinion=SecondOpinion(**run["second_opinion"]) if run["second_opinion"] else None,
        outputs=comparison.rows(),
        widest_atol={name: magnitudes.widest_atol(name) for name in declared},
        undeclared=_undeclared(set(declared), measured.readers, set(run["reached"])),
        effect=typed(run["effect"], Effect),
        metrics=measured.metrics,
    )


def _undeclared(
    declared: Set[str], readers: Mapping[str, Sequence[str]], reached: Set[str]
) -> dict[str, tuple[str, ...]]:
    """Return the outputs that have to be declared and are not, each with the metrics it is for."""
    return {n: tuple(readers.get(n, ())) for n in sorted({*readers, *reached} - declared)}
