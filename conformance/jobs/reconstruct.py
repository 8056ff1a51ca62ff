"""The reconstructed network: parameters put into the original's graph, run, measured, compared."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from conformance.codecs import DecodedModel
from conformance.jobs.context import Work
from conformance.jobs.decode import sample_network
from conformance.jobs.derived import final_parameters
from conformance.jobs.fitted import fitted_tensors
from conformance.jobs.measuring import Measuring, row_of
from conformance.jobs.running import conditions, run_shard, watch_shard, watched
from conformance.jobs.stored_arrays import (
    kept_first,
    kept_metrics,
    kept_outputs,
    kept_statistics,
)
from conformance.jobs.vectors import read_shards
from conformance.metrics import Measurement, NoInterval
from conformance.metrics import Metric as MetricKind
from conformance.plan.case import confidence_levels
from conformance.runtimes import Network, Runner
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Json, NotRunError, json_number


def run_reconstruction(work: Work) -> Json:
    """Return the metric values of the sample on the vectors, beside the original's."""
    with ExitStack() as opened:
        return _run(work, *_reconstructed(work, opened))


def _run(work: Work, network: Network, runner: Runner) -> Json:
    vectors, folder = work.vectors, work.reference_folder
    metrics = work.submission.metrics_on(vectors.id, work.model)
    measuring = Measuring(metrics, batched=vectors.batched)
    names = [port.name for port in network.inputs], [port.name for port in network.outputs]
    items, watch = 0, runner.watch()
    for shard in read_shards(vectors, work.submission.root, *names, work.limits):
        outputs = run_shard(runner, vectors, shard)
        watch_shard(watch, vectors, shard, outputs)
        original = kept_outputs(folder, shard.index, work.limits)
        measuring.add(outputs, shard.targets, original)
        items += shard.items
    return {
        "items": items,
        **conditions(network, runner, vectors),
        "casts": dict(runner.casts),
        "half": watched(watch),
        "metrics": _compared(work, measuring, folder),
    }


def _reconstructed(work: Work, opened: ExitStack) -> tuple[Network, Runner]:
    """Return the network of the sample, ready to run: its own, or the original's refilled."""
    if work.sample.is_derived or work.sample.layers:
        network = work.original()
        return network, network.bind(final_parameters(work))
    decoded = work.decoded()
    if isinstance(decoded, DecodedModel):
        network = opened.enter_context(sample_network(work, decoded))
        return network, network.bind()
    network = work.original()
    with decoded:
        return network, network.bind(fitted_tensors(work, decoded))


def _compared(work: Work, measuring: Measuring, folder: Path) -> dict[str, Json]:
    """Return a row for each metric: the sample's value, the original's, and the interval."""
    references = kept_metrics(folder)
    statistics, first = kept_statistics(folder, work.limits), kept_first(folder, work.limits)
    levels = confidence_levels(work.case, work.submission)
    rows = {}
    for metric, kind, outcome in measuring.results():
        reference = references[metric.id]
        if "error" in reference:
            rows[metric.id] = row_of(_not_measured(metric.id))
            continue
        row = row_of(outcome, kind)
        if isinstance(outcome, Measurement) and kind is not None:
            row["reference"] = reference["value"]
            items, level = statistics.get(metric.id), levels[metric.id]
            try:
                row |= _interval(kind, items, outcome, level, first)
            except ConformanceError as error:
                row = row_of(error)
        rows[metric.id] = row
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
        f"{metric!r} could not be measured on the original",
        expected="a value of the original to compare with",
        found="an error",
        fix="fix the finding of METRIC-MEASURE-001 first",
    )
