"""The exit code of a run: what pytest counted and what the reports say must agree."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from conformance.pytest_run.outcome import PROPERTY, Outcome
from conformance.verdicts import ExitCode, Finding, Verdict


class Reports:
    """Stands for the written reports, of which ``refused`` findings fail a submission."""

    def __init__(self, exit_code: ExitCode, refused: int) -> None:
        self.reports = {"tiny": {"exit_code": exit_code}}
        self._refused = refused

    def refresh(self) -> None:
        """Nothing is written."""

    def finish(self, *, complete: bool) -> None:
        assert complete

    def refused(self) -> int:
        return self._refused


class Target:
    """Takes what is recorded."""

    def __init__(self) -> None:
        self.found: list[Finding] = []
        self.costs: dict[str, Any] = {}
        self.repeated: list[str] = []

    def record(self, _: str, found: list[Finding]) -> None:
        self.found += found


@pytest.mark.parametrize(
    ("failures", "refused", "exit_code", "expected"),
    [
        (0, 0, ExitCode.PASS, ExitCode.PASS),
        (1, 1, ExitCode.FAIL, ExitCode.FAIL),
        (1, 2, ExitCode.FAIL, ExitCode.FAIL),
        (1, 0, ExitCode.PASS, ExitCode.INTERNAL),
        (2, 1, ExitCode.FAIL, ExitCode.INTERNAL),
        (1, 0, ExitCode.INCOMPLETE, ExitCode.INTERNAL),
    ],
)
def test_more_failures_than_findings_are_a_defect(
    failures: int, refused: int, exit_code: ExitCode, expected: ExitCode
) -> None:
    outcome, target = object.__new__(Outcome), Target()
    vars(outcome).update(
        _targets={"tiny": target},
        _writer=Reports(exit_code, refused),
        _progress=None,
        _columns=None,
        _begun=True,
        _failures=0,
    )
    finding = Finding("MODEL-OPEN-001", "tiny/linear", Verdict.PASS, message="opened")
    message = {"target": "tiny", "test": "t", "costs": {}, "repeated": []}
    for failed in [True] * failures + [False]:
        own = {**message, "findings": [finding.to_json()]}
        report = SimpleNamespace(when="call", user_properties=[(PROPERTY, own)], failed=failed)
        outcome.pytest_runtest_logreport(report)  # type: ignore[arg-type]
    code = pytest.ExitCode.TESTS_FAILED if failures else pytest.ExitCode.OK
    session = SimpleNamespace(shouldstop=False, shouldfail=False, exitstatus=code)
    outcome.pytest_sessionfinish(session, code)  # type: ignore[arg-type]
    assert session.exitstatus == expected
    assert len(target.found) == failures + 1
