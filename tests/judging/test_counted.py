"""What a metric counted, and the verdict on an original of which it counted too little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.judging.counted import Shortage, counts_in_words, shortage_of
from conformance.plan.results import MetricRow
from conformance.plan.subjects import MeasureSubject, subjects
from conformance.submission import load
from conformance.verdicts import Finding, Verdict
from tests import tiny_submission
from tests.judged import only
from tests.results import row


def measured(root: Path, value: Any, positions: int) -> Finding:
    tiny_submission.write(root)
    submission = load(root).submission
    subject = subjects("tiny", submission)["measure"][0]
    assert isinstance(subject, MeasureSubject)
    measured = {"value": value, "items": 3, "better": subject.metric.direction, "details": {}}
    measured |= {"counted": {"items": 3, "positions": positions}, "least": {"positions": 2}}
    return only(
        "METRIC-MEASURE-001", subject, {"original": {"metrics": {subject.metric.id: measured}}}
    )


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

    def short_of(**counted: int) -> Shortage | None:
        return shortage_of(row(MetricRow, {"counted": counted, "least": least}))

    assert short_of(positions=2, classes=2) is None
    short = short_of(positions=5, classes=1)
    assert short == Shortage("classes", 2, 1)
    assert short_of(items=1) is None
    assert short.explanation == "too few classes were counted for its value to decide anything"
    assert short.fix.startswith("submit reference vectors with at least 2 classes")


def test_items_are_told_first_and_the_rest_by_name() -> None:
    counted = {"values": 1, "classes": 2, "items": 5}
    assert counts_in_words(counted) == "items: 5, classes: 2, values: 1"
