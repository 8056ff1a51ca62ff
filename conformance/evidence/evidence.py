"""What a job left: its result or its error, the arrays it kept, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from conformance.plan.jobs import Job, Measuring, R_co
from conformance.plan.keys import Keys
from conformance.plan.requests import untyped
from conformance.plan.results import R, Result, result_from_json
from conformance.verdicts import ConformanceError, Json, Verdict, error_from_json

FORMAT = 2
"""The version of what is stored: an entry of a different version is ignored."""

LASTING = frozenset({Verdict.FAIL, Verdict.MALFORMED, Verdict.UNSUPPORTED})
"""Errors that the same input gives again; time-outs and deaths are tried anew by the next run."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of one job.

    ``result`` is what was measured, or None if ``error`` says why there is nothing. It is JSON
    where it is stored; the executor makes the class of it that the job has, if it has one.
    ``folder`` holds the arrays that were kept; not ``has_arrays`` says that they were too
    large to be. ``limit_bytes`` is the limit that something in it failed by: under another one it
    may be different. ``cost`` has ``seconds`` (wall clock) and ``peak_bytes`` (resident memory of
    the worker) of the run that computed it.
    """

    job: str
    key: str
    folder: Path
    result: Result | Mapping[str, Json] | None
    error: ConformanceError | None = None
    cost: Mapping[str, float] = field(default_factory=dict)
    reused: bool = False
    has_arrays: bool = True
    limit_bytes: int | None = None

    @property
    def lasting(self) -> bool:
        """Whether the same input would give the same evidence again."""
        return self.error is None or self.error.verdict in LASTING

    def of_job(self, job: Job, keys: Keys) -> Evidence:
        """Return what was stored of a job with the names of its submission in it, and typed.

        ValueError if the result is not of the class that the job has.
        """
        keys.key(job)  # With it, the names are known that stand for tokens of the job.
        return replace(
            self,
            job=job.name,
            result=_typed(job, keys.spelled(self.result)) if self.error is None else None,
            error=None if self.error is None else keys.error_spelled(self.error),
        )

    def result_of(self, kind: type[R]) -> R:
        """Return the result, of class ``kind``; the ConformanceError in its place is raised."""
        if self.error is not None:
            raise self.error
        if not isinstance(self.result, kind):
            raise TypeError(f"{self.job} has no {kind.__name__}")
        return self.result

    def measured_by(self, job: Measuring[R_co]) -> R_co:
        """Return the result of ``job``; the ConformanceError in its place is raised."""
        return cast("R_co", self.result_of(job.Result))

    def to_json(self) -> dict[str, Json]:
        """Return what is stored; ``folder`` and ``reused`` belong to the reader."""
        return {
            "format": FORMAT,
            "job": self.job,
            "key": self.key,
            "result": untyped(self.result),
            "error": self.error.to_json() if self.error else None,
            "cost": dict(self.cost),
            "has_arrays": self.has_arrays,
            "limit_bytes": self.limit_bytes,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Json], folder: Path, *, reused: bool) -> Evidence:
        """Build from what :meth:`to_json` gave."""
        return cls(
            job=data["job"],
            key=data["key"],
            folder=folder,
            result=data["result"],
            error=error_from_json(data["error"]) if data["error"] else None,
            cost=data["cost"],
            reused=reused,
            has_arrays=data["has_arrays"],
            limit_bytes=data["limit_bytes"],
        )


def _typed(job: Job, result: Json) -> Result | Mapping[str, Json]:
    if job.Result is not None:
        return result_from_json(job.Result, result)
    if not isinstance(result, dict):
        raise ValueError(f"Expected `object`, got `{result!r}`")
    return result
