from __future__ import annotations

import pytest

from conformance.jsonschemas import load_schema
from conformance.session.deltas import is_improvement, judge_change, judge_delta
from conformance.submission.values import Metric, MetricUse, Tolerance
from conformance.verdicts import Verdict

INTERVAL = {
    "level": 0.95,
    "low": -0.02,
    "high": 0.01,
    "method": "Bonett-Price adjusted Wald",
    "items": 100,
    "p_value": 0.5,
    "gained": 1,
    "lost": 2,
}


def judged(value: object, interval: dict | None = INTERVAL, **tolerance: object):
    allowed = Tolerance("absolute", 0.01, **tolerance)  # type: ignore[arg-type]
    metric = Metric("top1", "top-k-accuracy", "", "higher", allowed)
    measured = {"reference": 0.97, "value": value, "items": 100, "interval": interval}
    return judge_delta(MetricUse("top1", "test", allowed), metric, measured)


def test_loss_on_the_bound_passes_and_a_greater_one_does_not() -> None:
    assert judged(0.96).passes is True
    assert judged(0.95).passes is False


def test_loss_on_an_exclusive_bound_fails() -> None:
    assert judged(0.96, inclusive=False).verdict is Verdict.FAIL


def test_row_has_what_the_report_schema_wants() -> None:
    wanted = load_schema("report")["$defs"]["sample_metric"]["required"]
    # The noise floor is known only where the network is there in several formats.
    assert sorted([*judged(0.96).row, "noise_floor"]) == sorted(wanted)


def test_words_say_what_was_expected_and_found() -> None:
    finding = judged(0.95)
    assert finding.expected == "higher is better; loss ≤ 0.01"
    assert finding.found.startswith("original 0.97, sample 0.95, delta -0.02")
    assert "95% interval -0.02 to +0.01" in finding.found
    assert "compress less" in finding.mend


def test_straddling_interval_is_undecided_and_says_how_many_items_decide() -> None:
    finding = judged(0.965, confidence=0.95)
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.row["items_to_decide"] > 100
    assert f"{finding.row['items_to_decide']} items would decide it" in finding.mend
    assert "at 95% confidence" in finding.expected


def test_without_statistics_confidence_cannot_be_given() -> None:
    finding = judged(0.965, interval=None, confidence=0.95)
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.row["interval"] is None
    assert "submit more reference vectors, or ask for less confidence" in finding.mend


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_value_that_is_no_number_fails_and_stays_json(value: str) -> None:
    finding = judged(value, interval=None)
    assert finding.verdict is Verdict.FAIL
    assert finding.row["value"] == value


def test_upper_bound_is_said() -> None:
    assert "improvement ≤ 0.5" in judged(0.97, upper_bound=0.5).expected


# --- From one layer to the next


def changed(before: object, value: object, direction: str = "higher", **tolerance: object):
    allowed = Tolerance(**{"type": "absolute", "bound": 0.01, **tolerance})  # type: ignore[arg-type]
    metric = Metric("top1", "top-k-accuracy", "", direction, allowed)  # type: ignore[arg-type]
    return judge_change(MetricUse("top1", "test", allowed), metric, before, value)


@pytest.mark.parametrize(
    ("before", "value", "direction", "passes"),
    [
        (0.9, 0.9, "higher", True),
        (0.9, 0.89, "higher", True),
        (0.9, 0.88, "higher", False),
        (0.1, 0.9, "higher", True),
        (0.1, 0.11, "lower", True),
        (0.1, 0.12, "lower", False),
        (5.0, 0.0, "lower", True),
        (0.9, "nan", "higher", False),
        ("nan", 0.9, "higher", False),
    ],
)
def test_a_layer_may_improve_the_metric_by_any_amount_and_fall_within_the_tolerance(
    before: object, value: object, direction: str, passes: bool
) -> None:
    assert changed(before, value, direction).passes is passes


def test_upper_bound_and_confidence_are_for_the_whole_sample() -> None:
    judged = changed(0.1, 0.9, upper_bound=0.01, confidence=0.95)
    assert judged.passes
    assert judged.expected == "higher is better; loss ≤ 0.01"


def test_a_relative_tolerance_is_relative_to_the_layer_before() -> None:
    judged = changed(0.5, 0.44, type="relative", bound=0.1)
    assert not judged.passes
    assert judged.expected == "higher is better; loss ≤ 0.1 of the layer before's value"
    assert changed(0.5, 0.46, type="relative", bound=0.1).passes


@pytest.mark.parametrize(
    ("direction", "low", "high", "improved"),
    [
        ("higher", 0.8, 0.95, True),
        ("higher", 1e-9, 0.1, True),
        ("higher", 0.0, 0.1, False),
        ("higher", -0.1, 0.1, False),
        ("higher", -0.2, -0.1, False),
        ("lower", -0.2, -0.1, True),
        ("lower", -0.2, 0.0, False),
        ("lower", 0.1, 0.2, False),
        ("higher", None, None, False),
    ],
)
def test_improvement_is_one_that_the_whole_interval_shows(
    direction: str, low: float | None, high: float | None, improved: bool
) -> None:
    interval = None if low is None else {**INTERVAL, "low": low, "high": high}
    metric = Metric("top1", "top-k-accuracy", "", direction, Tolerance("absolute", 0.1))  # type: ignore[arg-type]
    assert is_improvement(metric, {"interval": interval}) is improved
