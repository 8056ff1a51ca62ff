"""The suite of metadata: each check reports what loading has found for it, and nothing else."""

from __future__ import annotations

import pytest

from conformance.checks import CHECKS
from conformance.plan.subjects import Subject
from conformance.verdicts import Finding, Verdict
from tests.judged import concluded, judge_of

OF_METADATA = [check.id for check in CHECKS if check.module == "test_metadata"]
SUBJECT = Subject("s", "s")


@pytest.mark.parametrize("check", OF_METADATA)
def test_a_check_reports_its_own_problems(check: str) -> None:
    problems = tuple(Finding(each, "", Verdict.FAIL, message=each) for each in OF_METADATA)
    (finding,) = concluded(judge_of(check, SUBJECT, {}, problems=problems))
    assert (finding.verdict, finding.message, finding.subject) == (Verdict.FAIL, check, "s")


@pytest.mark.parametrize("check", OF_METADATA)
def test_a_check_passes_without_problems(check: str) -> None:
    (finding,) = concluded(judge_of(check, SUBJECT, {}))
    assert finding.verdict is Verdict.PASS
    assert finding.message


@pytest.mark.parametrize("gate", ["SUBMISSION-READ-001", "SUBMISSION-SCHEMA-001"])
@pytest.mark.parametrize("check", OF_METADATA[2:])
def test_a_check_is_not_run_on_metadata_that_cannot_be_used(check: str, gate: str) -> None:
    problem = Finding(gate, "", Verdict.FAIL)
    (finding,) = concluded(judge_of(check, SUBJECT, {}, problems=(problem,)))
    assert (finding.verdict, finding.expected) == (Verdict.NOT_RUN, f"{gate} passes")
