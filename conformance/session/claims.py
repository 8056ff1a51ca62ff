"""What a sample truly is, in the form in which a submission claims it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from conformance.evaluation.case import Case
from conformance.evaluation.executor import Executor
from conformance.evaluation.limits import Limits
from conformance.evaluation.plan import Subject, subjects
from conformance.session.sizes import compressed_percent, compression_factor
from conformance.session.storage import evidence_store
from conformance.submission import Loaded, load
from conformance.verdicts import ConformanceError, Json, error_from_json

DIGITS = 4
"""Decimals of the two ratios; a claim is compared within half a percent."""


def true_claims(folder: Path, sample: str) -> str:
    """Return ``claims`` and ``features`` of a sample as measured: JSON, ready to be pasted.

    Raises :class:`~conformance.verdicts.ConformanceError` if the metadata do not hold together, the
    sample is not in them, or it cannot be evaluated.
    """
    loaded = load(folder)
    subject = _subject(loaded, sample)
    executor = Executor(loaded, evidence_store(), Limits.for_machine())
    try:
        return json.dumps(_measure(executor, loaded, subject), indent=2)
    finally:
        executor.close()


def _measure(executor: Executor, loaded: Loaded, subject: Subject) -> Json:
    model, sample = subject.model, subject.sample
    if model is None or sample is None:
        raise ValueError(f"{subject.id} is not a sample")
    decoded = _result(executor, subject.case("decode"))
    return {
        "features": decoded["features"],
        "claims": {
            "compressed_size": sample.size,
            "compression_factor": round(compression_factor(model, sample), DIGITS),
            "compressed_percent": round(compressed_percent(model, sample), DIGITS),
            "metric_values": list(_metric_values(executor, loaded, subject)),
            "tensor_digests": {name: facts["sha256"] for name, facts in decoded["tensors"].items()},
        },
    }


def _metric_values(executor: Executor, loaded: Loaded, subject: Subject) -> Iterator[Json]:
    """Yield the value of every metric the sample is judged by."""
    if subject.sample is None:
        return
    for run in subjects(loaded.id, loaded.submission)["delta"]:
        if run.sample == subject.sample and run.use is not None:
            row = _result(executor, run.case("reconstruction"))["metrics"][run.use.metric]
            if "error" in row:
                raise error_from_json(row["error"])
            yield {
                "metric": run.use.metric,
                "vectors": run.use.vectors,
                "value": row["value"],
            }


def _result(executor: Executor, case: Case) -> Json:
    evidence = executor.evidence(case)
    if evidence.error is not None:
        raise evidence.error
    return evidence.result


def _subject(loaded: Loaded, sample: str) -> Subject:
    known = subjects(loaded.id, loaded.submission).get("sample", ())
    for subject in known:
        if subject.sample is not None and subject.sample.id == sample:
            return subject
    names = ", ".join(subject.sample.id for subject in known if subject.sample)
    raise ConformanceError(
        f"there is no sample {sample!r} to measure",
        expected=f"one of {names}" if names else "metadata that hold together",
        found=sample,
        mend="name one of the samples" if names else "see `nnr-conformance check` first",
    )
