"""The original network: open it, run it, compare its outputs, measure it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from conformance.evaluation.case import keeps_outputs, metrics_on
from conformance.evaluation.tasks.compare import OutputComparison
from conformance.evaluation.tasks.control import Control
from conformance.evaluation.tasks.declared import check_untold
from conformance.evaluation.tasks.kept import keep_outputs, keep_statistics
from conformance.evaluation.tasks.measuring import Measuring, row_of
from conformance.evaluation.tasks.running import conditions, run_shard, watch_shard, watched
from conformance.evaluation.tasks.second import second_opinion
from conformance.evaluation.tasks.vectors import ShardArrays, read_shards
from conformance.evaluation.tasks.work import Work
from conformance.metrics import Measurement
from conformance.metrics import Metric as MetricKind
from conformance.runtimes import Network, PortInfo
from conformance.verdicts import ConformanceError, Json, Location


def open_model(work: Work) -> Json:
    """Return the ports, the parameter count and the runtime of the original."""
    network = work.original()
    sizes = {name: array.nbytes for name, array in network.parameters.items()}
    unused, counts = network.unused_parameters, network.counts
    return {
        "format": work.model.format,
        "inputs": [_port(port) for port in network.inputs],
        "outputs": [_port(port) for port in network.outputs],
        "counts": asdict(counts),
        "parameter_bytes": sum(sizes.values()),
        "topology_bytes": network.topology_bytes,
        "used_parameter_bytes": sum(sizes.values()) - sum(sizes[name] for name in unused),
        "unused_parameters": list(unused),
        "unused_fix": network.unused_fix,
        "unused_files": list(network.unused_files),
        "foreign_classes": list(getattr(network, "foreign_classes", ())),
        "versions": dict(network.versions),
        "settings": dict(network.settings),
        "unreplaceable": _unreplaceable(network),
    }


def run_original(work: Work) -> Json:
    """Return what the original gives on the vectors: comparison of outputs, metric values.

    Per-item statistics are kept, and the outputs too if a metric compares with them.
    """
    network, vectors = work.original(), work.vectors
    runner = network.bind()
    metrics = metrics_on(vectors.id, work.submission, work.model)
    measuring, comparison = Measuring(metrics), OutputComparison(vectors.output_tolerance)
    names = [port.name for port in network.inputs], [port.name for port in network.outputs]
    items, second = 0, None
    control, watch = Control(network, metrics, vectors), runner.watch()
    declared: Mapping[str, str] | None = None
    for shard in read_shards(vectors, work.submission.root, *names, work.limits):
        outputs = run_shard(runner, vectors, shard)
        watch_shard(watch, vectors, shard)
        if not items:
            second = second_opinion(runner, vectors, shard)
        check_untold(network.inputs, work.model.inputs, shard.inputs, "inputs")
        check_untold(network.outputs, work.model.outputs, outputs, "outputs")
        declared = shard.sources if declared is None else declared
        _require_outputs(declared, shard)
        for name, array in shard.outputs.items():
            comparison.add(name, shard.sources[name], outputs[name], array)
        measuring.add(outputs, shard.targets, outputs)
        control.add(shard, outputs)
        if keeps_outputs(vectors, metrics, work.submission):
            keep_outputs(work.out, shard.index, outputs)
        items += shard.items
    results = list(measuring.results())
    controlled = control.rows()
    keep_statistics(work.out, {m.id: r for m, _, r in results if isinstance(r, Measurement)})
    return {
        "items": items,
        **conditions(network, runner, vectors),
        "half": watched(watch),
        "second_opinion": second,
        "outputs": comparison.to_json(),
        "metrics": {
            metric.id: row_of(outcome) | _better(kind) | {"control": controlled[metric.id]}
            for metric, kind, outcome in results
        },
    }


def _unreplaceable(network: Network) -> Json:
    try:
        network.check_replaceable()
    except ConformanceError as error:
        return error.to_json()
    return None


def _require_outputs(declared: Mapping[str, str], shard: ShardArrays) -> None:
    """Raise ConformanceError if a shard lacks an output that another one declares."""
    missing = sorted(declared.keys() ^ shard.outputs.keys())
    if missing:
        raise ConformanceError(
            f"output {missing[0]!r} is declared in some shards only",
            where=Location("submission.json", element=f"outputs of shard {shard.index}"),
            expected="the same outputs in every shard; in the first: "
            + (", ".join(sorted(declared)) or "none"),
            found=", ".join(sorted(shard.outputs)) or "none",
            mend="submit the outputs of the original on the items of every shard",
        )


def _better(kind: MetricKind | None) -> dict[str, Json]:
    return {"better": kind.about.better} if kind is not None else {}


def _port(port: PortInfo) -> dict[str, Json]:
    return {"name": port.name, "dtype": port.dtype, "shape": list(port.shape)}
