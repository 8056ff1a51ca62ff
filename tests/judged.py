"""Checks tried on made evidence: nothing is evaluated, and no framework is imported.

    finding = only("METRIC-CLAIM-001", subject, {"reconstruction": RUN})

Evidence is given by the kind of its job, as far as a test needs it (:mod:`tests.results`);
``"decode direct"``, the name of a job, is that of this job alone.
An error in its place is that of a case that failed. A test that does not know how evidence is made
shows what a check makes of it; that it is made so is shown by whole evaluations.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from conformance.checks import BY_ID
from conformance.evidence.evidence import Evidence
from conformance.judging.judge import Judge
from conformance.plan.jobs import Job
from conformance.plan.results import Result
from conformance.plan.subjects import Subject
from conformance.submission.values import Metric
from conformance.verdicts import ConformanceError, Finding, Verdict
from tests.results import result_of

Found = Mapping[str, Any] | Callable[[Job], Any]

PARTIAL = frozenset({"message", "fix"})
"""Texts of which a case gives a part."""


def judge_of(
    check: str,
    subject: Subject,
    found: Found,
    metrics: tuple[Metric, ...] = (),
    problems: tuple[Finding, ...] = (),
) -> Judge:
    """Return the judge of a check, with evidence as ``found`` has it."""

    def look_up(job: Job) -> Evidence:
        result = found(job) if callable(found) else found.get(job.name) or found[job.kind]
        if isinstance(result, ConformanceError):
            return Evidence(job.name, "", Path(), None, result)
        made = result if isinstance(result, Result) else result_of(job.kind, result)
        return Evidence(job.name, "", Path(), made, None)

    return Judge(BY_ID[check], subject, problems, {m.id: m for m in metrics}, look_up)


def concluded(judge: Judge) -> tuple[Finding, ...]:
    """Run the check of a judge and return its findings, as a run would make them."""
    module = importlib.import_module(f"conformance.{judge.check.module}")
    test = getattr(module, judge.check.test)
    given = {"judge": judge, "subject": judge.subject}
    try:
        test(**{name: given[name] for name in inspect.signature(test).parameters})
    except ConformanceError as error:
        return judge.conclude(error)
    return judge.conclude()


def only(check: str, subject: Subject, found: Found, *metrics: Metric) -> Finding:
    """Return the one finding of a check."""
    (finding,) = concluded(judge_of(check, subject, found, metrics))
    return finding


def case(
    id: str, check: str, subject: Subject, found: Found, verdict: str = "pass", /, **fields: Any
) -> Any:
    """Return parameters of a test: a check, what it is given, and the one finding it must make.

    ``fields`` are those of the finding; of a message, and of what to do, a part is enough.
    """
    return pytest.param(check, subject, found, verdict, fields, id=f"{check}-{id}")


def assert_found(finding: Finding, verdict: str, fields: Mapping[str, Any]) -> None:
    """Compare a finding with what a :func:`case` expects."""
    assert finding.verdict is Verdict(verdict), finding
    for name, expected in fields.items():
        value = getattr(finding, name)
        assert expected in value if name in PARTIAL else value == expected, (name, value)
