"""What a sample or an original truly is, in the form in which a submission claims it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from conformance.checks import Over
from conformance.cli.inquiry import inquiry, result_of, sample_subject, valid
from conformance.evidence.executor import Executor
from conformance.judging.causes import by_cause, cause_of
from conformance.judging.sizes import compressed_percent, compression_factor
from conformance.plan.jobs import KIND_OF
from conformance.plan.results import (
    DecodeResult,
    OriginalResult,
    OriginalRow,
    Outcome,
    R,
    ReconstructedRow,
    ReconstructionResult,
    StateResult,
    TensorFacts,
    TensorProblem,
)
from conformance.plan.subjects import Subject, job_of, subjects
from conformance.sandbox.limits import Limits
from conformance.submission import Loaded
from conformance.submission.tolerances import widest_of_value
from conformance.submission.update_graph import cumulative_sizes
from conformance.submission.values import VALUE_TOLERANCE, File, MetricUse
from conformance.verdicts import ConformanceError, Json, JsonNumber, Location

METADATA = "submission.json"
Listed: TypeAlias = Mapping[Over, tuple[Subject, ...]]
"""All subjects of a submission, by what they are about."""
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
        listed = subjects(loaded.id, loaded.submission)
        samples = {each.sample.id for each in listed.get("sample", ()) if each.sample}
        runs = [each for each in listed.get("vectors", ()) if each.model and each.model.id == name]
        if runs and name not in samples:
            values = [row for run in runs for row in _original_values(executor, listed, run)]
            made: Json = {"metric_values": values}
        else:
            made = _measure(executor, loaded, sample_subject(loaded, name))
        return json.dumps(made, indent=2)


def _result(executor: Executor, subject: Subject, kind: type[R]) -> R:
    return result_of(executor, job_of(KIND_OF[kind], subject, valid(executor.loaded)), kind)


def _original_values(executor: Executor, listed: Listed, run: Subject) -> Iterator[Json]:
    """Yield the value of every metric that is measured on the original, on one vector set."""
    if run.vectors is None:
        raise ValueError(f"{run.id} is about no vectors")
    for metric, outcome in _result(executor, run, OriginalResult).metrics.items():
        value = _measured(metric, outcome)
        yield _value(listed, metric, run.vectors.id, value, value)


def _measure(executor: Executor, loaded: Loaded, subject: Subject) -> Json:
    sample = subject.sample
    if sample is None:
        raise ValueError(f"{subject.id} is not a sample")
    decoded = _result(executor, subject, DecodeResult)
    _require_whole(decoded.coverage, sample.id)
    _require_finite(decoded.tensors, sample.id, sample.files)
    layers = {"layers": list(_layers(executor, loaded, subject))} if sample.layers else {}
    return {
        "features": list(decoded.features),
        "claims": {
            **_sizes(loaded, subject),
            "metric_values": list(_metric_values(executor, loaded, subject)),
            "tensor_digests": {
                name: facts.sha256
                for name, facts in decoded.tensors.items()
                if facts.scalar or not facts.optional
            },
        },
        **layers,
    }


def _sizes(loaded: Loaded, subject: Subject) -> dict[str, Json]:
    """Return the size, and the ratios of a whole network or what leads to an update."""
    model, sample = subject.model, subject.sample
    if model is None or sample is None:
        raise ValueError(f"{subject.id} is not a sample")
    if sample.is_derived:
        total = cumulative_sizes(valid(loaded))[sample.id]
        return {"compressed_size": sample.size, "cumulative_size": total}
    return {
        "compressed_size": sample.size,
        "compression_factor": round(compression_factor(model, sample), DIGITS),
        "compressed_percent": round(compressed_percent(model, sample), DIGITS),
    }


def _layers(executor: Executor, loaded: Loaded, subject: Subject) -> Iterator[Json]:
    """Yield the claims of every layer, for each metric that the sample is judged by."""
    runs = subjects(loaded.id, loaded.submission)
    total = 0
    for layer in (each for each in runs["layer"] if each.sample == subject.sample):
        if layer.sample is None or layer.part is None:
            raise ValueError(f"{layer.id} is not a layer")
        state = _result(executor, layer, StateResult)
        _require_whole(state.coverage, layer.id)
        _require_finite(state.tensors, layer.id, layer.sample.parts[layer.part].files)
        total += state.size
        uses = (each for each in runs["delta"] if each.sample == subject.sample)
        values = [
            _row(executor, runs, replace(layer, vectors=each.vectors), each.use)
            for each in uses
            if each.use
        ]
        claims = {"size": state.size, "cumulative_size": total, "metric_values": values}
        yield {"id": layer.layer, "claims": claims}


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


def _metric_values(executor: Executor, loaded: Loaded, subject: Subject) -> Iterator[Json]:
    """Yield the value of every metric the sample is judged by."""
    listed = subjects(loaded.id, loaded.submission)
    for run in listed["delta"]:
        if run.sample == subject.sample and run.use is not None:
            yield _row(executor, listed, run, run.use)


def _row(executor: Executor, listed: Listed, run: Subject, use: MetricUse) -> Json:
    """Return the value of one metric on the vectors of ``run``."""
    # What is wrong with the original is reported by its own case; the sample's would point there.
    original = _result(executor, run, OriginalResult).metrics[use.metric]
    reference = _measured(use.metric, original)
    sample = _result(executor, run, ReconstructionResult).metrics[use.metric]
    return _value(listed, use.metric, use.vectors, _measured(use.metric, sample), reference)


def _measured(metric: str, outcome: Outcome[OriginalRow] | Outcome[ReconstructedRow]) -> JsonNumber:
    """Return a value, or raise its error; one that knows no place is that of the metric."""
    try:
        return outcome.row.value
    except ConformanceError as error:
        error.where = error.where or Location(METADATA, element=f"metric {metric!r}")
        raise


def _value(
    listed: Listed, metric: str, vectors: str, value: JsonNumber, reference: JsonNumber
) -> Json:
    """Return a claim of a value, with a tolerance that SUBMISSION-TOLERANCE-001 accepts."""
    uses = [run.use for run in listed["delta"] if run.use is not None]
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
