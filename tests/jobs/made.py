"""Jobs by the name of their kind, as tests ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from conformance.jobs.context import Networks, TaskContext
from conformance.plan import jobs
from conformance.plan.jobs import Job
from conformance.plan.requests import Request
from conformance.submission import Submission
from tests.jobs.bench import LIMITS


def a_job(
    submission: Submission,
    kind: str,
    model: str = "linear",
    *,
    sample: str | None = None,
    vectors: str = "test",
    **more: Any,
) -> Job:
    """Return the job of a kind; ``more`` are fields of its class."""
    made = KINDS[kind]
    if kind == "state":
        more.setdefault("part", len(submission.sample(sample).parts) - 1)
    named = {"model": model, "vectors": vectors, "sample": sample}
    ids = {each.name: named[each.name] for each in fields(made) if each.name in named}
    return made(submission, **ids, **more)


def a_task(asked: Request, files: Mapping[str, Path] | None = None) -> TaskContext[Any]:
    """Return the task of a request, with files by role."""
    return TaskContext(
        asked=asked,
        key="0" * 64,
        files=files or {},
        results={},
        out=Path(),
        limits=LIMITS,
        networks=Networks(LIMITS),
    )


KINDS: dict[str, type[Job]] = {
    "model": jobs.OpenModel,
    "parameters": jobs.KeepParameters,
    "network": jobs.OpenSample,
    "tensors": jobs.DecodeTensors,
    "decode": jobs.Decode,
    "state": jobs.DecodeState,
    "layering": jobs.DecodeLayers,
    "misapplication": jobs.Misapply,
    "access": jobs.Access,
    "vectors": jobs.ReadVectors,
    "run": jobs.Run,
    "measure": jobs.MeasureOriginal,
    "original": jobs.Original,
    "control": jobs.Control,
    "agreement": jobs.Agreement,
    "run-sample": jobs.RunSample,
    "reconstruction": jobs.Reconstruction,
    "swapped": jobs.Swapped,
    "compressed-run": jobs.TimeSample,
}
"""Every class of jobs by a name; two kinds run a network."""
