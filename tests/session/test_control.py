from __future__ import annotations

import pytest

from conformance.evaluation.plan import Subject
from conformance.session.control import judge_control
from conformance.submission.values import Metric, Tolerance

SUBJECT = Subject("tiny/linear@test/top1", "tiny")


def judged(value: object, *tolerances: Tolerance, direction: str = "higher", items: int = 40):
    metric = Metric("top1", "top-k-accuracy", "", "higher", Tolerance("absolute", 0.1))
    subject = Subject(SUBJECT.id, "tiny", tolerances=tolerances)
    control = {"items": items, "reference": 0.9, "value": value}
    return judge_control(subject, metric, direction, control)  # type: ignore[arg-type]


def test_empty_network_outside_the_tolerance_is_noticed() -> None:
    control = judged(0.3)
    assert control.noticed
    assert control.found == "original 0.9, empty network 0.3 on 40 items"
    assert judged(0.3, items=1).found.endswith(" on 1 item")


@pytest.mark.parametrize("value", [0.9, 0.8, 1.0])
def test_empty_network_within_the_tolerance_is_not_noticed(value: float) -> None:
    control = judged(value)
    assert not control.noticed
    assert "within the bound 0.1" in control.found


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_value_that_is_no_number_is_noticed(value: str) -> None:
    assert judged(value).noticed


def test_one_loose_tolerance_among_several_is_enough() -> None:
    strict, loose = Tolerance("absolute", 0.01), Tolerance("absolute", 5.0)
    assert judged(0.3, strict).noticed
    assert not judged(0.3, strict, loose).noticed


def test_confidence_does_not_blur_the_control() -> None:
    assert judged(0.3, Tolerance("absolute", 0.1, confidence=0.95)).noticed


def test_direction_is_that_of_the_kind() -> None:
    assert judged(5.0, direction="lower").noticed
    assert not judged(5.0, direction="higher").noticed
