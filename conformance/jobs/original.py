"""The original network: open it, run it, compare its outputs, measure it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict

from conformance.jobs.compare import Magnitudes, OutputComparison
from conformance.jobs.context import Work
from conformance.jobs.declared import check_untold
from conformance.jobs.effect import (
    effect_of_parameters,
    first_items,
    reached_by_parameters,
)
from conformance.jobs.measuring import Measuring, row_of
from conformance.jobs.repeats import Repeats
from conformance.jobs.running import conditions, run_shard, watch_shard, watched
from conformance.jobs.second import second_opinion
from conformance.jobs.stored_arrays import keep_first, keep_outputs, keep_statistics
from conformance.jobs.vectors import ShardArrays, read_shards
from conformance.metrics import Measurement
from conformance.metrics import Metric as MetricKind
from conformance.plan.case import keeps_outputs
from conformance.runtimes import Network, PortInfo
from conformance.runtimes.dtypes import packed_bytes
from conformance.verdicts import ConformanceError, Json, Location

MOST_PIECES = 8
"""Pieces that nothing reads which are named, the largest ones."""


def open_model(work: Work) -> Json:
    """Return the ports, the parameter count and the runtime of the original."""
    network = work.original()
    sizes = {n: packed_bytes(a.dtype, a.size) for n, a in network.parameters.items()}
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
        "unread": _unread(network),
        "foreign_classes": list(getattr(network, "foreign_classes", ())),
        "versions": dict(network.versions),
        "settings": dict(network.settings),
        "unreplaceable": _unreplaceable(network),
    }


def run_original(work: Work) -> Json:
    """Return what the original gives on the vectors: comparison of outputs, metric values.

    Per-item statistics are kept, with which items are identical, and the outputs too if a metric
    compares with them.
    """
    network, vectors = work.original(), work.vectors
    runner = network.bind()
    metrics = work.submission.metrics_on(vectors.id, work.model)
    measuring = Measuring(metrics, batched=vectors.batched)
    comparison = OutputComparison(vectors.output_tolerance)
    magnitudes, repeats = Magnitudes(vectors.batched), Repeats(batched=vectors.batched)
    names = [port.name for port in network.inputs], [port.name for port in network.outputs]
    items, second, watch = 0, None, runner.watch()
    declared: Mapping[str, str] | None = None
    reached: frozenset[str] = frozenset()
    few: ShardArrays | None = None
    for shard in read_shards(vectors, work.submission.root, *names, work.limits):
        outputs = run_shard(runner, vectors, shard)
        watch_shard(watch, vectors, shard, outputs)
        if not items:
            second = second_opinion(runner, vectors, shard)
            few = first_items(shard, vectors)
        check_untold(network.inputs, work.model.inputs, shard.inputs, "inputs")
        check_untold(network.outputs, work.model.outputs, outputs, "outputs")
        if declared is None:
            declared = shard.sources
            reached = reached_by_parameters(
                network, vectors, shard, {n: a for n, a in outputs.items() if n not in declared}
            )
        _require_outputs(declared, shard)
        for name, array in shard.outputs.items():
            comparison.add(name, shard.sources[name], outputs[name], array)
        magnitudes.add({name: outputs[name] for name in shard.outputs})
        measuring.add(outputs, shard.targets, outputs)
        if keeps_outputs(vectors, metrics, work.submission):
            keep_outputs(work.out, shard.index, outputs)
        repeats.add(shard.inputs, shard.items)
        items += shard.items
    under, half = conditions(network, runner, vectors), watched(watch)
    # To look for an effect others are bound: two of a large network would be too much.
    del runner, watch
    effect = effect_of_parameters(network, vectors, few) if few is not None else None
    results = list(measuring.results())
    keep_statistics(work.out, {m.id: r for m, _, r in results if isinstance(r, Measurement)})
    first = repeats.first()
    keep_first(work.out, first)
    return {
        "items": items,
        "distinct_items": len(set(first.tolist())),
        **under,
        "half": half,
        "second_opinion": second,
        "outputs": comparison.to_json(),
        "widest_atol": {name: magnitudes.widest_atol(name) for name in declared or ()},
        "undeclared": _undeclared(declared or {}, measuring.readers(), reached),
        "effect": effect,
        "metrics": {
            metric.id: row_of(outcome, kind) | _better(kind) for metric, kind, outcome in results
        },
    }


def _unread(network: Network) -> Json:
    """Return the bytes that nothing reads, and their largest pieces."""
    pieces = sorted(network.unread, key=lambda each: (-each.bytes, each.file, each.piece))
    return {
        "bytes": sum(each.bytes for each in pieces),
        "count": len(pieces),
        "largest": [asdict(each) for each in pieces[:MOST_PIECES]],
    }


def _unreplaceable(network: Network) -> Json:
    try:
        network.check_replaceable()
    except ConformanceError as error:
        return error.to_json()
    return None


def _undeclared(
    declared: Mapping[str, str], readers: Mapping[str, Sequence[str]], reached: Set[str]
) -> dict[str, Json]:
    """Return the outputs that have to be declared and are not, each with the metrics it is for."""
    return {n: list(readers.get(n, ())) for n in sorted({*readers, *reached} - declared.keys())}


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
            fix="submit the outputs of the original on the items of every shard",
        )


def _better(kind: MetricKind | None) -> dict[str, Json]:
    return {"better": kind.about.better} if kind is not None else {}


def _port(port: PortInfo) -> dict[str, Json]:
    return {"name": port.name, "dtype": port.dtype, "shape": list(port.shape)}
