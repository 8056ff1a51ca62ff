"""What a metric counted, and the verdict on an original of which it counted too little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.checks import BY_ID
from conformance.evidence.evidence import Evidence
from conformance.judging.counted import Shortage, counts_in_words, shortage_of
from conformance.judging.judge import Judge
from conformance.plan.subjects import subjects
from conformance.submission import load
from conformance.test_originals import test_metric_measured as check_measured
from conformance.verdicts import Finding, Verdict
from tests import tiny_submission


def measured(root: Path, value: Any, positions: int) -> Finding:
    tiny_submission.write(root)
    submission = load(root).submission
    subject = subjects("tiny", submission)["measure"][0]
    row = {"value": value, "items": 3, "better": subject.metric.direction, "details": {}}
    row |= {"counted": {"items": 3, "positions": positions}, "least": {"positions": 2}}
    evidence = Evidence("original", "", Path(), {"metrics": {subject.metric.id: row}}, None)
    judge = Judge(BY_ID["METRIC-MEASURE-001"], subject, (), {}, lambda *_: evidence)
    check_measured(judge)
    (finding,) = judge.conclude()
    return finding


@pytest.mark.parametrize(
    ("value", "positions", "verdict"),
    [
        (0.5, 9, Verdict.PASS),
        (0.5, 1, Verdict.PASS),
        ("nan", 0, Verdict.UNDECIDED),
        ("nan", 9, Verdict.FAIL),
    ],
)
def test_a_value_of_nothing_is_undecided(
    tmp_path: Path, value: Any, positions: int, verdict: Verdict
) -> None:
    finding = measured(tmp_path, value, positions)
    assert finding.verdict is verdict
    if verdict is Verdict.UNDECIDED:
        assert finding.expected == "at least 2 positions"
        assert finding.found == "items: 3, positions: 0"
    if verdict is Verdict.PASS:
        assert finding.evidence["counted"] == {"items": 3, "positions": positions}


def test_the_first_shortage_is_named() -> None:
    least = {"positions": 2, "classes": 2}
    assert shortage_of({"counted": {"positions": 2, "classes": 2}, "least": least}) is None
    short = shortage_of({"counted": {"positions": 5, "classes": 1}, "least": least})
    assert short == Shortage("classes", 2, 1)
    assert shortage_of({"counted": {"items": 1}, "least": least}) is None
    assert short.explanation == "too few classes were counted for its value to decide anything"
    assert short.fix.startswith("submit reference vectors with at least 2 classes")


def test_items_are_told_first_and_the_rest_by_name() -> None:
    counted = {"values": 1, "classes": 2, "items": 5}
    assert counts_in_words(counted) == "items: 5, classes: 2, values: 1"
