"""The real executor and the real checks, with the dispatcher in the process of the tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from conformance.evidence.evidence import Evidence
from conformance.evidence.executor import Executor
from conformance.evidence.store import EvidenceStore
from conformance.jobs.dispatch import Dispatcher
from conformance.judging.judge import Judge
from conformance.judging.loading import load_targets
from conformance.plan.jobs import Measuring
from conformance.plan.results import Result
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import Worker
from conformance.sandbox.workers import Workers
from conformance.submission import Loaded, Submission, load
from conformance.submission.building import build_submission
from conformance.verdicts import Finding
from tests.jobs.bench import LIMITS
from tests.jobs.made import a_job
from tests.judged import concluded


class DispatchingWorker(Worker):
    """Answers at once, without a process; ``asked`` are the kinds of the requests."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        super().__init__(limits)
        self.dispatcher = Dispatcher(limits)
        self.asked: list[str] = []

    def ask(self, request: Any) -> Any:
        request = json.loads(json.dumps(request))
        self.asked.append(request["request"]["kind"])
        started = time.perf_counter()
        measured = json.loads(json.dumps(self.dispatcher.evaluate(request)))
        cost = {"seconds": time.perf_counter() - started}
        return {"measured": measured, "cost": cost, "limited": False}

    def prepare(self, **needed: Any) -> None:
        """Everything is imported."""

    def stop(self) -> None:
        """There is nothing to stop."""

    def resident_bytes(self) -> int:
        return 0


class OneWorker(Workers):
    """A worker for every stage."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker.limits)
        self._one = worker

    def of(self, stage: str, format: str = "", network: str = "") -> Worker:
        return self._one


class Evaluation:
    """Evidence of the submission in ``root``, read when first asked; the store lies beside it."""

    def __init__(
        self,
        root: Path,
        *,
        store: str = "evidence",
        worker: DispatchingWorker | None = None,
        **how: Any,
    ) -> None:
        self.root = root
        self.worker = worker or DispatchingWorker()
        self._store = root.parent / store
        self._how = how
        self._done: list[str] = []

    @cached_property
    def executor(self) -> Executor:
        workers = OneWorker(self.worker)
        return Executor(self.loaded(), EvidenceStore(self._store), workers, **self._how)

    def loaded(self) -> Loaded:
        return load(self.root)

    @property
    def submission(self) -> Submission:
        assert self.executor.loaded.submission is not None, self.executor.loaded.problems
        return self.executor.loaded.submission

    @property
    def asked(self) -> list[str]:
        return self.worker.asked

    @property
    def done(self) -> list[str]:
        """The names of the jobs that were done, in their order, without parts of others."""
        kinds = {job.kind for job in Measuring.__subclasses__()}
        self._done += self.executor.take_costs()
        return [name for name in self._done if name.partition(" ")[0] in kinds]

    def evidence(self, kind: str, sample: str | None = None, **more: Any) -> Evidence:
        return self.executor.evidence(a_job(self.submission, kind, sample=sample, **more))

    def result(self, kind: str, sample: str | None = None, **more: Any) -> dict[str, Any]:
        return self._told(self.evidence(kind, sample, **more))

    def alone(self, kind: str, sample: str | None = None, **more: Any) -> dict[str, Any]:
        """The result of a job, and of its parts, whatever else should come first."""
        job = a_job(self.submission, kind, sample=sample, **more)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(type(job), "needs", lambda _: ())
            return self._told(self.executor.evidence(job))

    def _told(self, evidence: Evidence) -> dict[str, Any]:
        """What the worker has answered, with the names of the submission in it."""
        if evidence.error is not None:
            raise evidence.error
        result = evidence.result
        measured = result.to_json() if isinstance(result, Result) else result
        told: dict[str, Any] = json.loads(json.dumps(measured))
        return told


class Bench(Evaluation):
    """The same of metadata that need not follow the schema: without outputs, without samples."""

    def loaded(self) -> Loaded:
        data = json.loads((self.root / "submission.json").read_text(encoding="utf-8"))
        return replace(load(self.root), submission=build_submission(self.root, data))


def findings(root: Path, *checks: str) -> Iterator[Finding]:
    """Yield the findings of some checks, or of all, as a run would make them."""
    (target,) = load_targets([root], {})
    assert target.loaded.submission is not None, target.loaded.problems
    evaluation = Evaluation(root)

    metrics = {metric.id: metric for metric in target.loaded.submission.metrics}
    for planned in target.planned:
        if checks and planned.check.id not in checks:
            continue
        problems, look_up = target.loaded.problems, evaluation.executor.evidence
        judge = Judge(planned.check, planned.subject, problems, metrics, look_up)
        yield from concluded(judge)


def told(root: Path, *checks: str) -> dict[str, str]:
    """Return the verdicts of all findings that are no pass, by check and subject."""
    return {
        f"{finding.check} {finding.subject}": finding.verdict.value
        for finding in findings(root, *checks)
        if finding.verdict.value != "pass"
    }
