"""Fourth suite: the reconstructed networks perform as claimed, within their tolerances."""

from __future__ import annotations

from conformance.evaluation.plan import Subject
from conformance.session.deltas import difference_text, is_improvement, judge_delta
from conformance.session.judge import Judge
from conformance.session.noise import noise_row, spread_of
from conformance.verdicts import Location

METADATA = "submission.json"


def test_reconstruction_runs(judge: Judge) -> None:
    """The reconstructed network runs on every item the original was run on."""
    judge.require_all_items(judge.evidence("reconstruction"))


def test_claimed_metric_value(judge: Judge) -> None:
    """A metric value claimed for the sample is the measured one, within its tolerance."""
    judge.require_declared_value(judge.measured("reconstruction"))


def test_delta_within_tolerance(subject: Subject, judge: Judge) -> None:
    """The metric of the reconstructed network lies within its tolerance of the original's."""
    assert subject.use is not None
    if subject.use.tolerance.type == "relative":
        judge.require_gate("SUBMISSION-TOLERANCE-001")
    judged = judge_delta(subject.use, judge.metric, judge.measured("reconstruction"))
    judge.require(
        judged.passes,
        judged.message,
        expected=judged.expected,
        found=judged.found,
        where=Location(METADATA, pointer=subject.pointer),
        mend=judged.mend,
        verdict=judged.verdict,
        evidence=judged.row,
    )
    judge.passed(judged.message, expected=judged.expected, found=judged.found, evidence=judged.row)


def test_no_improvement_from_nowhere(subject: Subject, judge: Judge) -> None:
    """A sample that was not trained further is no better than chance makes it."""
    measured = judge.measured("reconstruction")
    judge.require(
        not is_improvement(judge.metric, measured),
        f"by {judge.metric.id!r} the sample is better than the original, by more than chance",
        expected="a loss, or an improvement that its interval does not tell from none: the method "
        "says that the network was not trained further",
        found=difference_text(measured),
        where=Location(METADATA, pointer=subject.pointer),
        mend="find out whether the targets of the vectors were made by the sample, or the sample "
        'was fitted to them; if it was trained further, declare "retraining": true. This is advice',
    )
    judge.passed("the sample is not better than the original beyond chance")


def test_tolerance_above_noise(subject: Subject, judge: Judge) -> None:
    """The tolerance is no smaller than what the metric varies by from format to format."""
    assert subject.use is not None
    values = judge.measured_in_all_formats()
    floor = spread_of(values.values())
    tolerance = subject.use.tolerance
    assert subject.model is not None
    scale = abs(values[subject.model.id]) if tolerance.type == "relative" else 1.0
    evidence = noise_row(subject.use, values)
    judge.require(
        tolerance.bound * scale >= floor,
        f"the tolerance of {subject.use.metric!r} is smaller than its noise floor",
        expected=f"at least {floor:.6g}: the original's values differ by that between formats",
        found=f"{tolerance.bound * scale:.6g}",
        where=Location(METADATA, pointer=f"{subject.pointer}/metric"),
        mend="declare a tolerance that another runtime would not break",
        evidence=evidence,
    )
    judge.passed(f"the noise floor is {floor:.3g}", evidence=evidence)
