from __future__ import annotations

from dataclasses import asdict

import pytest

from conformance.jsonschemas import load_schema
from conformance.judging.deltas import JudgedDelta, is_improvement, judge_change, judge_delta
from conformance.metrics import NoInterval
from conformance.plan.results import OriginalResult, ReconstructedRow, ReconstructionResult
from conformance.submission.values import Metric, MetricUse, Tolerance
from conformance.verdicts import Verdict
from tests.results import made, row

INTERVAL = {
    "level": 0.95,
    "low": -0.02,
    "high": 0.01,
    "method": "Bonett-Price adjusted Wald",
    "items": 120,
    "distinct_items": 100,
    "p_value": 0.5,
    "gained": 1,
    "lost": 2,
}


RUNS = {"original": made(OriginalResult, {}), "sample": made(ReconstructionResult, {})}


def judge(use: MetricUse, metric: Metric, measured: dict) -> JudgedDelta:
    return judge_delta(use, metric, row(ReconstructedRow, measured), RUNS)


def judged(
    value: object,
    interval: dict | None = INTERVAL,
    more: dict | None = None,
    classes: int = 10,
    **tolerance: object,
):
    allowed = Tolerance("absolute", 0.01, **tolerance)  # type: ignore[arg-type]
    metric = Metric("top1", "top-k-accuracy", "", "higher", allowed)
    measured = {
        "reference": 0.97,
        "value": value,
        "items": 120,
        "interval": interval,
        "counted": {"items": 120, "classes": classes},
        "least": {"classes": 2},
        **(more or {}),
    }
    return judge(MetricUse("top1", "test", allowed), metric, measured)


def test_loss_on_the_bound_passes_and_a_greater_one_does_not() -> None:
    assert judged(0.96).passes is True
    assert judged(0.95).passes is False


def test_loss_on_an_exclusive_bound_fails() -> None:
    assert judged(0.96, inclusive=False).verdict is Verdict.FAIL


def test_row_has_what_the_report_schema_wants() -> None:
    known = load_schema("report")["$defs"]["sample_metric"]
    # The noise floor is known only where the network is there in several formats.
    named = {*judged(0.96).row, "noise_floor"}
    assert named == set(known["properties"])
    assert named - {"counted", "runs"} == set(known["required"])


@pytest.mark.parametrize("value", [0.97, 0.96, 0.5, 1.0])
@pytest.mark.parametrize("confidence", [None, 0.95])
def test_of_too_few_classes_nothing_is_decided(value: float, confidence: float | None) -> None:
    finding = judged(value, classes=1, confidence=confidence)
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.row["verdict"] == "undecided"
    assert finding.row["counted"] == {"items": 120, "classes": 1}
    assert finding.words.expected.startswith("at least 2 classes; ")
    assert "classes: 1" in finding.words.found
    assert "at least 2 classes" in finding.words.fix


def test_a_sample_without_a_value_fails_whatever_was_counted() -> None:
    assert judged("nan", classes=1).verdict is Verdict.FAIL


def test_a_kind_that_states_no_least_number_is_judged() -> None:
    metric = Metric("own", "own", "", "higher", allowed := Tolerance("absolute", 0.01))
    measured = {"reference": 0.97, "value": 0.97, "items": 1, "interval": None}
    measured |= {"counted": {"items": 1}, "least": {}}
    assert judge(MetricUse("own", "test", allowed), metric, measured).passes


def test_confidence_of_one_item_is_undecided_and_says_how_many_would_do() -> None:
    metric = Metric(
        "mse", "mse", "", "lower", allowed := Tolerance("absolute", 1.0, True, None, 0.9)
    )
    measured = {"reference": 0.5, "value": 0.5, "items": 1, "interval": None}
    measured |= {"counted": {"items": 1, "values": 99}, "least": {"values": 2}}
    measured["no_interval"] = asdict(NoInterval("fewer than 2 distinct items", 1, 1, 2))
    judged = judge(MetricUse("mse", "test", allowed), metric, measured)
    assert judged.verdict is Verdict.UNDECIDED
    assert "about 2 distinct items" in judged.words.fix


def test_words_say_what_was_expected_and_found() -> None:
    finding = judged(0.95)
    assert finding.words.expected == "higher is better; loss ≤ 0.01"
    assert finding.words.found.startswith("original 0.97, sample 0.95, delta -0.02")
    assert "95% interval -0.02 to +0.01" in finding.words.found
    assert "compress less" in finding.words.fix


def test_straddling_interval_is_undecided_and_says_how_many_items_decide() -> None:
    finding = judged(0.965, confidence=0.95)
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.row["items_to_decide"] > 100
    assert f"{finding.row['items_to_decide']} distinct items would decide it" in finding.words.fix
    assert finding.words.fix.endswith("or ask for less confidence")
    assert (finding.row["items"], finding.row["distinct_items"]) == (120, 100)
    assert "of 100 distinct items among 120" in finding.words.message
    assert "at 95% confidence" in finding.words.expected


def test_without_statistics_confidence_cannot_be_given() -> None:
    finding = judged(0.965, interval=None, confidence=0.95)
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.row["interval"] is None
    assert finding.words.fix == (
        'submit more reference vectors, or leave "confidence" out of the tolerance'
    )


def test_without_an_interval_the_reason_is_given_and_how_many_items_would_do() -> None:
    why = {"reason": "few items", "items": 30, "distinct_items": 12, "items_needed": 20}
    finding = judged(0.965, interval=None, more={"no_interval": why}, confidence=0.95)
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.words.message.endswith("there is no interval: few items")
    assert "about 20 distinct items would give an interval" in finding.words.fix
    assert "less confidence" not in finding.words.fix
    assert (finding.row["distinct_items"], finding.row["items_to_decide"]) == (12, 20)
    assert judged(0.965, interval=None, more={"no_interval": why}).passes


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_value_that_is_no_number_fails_and_stays_json(value: str) -> None:
    finding = judged(value, interval=None)
    assert finding.verdict is Verdict.FAIL
    assert finding.row["value"] == value


def test_upper_bound_is_said() -> None:
    assert "improvement ≤ 0.5" in judged(0.97, upper_bound=0.5).words.expected


# --- From one layer to the next


def changed(
    before: float | str, value: float | str, direction: str = "higher", **tolerance: object
):
    allowed = Tolerance(**{"type": "absolute", "bound": 0.01, **tolerance})  # type: ignore[arg-type]
    metric = Metric("top1", "top-k-accuracy", "", direction, allowed)  # type: ignore[arg-type]
    return judge_change(MetricUse("top1", "test", allowed), metric, float(before), float(value))


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


@pytest.mark.parametrize(("inclusive", "sign"), [(True, "≤"), (False, "<")])
def test_a_fall_onto_the_bound_passes_only_if_it_is_inclusive(inclusive: bool, sign: str) -> None:
    judged = changed(0.9, 0.89, inclusive=inclusive)
    assert judged.passes is inclusive
    assert judged.expected == f"higher is better; loss {sign} 0.01"


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
    assert is_improvement(direction, row(ReconstructedRow, {"interval": interval})) is improved
