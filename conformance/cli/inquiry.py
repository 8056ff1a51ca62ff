"""What commands ask of one submission: its subjects, and evidence that is not an error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from conformance.evidence.executor import Executor
from conformance.evidence.location import evidence_store
from conformance.plan.jobs import Measuring, R_co
from conformance.plan.subjects import Plan, SampleSubject
from conformance.sandbox.limits import Limits
from conformance.sandbox.workers import Workers
from conformance.submission import Loaded, load
from conformance.submission.values import Submission
from conformance.verdicts import ConformanceError


@contextlib.contextmanager
def inquiry(folder: Path, limits: Limits | None = None) -> Iterator[tuple[Loaded, Executor]]:
    """Load the submission in ``folder`` and give what evaluates it; the worker ends at the end."""
    loaded = load(folder)
    executor = Executor(loaded, evidence_store(), Workers(limits or Limits.for_machine()))
    try:
        yield loaded, executor
    finally:
        executor.close()


def result_of(executor: Executor, job: Measuring[R_co]) -> R_co:
    """Return what ``job`` measured; the error in its place is raised."""
    return executor.evidence(job).measured_by(job)


def valid(loaded: Loaded) -> Submission:
    """Return the submission; ConformanceError if its metadata do not hold together."""
    if loaded.submission is None:
        raise ConformanceError(
            "the metadata do not hold together",
            expected="metadata that `nnr-conformance check` accepts",
            found=f"{len(loaded.problems)} findings",
            fix="see `nnr-conformance check` first",
        )
    return loaded.submission


def sample_subject(loaded: Loaded, sample: str) -> SampleSubject:
    """Return the sample with this id as a subject; ConformanceError if there is none."""
    submission = loaded.submission
    known = Plan(loaded.id, submission).samples if submission is not None else ()
    for subject in known:
        if subject.sample.id == sample:
            return subject
    names = ", ".join(subject.sample.id for subject in known)
    raise ConformanceError(
        f"there is no sample {sample!r} to measure",
        expected=f"one of {names}" if names else "metadata that hold together",
        found=sample,
        fix="name one of the samples" if names else "see `nnr-conformance check` first",
    )
