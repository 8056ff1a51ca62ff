"""Fourth suite: the reconstructed networks perform as claimed, within their tolerances."""

from __future__ import annotations

from dataclasses import replace

from conformance.judging.conditions import in_words_together
from conformance.judging.deltas import difference_text, is_improvement, judge_delta
from conformance.judging.judge import Judge
from conformance.judging.noise import noise_row, spread_of
from conformance.judging.overflows import SHOWN, overflows_in
from conformance.plan.subjects import (
    ClaimSubject,
    DeltaSubject,
    NoiseSubject,
    RunSubject,
    VectorsSubject,
)
from conformance.verdicts import Location, Verdict

METADATA = "submission.json"


def test_reconstruction_runs(subject: RunSubject, judge: Judge) -> None:
    """The reconstructed network runs on every item the original was run on."""
    judge.require_all_items(subject, judge.result(subject.reconstruction))


def test_nothing_overflows(subject: VectorsSubject, judge: Judge) -> None:
    """No value that is finite in float32 becomes infinite in the 16-bit type that the file says."""
    measured = judge.result(subject.ran).half
    if measured is None:
        judge.passed("the network is computed in the types that its file says")
        return
    for overflow in overflows_in(measured, subject.place_in_network):
        judge.fail(overflow)
    unreached = measured.unreached
    judge.require(
        not unreached,
        "whether the network overflows could not be found out everywhere",
        expected="every tensor of float16 and bfloat16 that an operator writes can be watched",
        found="; ".join(unreached[:SHOWN]),
        where=subject.place_in_network(),
        fix="export the network with operators of ONNX, without local functions in other "
        "operator sets, or compute in float32",
        verdict=Verdict.UNDECIDED,
    )
    judge.passed(
        f"none of {measured.tensors} tensors of 16 bits overflows on {measured.items} items",
        evidence={"tensors": measured.tensors, "items": measured.items},
    )


def test_claimed_metric_value(subject: ClaimSubject, judge: Judge) -> None:
    """A metric value claimed for the sample is the measured one, within its tolerance."""
    judge.require_declared_value(subject, judge.reconstructed_row(subject))


def test_delta_within_tolerance(subject: DeltaSubject, judge: Judge) -> None:
    """The metric of the reconstructed network lies within its tolerance of the original's."""
    if subject.use.tolerance.type == "relative":
        judge.require_gate("SUBMISSION-TOLERANCE-001")
    runs = {
        "original": judge.result(subject.original),
        "sample": judge.result(subject.reconstruction),
    }
    judged = judge_delta(subject.use, subject.metric, judge.reconstructed_row(subject), runs)
    ran = in_words_together(runs)
    found = f"{judged.words.found}; {ran}"
    if not judged.passes:
        where = Location(METADATA, pointer=subject.pointer)
        words = replace(judged.words, found=found, where=where)
        judge.fail(words, verdict=judged.verdict, evidence=judged.row)
    judge.passed(
        judged.words.message, expected=judged.words.expected, found=found, evidence=judged.row
    )


def test_no_improvement_from_nowhere(subject: DeltaSubject, judge: Judge) -> None:
    """A sample that was not trained further is no better than chance makes it."""
    measured = judge.reconstructed_row(subject)
    judge.require(
        not is_improvement(judge.original_row(subject).better, measured),
        f"by {subject.metric.id!r} the sample is better than the original, by more than chance",
        expected="a loss, or an improvement that its interval does not tell from none: the method "
        "says that the network was not trained further",
        found=difference_text(measured),
        where=Location(METADATA, pointer=subject.pointer),
        fix="find out whether the targets of the vectors were made by the sample, or the sample "
        'was fitted to them; if it was trained further, declare "retraining": true. This is advice',
    )
    judge.passed("the sample is not better than the original beyond chance")


def test_tolerance_above_noise(subject: NoiseSubject, judge: Judge) -> None:
    """The tolerance is no smaller than what the metric varies by from format to format."""
    values = judge.values_in_all_formats(subject)
    floor = spread_of(values.values())
    tolerance = subject.use.tolerance
    scale = abs(values[subject.model.id]) if tolerance.type == "relative" else 1.0
    evidence = noise_row(subject.use, values)
    judge.require(
        tolerance.bound * scale >= floor,
        f"the tolerance of {subject.use.metric!r} is smaller than its noise floor",
        expected=f"at least {floor:.6g}: the original's values differ by that between formats",
        found=f"{tolerance.bound * scale:.6g}",
        where=Location(METADATA, pointer=f"{subject.pointer}/metric"),
        fix="declare a tolerance that another runtime would not break",
        evidence=evidence,
    )
    judge.passed(f"the noise floor is {floor:.3g}", evidence=evidence)
