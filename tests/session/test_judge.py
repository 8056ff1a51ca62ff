from __future__ import annotations

from pathlib import Path

import pytest

from conformance.checks import BY_ID
from conformance.evaluation.evidence import Evidence
from conformance.evaluation.plan import Subject
from conformance.session.judge import Judge
from conformance.submission.values import Metric, MetricValue, Tolerance
from conformance.verdicts import (
    EvaluationError,
    Finding,
    MalformedError,
    NotRunError,
    Verdict,
)

SUBJECT = Subject(
    "tiny/half/top1", "tiny", "/samples/0/x", declared=MetricValue("top1", "test", 0.9, 1e-6)
)
TOP1 = Metric("top1", "top-k-accuracy", "", "higher", Tolerance("absolute", 0.1))


def judge(
    check: str = "METRIC-CLAIM-001",
    evidence: Evidence | None = None,
    problems: tuple[Finding, ...] = (),
) -> Judge:
    found = evidence or measured({})
    return Judge(BY_ID[check], SUBJECT, problems, {"top1": TOP1}, lambda *_: found)


def measured(result: dict, *, reused: bool = False) -> Evidence:
    return Evidence("decode half", "k", Path(), result, None, {"seconds": 1.0}, reused)


def failed(error: Exception) -> Evidence:
    return Evidence("decode half", "k", Path(), None, error)  # type: ignore[arg-type]


def problem(check: str) -> Finding:
    return Finding(check, "tiny", Verdict.FAIL, message="wrong")


def test_check_that_says_nothing_is_an_error_of_the_suite() -> None:
    (finding,) = judge().conclude()
    assert finding.verdict is Verdict.ERROR


def test_passed_alone_is_a_pass() -> None:
    asked = judge()
    asked.passed("seen", found="0.9")
    (finding,) = asked.conclude()
    assert (finding.verdict, finding.found) == (Verdict.PASS, "0.9")
    assert finding.clause == BY_ID["METRIC-CLAIM-001"].clause


def test_requirement_outweighs_a_pass() -> None:
    asked = judge()
    asked.require(False, "missing", expected="1", found="0", mend="add one")
    asked.passed("seen")
    (finding,) = asked.conclude()
    assert (finding.verdict, finding.mend) == (Verdict.FAIL, "add one")


def test_every_requirement_is_recorded() -> None:
    asked = judge()
    for condition in (True, False, False):
        asked.require(condition, "missing", expected="1", found="0", mend="add one")
    assert len(asked.conclude()) == 2


def test_error_is_added_to_what_was_found() -> None:
    asked = judge()
    asked.require(False, "missing", expected="1", found="0", mend="add one")
    verdicts = [finding.verdict for finding in asked.conclude(MalformedError("broken"))]
    assert verdicts == [Verdict.FAIL, Verdict.MALFORMED]


def test_owner_of_a_case_reports_its_failure() -> None:
    error = MalformedError("cut short", mend="send it again")
    with pytest.raises(MalformedError) as caught:
        judge("SAMPLE-DECODE-001", failed(error)).evidence("decode")
    assert caught.value is error


def test_other_checks_were_then_not_run() -> None:
    with pytest.raises(NotRunError) as caught:
        judge("SAMPLE-DIGEST-001", failed(MalformedError("cut short"))).evidence("decode")
    assert "SAMPLE-DECODE-001" in caught.value.expected
    assert caught.value.found == "cut short"


def test_what_was_not_run_stays_so() -> None:
    error = NotRunError("no torch here", mend="install it")
    with pytest.raises(NotRunError) as caught:
        judge("SAMPLE-DIGEST-001", failed(error)).evidence("decode")
    assert caught.value.mend == "install it"


def test_costs_are_those_of_fresh_evidence() -> None:
    fresh, stored = judge(evidence=measured({})), judge(evidence=measured({}, reused=True))
    fresh.evidence("decode")
    stored.evidence("decode")
    assert fresh.costs == {"decode half": {"seconds": 1.0}}
    assert stored.costs == {}


@pytest.mark.parametrize(
    ("kind", "check", "expected"),
    [
        ("original", "METRIC-MEASURE-001", EvaluationError),
        ("original", "MODEL-METRIC-001", NotRunError),
        ("reconstruction", "METRIC-DELTA-001", EvaluationError),
        ("reconstruction", "METRIC-CLAIM-001", NotRunError),
    ],
)
def test_metric_that_cannot_be_measured_is_reported_once(
    kind: str, check: str, expected: type[Exception]
) -> None:
    row = {"error": EvaluationError("broke").to_json()}
    with pytest.raises(expected):
        judge(check, measured({"metrics": {"top1": row}})).measured(kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (0.9, Verdict.PASS),
        (0.9000009, Verdict.PASS),
        (0.900001, Verdict.PASS),
        (0.9000011, Verdict.FAIL),
        ("nan", Verdict.FAIL),
        ("inf", Verdict.FAIL),
    ],
)
def test_declared_value_is_compared_within_its_tolerance(
    value: float | str, verdict: Verdict
) -> None:
    asked = judge()
    asked.require_declared_value({"value": value})
    (finding,) = asked.conclude()
    assert finding.verdict is verdict
    assert finding.evidence["measured"] == value


def test_problems_of_loading_become_findings() -> None:
    found = (problem("SUBMISSION-FILE-001"), problem("SUBMISSION-ID-001"))
    asked = judge("SUBMISSION-ID-001", problems=found)
    asked.adopt_problems()
    (finding,) = asked.conclude()
    assert (finding.check, finding.message) == ("SUBMISSION-ID-001", "wrong")
    assert finding.subject == SUBJECT.id


@pytest.mark.parametrize("gate", ["SUBMISSION-READ-001", "SUBMISSION-SCHEMA-001"])
def test_nothing_found_in_unsound_metadata_proves_nothing(gate: str) -> None:
    with pytest.raises(NotRunError) as caught:
        judge("SUBMISSION-ID-001", problems=(problem(gate),)).adopt_problems()
    assert gate in caught.value.expected


def test_readable_metadata_pass_though_they_break_the_schema() -> None:
    asked = judge("SUBMISSION-READ-001", problems=(problem("SUBMISSION-SCHEMA-001"),))
    asked.adopt_problems()
    asked.passed("read")
    assert asked.conclude()[0].verdict is Verdict.PASS
