"""What a sample or an original truly is, in the form in which a submission claims it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from conformance.cli.inquiry import inquiry, result_of, sample_subject, valid
from conformance.evidence.executor import Executor
from conformance.judging.causes import by_cause, cause_of
from conformance.judging.sizes import compressed_percent, compression_factor
from conformance.plan.results import (
    OriginalRow,
    Outcome,
    ReconstructedRow,
    TensorFacts,
    TensorProblem,
)
from conformance.plan.subjects import (
    LayerRunSubject,
    Plan,
    RunSubject,
    SampleSubject,
    VectorsSubject,
)
from conformance.sandbox.limits import Limits
from conformance.submission import Loaded
from conformance.submission.tolerances import widest_of_value
from conformance.submission.update_graph import cumulative_sizes
from conformance.submission.values import VALUE_TOLERANCE, File, MetricUse
from conformance.verdicts import ConformanceError, Json, JsonNumber, Location

METADATA = "submission.json"
DIGITS = 4
"""Decimals of the two ratios; a claim is compared within half a percent."""


def true_claims(folder: Path, name: str, limits: Limits | None = None) -> str:
    """Return the values to claim for a sample or model, as measured: JSON, ready to paste.

    These are the ``claims`` and ``features`` of a sample, the ``metric_values`` of an original. If
    a sample and a model have one id, the sample is meant.

    Raises :class:`~conformance.verdicts.ConformanceError` if the metadata do not hold together,
    ``name`` is not in them, or it cannot be evaluated.
    """
    with inquiry(folder, limits) as (loaded, executor):
        made = _of_original(executor, loaded, name) or _measure(
            executor, loaded, sample_subject(loaded, name)
        )
        return json.dumps(made, indent=2)


def _of_original(executor: Executor, loaded: Loaded, name: str) -> dict[str, Json]:
    """Return the values of a model with vectors, unless a sample has its id; nothing otherwise."""
    if loaded.submission is None:
        return {}
    plan = Plan(loaded.id, loaded.submission)
    runs = [each for each in plan.vectors if each.model.id == name]
    if not runs or name in {each.sample.id for each in plan.samples}:
        return {}
    values = [row for run in runs for row in _original_values(executor, plan, run)]
    return {"metric_values": values}


def _original_values(executor: Executor, plan: Plan, run: VectorsSubject) -> Iterator[Json]:
    """Yield the value of every metric that is measured on the original, on one vector set."""
    for metric, outcome in result_of(executor, run.original).metrics.items():
        value = _measured(metric, outcome)
        yield _value(plan, metric, run.vectors.id, value, value)


def _measure(executor: Executor, loaded: Loaded, subject: SampleSubject) -> dict[str, Json]:
    sample, plan = subject.sample, Plan(loaded.id, valid(loaded))
    decoded = result_of(executor, subject.decode)
    _require_whole(decoded.coverage, sample.id)
    _require_finite(decoded.tensors, sample.id, sample.files)
    layers = {"layers": list(_layers(executor, plan, subject))} if sample.layers else {}
    return {
        "features": list(decoded.features),
        "claims": {
            **_sizes(subject),
            "metric_values": list(_metric_values(executor, plan, subject)),
            "tensor_digests": {
                name: facts.sha256
                for name, facts in decoded.tensors.items()
                if facts.scalar or not facts.optional
            },
        },
        **layers,
    }


def _sizes(subject: SampleSubject) -> dict[str, Json]:
    """Return the size, and the ratios of a whole network or what leads to an update."""
    model, sample = subject.model, subject.sample
    if sample.is_derived:
        total = cumulative_sizes(subject.submission)[sample.id]
        return {"compressed_size": sample.size, "cumulative_size": total}
    return {
        "compressed_size": sample.size,
        "compression_factor": round(compression_factor(model, sample), DIGITS),
        "compressed_percent": round(compressed_percent(model, sample), DIGITS),
    }


def _layers(executor: Executor, plan: Plan, subject: SampleSubject) -> Iterator[Json]:
    """Yield the claims of every layer, for each metric that the sample is judged by."""
    total = 0
    uses = [each for each in plan.deltas if each.sample == subject.sample]
    for layer in (each for each in plan.layers if each.sample == subject.sample):
        state = result_of(executor, layer.state)
        _require_whole(state.coverage, layer.id)
        _require_finite(state.tensors, layer.id, layer.files)
        total += state.size
        runs = ((layer.narrowed(LayerRunSubject, vectors=each.vectors), each.use) for each in uses)
        values = [_row(executor, plan, run, use) for run, use in runs]
        claims = {"size": state.size, "cumulative_size": total, "metric_values": values}
        yield {"id": layer.layer.id, "claims": claims}


def _require_whole(coverage: Sequence[TensorProblem], sample: str) -> None:
    """Refuse a sample that lacks parameters, with the first of the causes."""
    if coverage:
        first, *others = (cause.problem for cause in by_cause(map(cause_of, coverage)))
        raise ConformanceError(
            f"sample {sample!r} is not the whole network: {first.message}",
            where=first.where,
            expected=first.expected,
            found=first.found,
            fix=first.fix
            + (f"; `nnr-conformance run` lists this and {len(others)} more" if others else ""),
        )


def _require_finite(tensors: Mapping[str, TensorFacts], sample: str, files: Sequence[File]) -> None:
    """Refuse a sample that cannot be measured, with the first tensor that keeps it from it."""
    for name, facts in sorted(tensors.items()):
        if facts.non_finite:
            raise ConformanceError(
                f"sample {sample!r} cannot be measured: tensor {name!r} holds values that are not "
                "finite",
                where=Location(files[0].rel_filepath if files else METADATA, element=name),
                expected="finite values where the original's are finite",
                found=f"{facts.non_finite} values that are NaN or infinite",
                fix="look for a division by zero, an overflow to infinity or a damaged scale in "
                "the encoder; `nnr-conformance run` lists all such tensors",
            )


def _metric_values(executor: Executor, plan: Plan, subject: SampleSubject) -> Iterator[Json]:
    """Yield the value of every metric the sample is judged by."""
    for run in plan.deltas:
        if run.sample == subject.sample:
            yield _row(executor, plan, run, run.use)


def _row(executor: Executor, plan: Plan, run: RunSubject, use: MetricUse) -> Json:
    """Return the value of one metric on the vectors of ``run``."""
    # What is wrong with the original is reported by its own case; the sample's would point there.
    original = result_of(executor, run.original).metrics[use.metric]
    reference = _measured(use.metric, original)
    sample = result_of(executor, run.reconstruction).metrics[use.metric]
    return _value(plan, use.metric, use.vectors, _measured(use.metric, sample), reference)


def _measured(metric: str, outcome: Outcome[OriginalRow] | Outcome[ReconstructedRow]) -> JsonNumber:
    """Return a value, or raise its error; one that knows no place is that of the metric."""
    try:
        return outcome.row.value
    except ConformanceError as error:
        error.where = error.where or Location(METADATA, element=f"metric {metric!r}")
        raise


def _value(plan: Plan, metric: str, vectors: str, value: JsonNumber, reference: JsonNumber) -> Json:
    """Return a claim of a value, with a tolerance that SUBMISSION-TOLERANCE-001 accepts."""
    uses = [run.use for run in plan.deltas]
    tolerances = [u.tolerance for u in uses if (u.metric, u.vectors) == (metric, vectors)]
    original = abs(float(reference))
    losses = [t.bound * (original if t.type == "relative" else 1.0) for t in tolerances]
    # What accepts no loss admits a tolerance of at least the default.
    widest = widest_of_value(float(value), min(filter(None, losses), default=math.inf))
    return {
        "metric": metric,
        "vectors": vectors,
        "value": value,
        "tolerance": min(VALUE_TOLERANCE, widest),
    }
