"""The suite of metrics: each check on evidence just inside and just outside of what it accepts."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.plan.subjects import (
    ClaimSubject,
    DeltaSubject,
    NoiseSubject,
    RunSubject,
    Subject,
    VectorsSubject,
)
from conformance.submission.values import (
    Metric,
    MetricUse,
    MetricValue,
    OutputTolerance,
    Shard,
    Tolerance,
    VectorSet,
)
from conformance.verdicts import Finding, Location, Verdict
from tests.judged import assert_found, case, concluded, judge_of, only
from tests.judging.found import model, model_subject, sample, sample_subject

TOP1 = Metric("top1", "top-k-accuracy", "", "higher", Tolerance("absolute", 0.125))
VECTORS = VectorSet("test", "m", "d", True, (Shard(40, (), (), ()),), OutputTolerance(0.1, 0.1))
SAMPLE = sample_subject(sample("half"))
RUN = SAMPLE.narrowed(RunSubject, id="s/half@test", vectors=VECTORS)


def used(tolerance: Tolerance) -> DeltaSubject:
    use = MetricUse("top1", "test", tolerance)
    return RUN.narrowed(DeltaSubject, id="s/half/top1", metric=TOP1, use=use)


ABSOLUTE, RELATIVE = used(Tolerance("absolute", 0.125)), used(Tolerance("relative", 0.125))
ROW = {
    "reference": 0.5,
    "value": 0.5,
    "better": "higher",
    "interval": None,
    "items": 40,
    "counted": {"items": 40},
    "least": {},
}
CONDITIONS = {"batch_size": 8, "settings": {"execution_provider": "CPU"}}


def runs(value: Any, **row: Any) -> dict[str, Any]:
    measured = {**CONDITIONS, "metrics": {"top1": {**ROW, "value": value, **row}}}
    return {"original": measured, "reconstruction": measured}


def shifted(low: float, high: float) -> dict[str, Any]:
    """Return a row's interval of the difference, and the kind's direction."""
    interval = {"level": 0.95, "low": low, "high": high, "method": "exact"}
    return {"interval": {**interval, "items": 40, "distinct_items": 40}}


def in_format(name: str) -> VectorsSubject:
    return model_subject(model(name)).narrowed(VectorsSubject, id=f"s/{name}@test", vectors=VECTORS)


def in_formats(tolerance: Tolerance) -> NoiseSubject:
    """A use of the metric on a network that is measured in three formats."""
    formats = tuple(map(in_format, ("m", "n", "o")))
    return used(tolerance).narrowed(NoiseSubject, formats=formats)


def values(own: float, *others: float) -> dict[str, Any]:
    named = zip(("m", "n", "o"), (own, *others), strict=True)
    return {
        f"original {name}@test": {"metrics": {"top1": {"value": value}}} for name, value in named
    }


FORMATS_OF_1 = values(1.0, 1.0625, 0.9375)
FORMATS_OF_MINUS_2 = values(-2.0, -2.125, -1.875)


@pytest.mark.parametrize(
    ("check", "subject", "found", "verdict", "fields"),
    [
        case(
            "at-the-bound",
            "METRIC-DELTA-001",
            ABSOLUTE,
            runs(0.375),
            found="original 0.5, sample 0.375, delta -0.125; both in batches of 8, provider CPU",
        ),
        case(
            "beyond-the-bound",
            "METRIC-DELTA-001",
            ABSOLUTE,
            runs(0.374),
            "fail",
            found="original 0.5, sample 0.374, delta -0.126; both in batches of 8, provider CPU",
            where=Location("submission.json", "/samples/0"),
        ),
        case("at-a-relative-bound", "METRIC-DELTA-001", RELATIVE, runs(0.4375)),
        case("beyond-a-relative-bound", "METRIC-DELTA-001", RELATIVE, runs(0.437), "fail"),
        case("just-better", "METRIC-IMPROVEMENT-001", ABSOLUTE, runs(0.6, **shifted(0.0, 0.2))),
        case(
            "better-beyond-chance",
            "METRIC-IMPROVEMENT-001",
            ABSOLUTE,
            runs(0.6, **shifted(1e-9, 0.2)),
            "fail",
            message="'top1'",
            where=Location("submission.json", "/samples/0"),
        ),
        case(
            "just-lower",
            "METRIC-IMPROVEMENT-001",
            ABSOLUTE,
            runs(0.4, better="lower", **shifted(-0.2, 0.0)),
        ),
        case(
            "lower-beyond-chance",
            "METRIC-IMPROVEMENT-001",
            ABSOLUTE,
            runs(0.4, better="lower", **shifted(-0.2, -1e-9)),
            "fail",
        ),
        case(
            "at-the-noise",
            "METRIC-NOISE-001",
            in_formats(Tolerance("absolute", 0.125)),
            FORMATS_OF_1,
            message="0.125",
        ),
        case(
            "below-the-noise",
            "METRIC-NOISE-001",
            in_formats(Tolerance("absolute", 0.1249)),
            FORMATS_OF_1,
            "fail",
            found="0.1249",
            where=Location("submission.json", "/samples/0/metric"),
            evidence={
                "metric": "top1",
                "vectors": "test",
                "noise_floor": 0.125,
                "values": {"m": 1.0, "n": 1.0625, "o": 0.9375},
            },
        ),
        case(
            "absolute-whatever-the-value",
            "METRIC-NOISE-001",
            in_formats(Tolerance("absolute", 0.249)),
            FORMATS_OF_MINUS_2,
            "fail",
            found="0.249",
        ),
        case(
            "relative-at-the-noise",
            "METRIC-NOISE-001",
            in_formats(Tolerance("relative", 0.125)),
            FORMATS_OF_MINUS_2,
        ),
        case(
            "relative-below-the-noise",
            "METRIC-NOISE-001",
            in_formats(Tolerance("relative", 0.1249)),
            FORMATS_OF_MINUS_2,
            "fail",
            found="0.2498",
        ),
        case("all-items", "SAMPLE-RUN-001", RUN, {"reconstruction": {**CONDITIONS, "items": 40}}),
        case(
            "one-item-more",
            "SAMPLE-RUN-001",
            RUN,
            {"reconstruction": {**CONDITIONS, "items": 41}},
            "fail",
            found="41 items",
        ),
    ],
)
def test_a_check_accepts_what_lies_just_inside(
    check: str, subject: Subject, found: Any, verdict: str, fields: dict[str, Any]
) -> None:
    assert_found(only(check, subject, found, TOP1), verdict, fields)


def test_the_report_gets_the_difference_and_how_both_were_run() -> None:
    found = runs(0.375)
    found["reconstruction"] = {**found["reconstruction"], "batch_size": None}
    finding = only("METRIC-DELTA-001", ABSOLUTE, found, TOP1)
    assert finding.found.endswith(
        "original in batches of 8, provider CPU; sample in one run for each shard, provider CPU"
    )
    row = finding.evidence
    assert (row["metric"], row["loss"], row["verdict"]) == ("top1", 0.125, "pass")
    assert row["runs"] == {
        "original": {"batch_size": 8, "provider": "CPU"},
        "sample": {"batch_size": None, "provider": "CPU"},
    }


@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_a_tolerance_that_cannot_be_applied_leaves_a_relative_difference_alone(kind: Any) -> None:
    problem = Finding("SUBMISSION-TOLERANCE-001", "s", Verdict.FAIL)
    subject = used(Tolerance(kind, 0.125))
    judge = judge_of("METRIC-DELTA-001", subject, runs(0.5), (TOP1,), (problem,))
    (finding,) = concluded(judge)
    assert finding.verdict is (Verdict.PASS if kind == "absolute" else Verdict.NOT_RUN)


@pytest.mark.parametrize(("value", "verdict"), [(0.51, "pass"), (0.511, "fail")])
def test_a_claimed_value_holds_within_its_tolerance(value: float, verdict: str) -> None:
    value_of = MetricValue("top1", "test", 0.5, 0.01)
    claimed = RUN.narrowed(ClaimSubject, metric=TOP1, declared=value_of)
    finding = only("METRIC-CLAIM-001", claimed, runs(value), TOP1)
    assert (finding.verdict, finding.evidence["measured"]) == (Verdict(verdict), value)


WATCHED = {"tensors": 3, "items": 40, "overflows": [], "unreached": []}
OVER = {"tensor": "hh", "operator": "Mul", "place": "node", "type": "float16", "item": 1}
OVER |= {"value": 90000.0}
ORIGINAL = in_format("m")


@pytest.mark.parametrize("half", [WATCHED, None], ids=["watched", "no-16-bit-types"])
@pytest.mark.parametrize("subject", [ORIGINAL, RUN], ids=["original", "sample"])
def test_nothing_overflows(subject: VectorsSubject, half: Any) -> None:
    ran, other = ("original", "reconstruction")[:: 1 if subject is ORIGINAL else -1]
    infinite = {"half": {**WATCHED, "overflows": [OVER]}}
    finding = only("INFERENCE-OVERFLOW-001", subject, {ran: {"half": half}, other: infinite})
    assert finding.verdict is Verdict.PASS
    assert finding.evidence == ({"tensors": 3, "items": 40} if half else {})


def test_each_overflow_and_what_was_not_watched_is_a_finding() -> None:
    half = {**WATCHED, "overflows": [OVER, {**OVER, "tensor": "h2"}], "unreached": ["a body"]}
    found = concluded(judge_of("INFERENCE-OVERFLOW-001", RUN, {"reconstruction": {"half": half}}))
    assert [(each.verdict.value, each.where.element) for each in found if each.where] == [
        ("fail", "hh"),
        ("fail", "h2"),
        ("undecided", None),
    ]
    assert found[-1].found == "a body"
