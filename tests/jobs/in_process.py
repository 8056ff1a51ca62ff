"""The real executor and the real checks, with the worker's desk in the process of the tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.evidence.evidence import Evidence
from conformance.evidence.executor import Executor
from conformance.evidence.store import EvidenceStore
from conformance.jobs.dispatch import Desk
from conformance.judging.judge import Judge
from conformance.judging.loading import load_targets
from conformance.plan.case import Case, Kind
from conformance.plan.subjects import Subject
from conformance.sandbox.process import Worker
from conformance.submission import load
from conformance.verdicts import Finding
from tests.jobs.bench import LIMITS
from tests.judged import concluded


class DeskWorker(Worker):
    """Answers at once, without a process; ``asked`` are the names of the cases."""

    def __init__(self) -> None:
        super().__init__(LIMITS)
        self.desk = Desk(LIMITS)
        self.asked: list[str] = []

    def ask(self, request: Any) -> Any:
        request = json.loads(json.dumps(request))
        self.asked.append(Case.from_json(request["case"]).name)
        started = time.perf_counter()
        measured = json.loads(json.dumps(self.desk.evaluate(request)))
        return {"measured": measured, "cost": {"seconds": time.perf_counter() - started}}

    def stop(self) -> None:
        """There is nothing to stop."""

    def resident_bytes(self) -> int:
        return 0


class Evaluation:
    """Evidence of one submission; the store lies beside its folder."""

    def __init__(self, root: Path) -> None:
        self.worker = DeskWorker()
        store = EvidenceStore(root.parent / "evidence")
        self.executor = Executor(load(root), store, LIMITS, worker=self.worker)

    @property
    def asked(self) -> list[str]:
        return self.worker.asked

    def evidence(self, kind: Kind, sample: str | None = None, **more: Any) -> Evidence:
        return self.executor.evidence(Case(kind, "linear", sample=sample, **more))

    def result(self, kind: Kind, sample: str | None = None, **more: Any) -> dict[str, Any]:
        evidence = self.evidence(kind, sample, **more)
        if evidence.error is not None:
            raise evidence.error
        assert evidence.result is not None
        return dict(evidence.result)


def findings(root: Path, *checks: str) -> Iterator[Finding]:
    """Yield the findings of some checks, or of all, as a run would make them."""
    (target,) = load_targets([root], {})
    assert target.loaded.submission is not None, target.loaded.problems
    evaluation = Evaluation(root)

    def look_up(subject: Subject, kind: Kind) -> Evidence:
        return evaluation.executor.evidence(subject.case(kind))

    metrics = {metric.id: metric for metric in target.loaded.submission.metrics}
    for planned in target.planned:
        if checks and planned.check.id not in checks:
            continue
        judge = Judge(planned.check, planned.subject, target.loaded.problems, metrics, look_up)
        yield from concluded(judge)


def told(root: Path, *checks: str) -> dict[str, str]:
    """Return the verdicts of all findings that are no pass, by check and subject."""
    return {
        f"{finding.check} {finding.subject}": finding.verdict.value
        for finding in findings(root, *checks)
        if finding.verdict.value != "pass"
    }
