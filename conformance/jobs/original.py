"""The original on a vector set: its outputs beside those that the vectors declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from conformance.jobs.compare import Magnitudes, OutputComparison
from conformance.jobs.context import TaskContext
from conformance.jobs.stored_arrays import stored_outputs
from conformance.jobs.vectors import check_untold, ports_of, read_shards
from conformance.plan.requests import OriginalRequest
from conformance.verdicts import Json


def compare_outputs(task: TaskContext[OriginalRequest]) -> Json:
    """Return what the original gives on the vectors: comparison of outputs, and metric values."""
    asked, run, vectors = task.asked, task.result("run"), task.result("vectors")
    ports = ports_of(task.result("model"), "outputs")
    comparison = OutputComparison(asked.output_tolerance)
    magnitudes = Magnitudes(asked.vectors.batched)
    for shard in read_shards(task, asked.vectors, (), [port.name for port in ports]):
        outputs = stored_outputs(task.results["run"], shard.index, task.limits)
        check_untold(ports, asked.outputs, outputs, "outputs")
        for name, array in shard.outputs.items():
            comparison.add(name, shard.sources[name], outputs[name], array)
        magnitudes.add({name: outputs[name] for name in shard.outputs})
    measured = task.result("measured")
    declared = vectors["outputs"]
    return {
        "items": run["items"],
        "distinct_items": vectors["distinct_items"],
        "batch_size": run["batch_size"],
        "settings": run["settings"],
        "half": run["half"],
        "second_opinion": run["second_opinion"],
        "outputs": comparison.to_json(),
        "widest_atol": {name: magnitudes.widest_atol(name) for name in declared},
        "undeclared": _undeclared(set(declared), measured["readers"], set(run["reached"])),
        "effect": run["effect"],
        "metrics": measured["metrics"],
    }


def _undeclared(
    declared: Set[str], readers: Mapping[str, Sequence[str]], reached: Set[str]
) -> dict[str, Json]:
    """Return the outputs that have to be declared and are not, each with the metrics it is for."""
    return {n: list(readers.get(n, ())) for n in sorted({*readers, *reached} - declared)}
