from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.checks import BY_ID
from conformance.evidence.evidence import Evidence
from conformance.judging.judge import Judge
from conformance.metrics.tolerance import EQUAL
from conformance.plan.jobs import Job, Measuring
from conformance.plan.misapplications import Misapplication
from conformance.plan.results import (
    MetricRow,
    RunConditions,
    StateResult,
    TensorProblem,
)
from conformance.plan.subjects import (
    ClaimSubject,
    DeclaredValueSubject,
    LayerRunSubject,
    LayerStepSubject,
    LayerSubject,
    MisappliedSubject,
    NoiseSubject,
    PartSubject,
    RunSubject,
    Subject,
    VectorsSubject,
)
from conformance.submission.values import Metric, MetricUse, MetricValue, Shard, Tolerance
from conformance.verdicts import (
    EvaluationError,
    Finding,
    Location,
    MalformedError,
    NotRunError,
    Verdict,
)
from tests.judging.found import (
    layer,
    merge,
    model,
    model_subject,
    sample,
    sample_subject,
    update,
    vectors,
)
from tests.results import made, result_of, row

TOP1 = Metric("top1", "top-k-accuracy", "", "higher", Tolerance("absolute", 0.1))
RUN = sample_subject(sample("half")).narrowed(RunSubject, vectors=vectors())
SUBJECT = RUN.narrowed(
    ClaimSubject,
    id="tiny/half/top1",
    pointer="/samples/0/x",
    metric=TOP1,
    declared=MetricValue("top1", "test", 0.9, 1e-6),
)


Found = Evidence | dict[str, Any]
"""Evidence of a job that failed, or what one measured, as far as a test needs it."""


def evidence(found: Found, kind: str) -> Evidence:
    if isinstance(found, Evidence):
        return found
    return Evidence(kind, "k", Path(), result_of(kind, found), None)


def judge(
    check: str = "METRIC-CLAIM-001",
    found: Found | None = None,
    problems: tuple[Finding, ...] = (),
) -> Judge:
    def look_up(job: Job) -> Evidence:
        return evidence(found or {}, job.kind)

    return Judge(BY_ID[check], SUBJECT, problems, {"top1": TOP1}, look_up)


def judge_of(
    subject: Subject, found: Found | None = None, check: str = "METRIC-CLAIM-001"
) -> Judge:
    """Return a judge of ``subject`` that finds this evidence."""
    metrics = {"other": TOP1, "top1": TOP1}

    def look_up(job: Job) -> Evidence:
        return evidence(found or {}, job.kind)

    return Judge(BY_ID[check], subject, (), metrics, look_up)


def valued(value: float | str) -> MetricRow:
    made: MetricRow = row(MetricRow, {"value": value})
    return made


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
    asked.require(False, "missing", expected="1", found="0", fix="add one")
    asked.passed("seen")
    (finding,) = asked.conclude()
    assert (finding.verdict, finding.fix) == (Verdict.FAIL, "add one")


def test_each_cause_of_unfitting_tensors_is_a_finding() -> None:
    asked = judge()
    entry = {"file": "s.nnc", "expected": "1", "found": "0", "fix": "add one"}
    asked.require_fitting(
        TensorProblem(name, message=f"tensor {name!r} {what}", **entry)
        for name, what in (("v", "is short"), ("w", "is short"), ("w", "is late"))
    )
    short, late = asked.conclude()
    assert short.evidence == {"tensors": ["v", "w"]}
    assert (late.verdict, late.message) == (Verdict.FAIL, "tensor 'w' is late")
    assert (late.expected, late.found, late.fix) == ("1", "0", "add one")
    assert late.where == Location("s.nnc", element="w")


def test_every_requirement_is_recorded() -> None:
    asked = judge()
    for condition in (True, False, False):
        asked.require(condition, "missing", expected="1", found="0", fix="add one")
    assert len(asked.conclude()) == 2


def test_error_is_added_to_what_was_found() -> None:
    asked = judge()
    asked.require(False, "missing", expected="1", found="0", fix="add one")
    verdicts = [finding.verdict for finding in asked.conclude(MalformedError("broken"))]
    assert verdicts == [Verdict.FAIL, Verdict.MALFORMED]


def test_owner_of_a_case_reports_its_failure() -> None:
    error = MalformedError("cut short", fix="send it again")
    with pytest.raises(MalformedError) as caught:
        judge("SAMPLE-DECODE-001", failed(error)).result(RUN.decode)
    assert caught.value is error


def test_other_checks_were_then_not_run() -> None:
    with pytest.raises(NotRunError) as caught:
        judge("SAMPLE-DIGEST-001", failed(MalformedError("cut short"))).result(RUN.decode)
    assert "SAMPLE-DECODE-001" in caught.value.expected
    assert caught.value.found == "cut short"


def test_what_was_not_run_stays_so() -> None:
    error = NotRunError("no torch here", fix="install it")
    with pytest.raises(NotRunError) as caught:
        judge("SAMPLE-DIGEST-001", failed(error)).result(RUN.decode)
    assert caught.value.fix == "install it"


@pytest.mark.parametrize(
    ("row", "check", "expected"),
    [
        (Judge.original_row, "METRIC-MEASURE-001", EvaluationError),
        (Judge.original_row, "MODEL-METRIC-001", NotRunError),
        (Judge.reconstructed_row, "METRIC-DELTA-001", EvaluationError),
        (Judge.reconstructed_row, "METRIC-CLAIM-001", NotRunError),
    ],
)
def test_metric_that_cannot_be_measured_is_reported_once(
    row: Callable[[Judge, ClaimSubject], object], check: str, expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        row(judge(check, {"metrics": {"top1": {"error": EvaluationError("broke")}}}), SUBJECT)


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
    asked.require_declared_value(SUBJECT, valued(value))
    (finding,) = asked.conclude()
    assert finding.verdict is verdict
    assert finding.evidence["measured"] == value


@pytest.mark.parametrize(
    ("declared", "edge"),
    [(0.0, EQUAL), (0.25, EQUAL), (-4.0, 4 * EQUAL), (1024.0, 1024 * EQUAL)],
    ids=["0", "small", "negative", "large"],
)
def test_a_declared_value_may_miss_its_tolerance_by_rounding_alone(
    declared: float, edge: float
) -> None:
    for value, verdict in [
        (declared + 0.9 * edge, Verdict.PASS),
        (declared - 0.9 * edge, Verdict.PASS),
        (declared + 1.1 * edge, Verdict.FAIL),
        (declared - 1.1 * edge, Verdict.FAIL),
    ]:
        subject = replace(SUBJECT, declared=MetricValue("top1", "test", declared, 0.0))
        asked = judge_of(subject)
        asked.require_declared_value(subject, valued(value))
        assert asked.conclude()[0].verdict is verdict, value


def test_the_edge_of_what_rounding_explains_is_within_it() -> None:
    subject = replace(SUBJECT, declared=MetricValue("top1", "test", 0.0, 0.0))
    asked = judge_of(subject)
    asked.require_declared_value(subject, valued(EQUAL))
    assert asked.conclude()[0].verdict is Verdict.PASS


def test_a_false_value_is_to_be_declared_as_measured_and_what_is_no_number_explained() -> None:
    fixes = []
    for value in (0.25, "nan"):
        asked = judge()
        asked.require_declared_value(SUBJECT, valued(value))
        (finding,) = asked.conclude()
        assert finding.where == Location("submission.json", pointer="/samples/0/x/value")
        fixes.append(finding.fix)
    assert fixes[0].startswith("declare 0.25, or submit the network")
    assert fixes[1] == "find out why the metric is no finite number here"


@pytest.mark.parametrize(
    ("codec", "default"),
    [(None, "LiteRT"), ("tensors", "LiteRT"), ("onnx", "ONNX Runtime")],
    ids=["original", "tensors", "network"],
)
def test_a_false_value_may_come_from_defaults_of_what_runs(codec: str | None, default: str) -> None:
    original = replace(model(), format="tflite")
    value = {"metric": TOP1, "declared": SUBJECT.declared, "vectors": vectors()}
    subject: DeclaredValueSubject = model_subject(original).narrowed(DeclaredValueSubject, **value)
    if codec:
        subject = replace(SUBJECT, model=original, sample=sample("half", codec=codec))
    asked = judge_of(subject)
    asked.require_declared_value(subject, valued(0.25))
    (finding,) = asked.conclude()
    _, _, hint = finding.fix.partition("that give the declared value")
    assert hint.startswith(f"; {default}")


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


# --- Updates, merges and layers


CUT = MalformedError("cut short")


LAYERED = sample_subject(sample("s", layers=(layer("l0", 600), layer("l1", 300))))
LAYER = LAYERED.narrowed(LayerSubject, layer=LAYERED.sample.layers[1], part=1)
STEP = sample_subject(update("u", None)).narrowed(PartSubject, part=0)
MERGED = sample_subject(merge("m", "a", "b"))
WRONG = sample_subject(update("u", None)).narrowed(
    MisappliedSubject,
    misapplication=Misapplication("repeated", "u", 0, ("u", 0), (("u", 0),), ("u", 0), ""),
)


@pytest.mark.parametrize(
    ("job", "owner"),
    [
        (STEP.state, "UPDATE-STEP-001"),
        (MERGED.state, "UPDATE-MERGE-001"),
        (LAYER.state, "LAYER-DECODE-001"),
        (LAYER.narrowed(LayerRunSubject, vectors=vectors()).reconstruction, "LAYER-RUN-001"),
        (RUN.reconstruction, "SAMPLE-RUN-001"),
        (LAYERED.layering, "LAYER-BASE-001"),
        (WRONG.misapplied, "UPDATE-MUTATION-001"),
    ],
    ids=["step", "merge", "layer", "run-of-layer", "run", "layering", "misapplication"],
)
def test_each_failure_has_one_check_that_reports_it(job: Measuring[Any], owner: str) -> None:
    with pytest.raises(MalformedError):
        judge(owner, failed(CUT)).result(job)
    with pytest.raises(NotRunError) as caught:
        judge("SAMPLE-DIGEST-001", failed(CUT)).result(job)
    assert caught.value.expected == f"{owner} passes"


def test_another_parent_is_told_by_one_check_alone() -> None:
    asked = judge("UPDATE-STEP-001")
    asked.require_identity(made(StateResult, {}))
    with pytest.raises(NotRunError) as caught:
        asked.require_identity(made(StateResult, {"identity": {"wrong": [{"tensor": None}]}}))
    assert caught.value.expected == "UPDATE-PARENT-001 passes"
    assert "UPDATE-PARENT-001" in caught.value.fix


def test_evidence_of_another_that_failed_is_told_by_checks_of_its_own() -> None:
    with pytest.raises(NotRunError) as caught:
        judge("UPDATE-EQUAL-001", failed(CUT)).result_of_other(RUN.decode)
    assert "a check of the other one did not pass" in caught.value.message
    assert caught.value.found == "cut short"


def test_a_metric_that_the_layer_before_lacks_is_no_failure_of_this_one() -> None:
    use = MetricUse("top1", "test", TOP1.tolerance)
    step = LAYER.narrowed(LayerStepSubject, vectors=vectors(), metric=TOP1, use=use)
    found = {"metrics": {"top1": {"error": EvaluationError("broke")}}}
    with pytest.raises(NotRunError):
        judge_of(step, found, "LAYER-ORDER-001").row_before(step)


def test_more_is_said_of_a_declared_value_where_it_is_given() -> None:
    asked = judge("LAYER-METRIC-001")
    asked.require_declared_value(SUBJECT, valued(0.9), {"layer": "l1"})
    (finding,) = asked.conclude()
    assert (finding.evidence["layer"], finding.evidence["measured"]) == ("l1", 0.9)


# --- Places


@pytest.mark.parametrize(
    ("where", "place"),
    [
        (None, Location("submission.json", pointer="/metrics/1")),
        (
            Location(element="logits"),
            Location("submission.json", pointer="/metrics/1", element="logits"),
        ),
        (Location("targets.npz", element="y"), Location("targets.npz", element="y")),
    ],
    ids=["nowhere", "element", "file"],
)
def test_an_error_of_a_metric_without_a_file_points_to_its_declaration(
    where: Location | None, place: Location
) -> None:
    found = {"metrics": {"top1": {"error": EvaluationError("broke", where=where)}}}
    asked = judge_of(SUBJECT, found, "METRIC-MEASURE-001")
    with pytest.raises(EvaluationError) as caught:
        asked.original_row(SUBJECT)
    assert caught.value.where == place


# --- Vectors and formats


def in_format(name: str) -> VectorsSubject:
    subject = model_subject(model(name))
    return subject.narrowed(VectorsSubject, id=f"tiny/{name}", vectors=vectors())


IN_FORMATS = RUN.narrowed(
    NoiseSubject,
    metric=TOP1,
    use=MetricUse("top1", "test", TOP1.tolerance),
    formats=(in_format("linear"), in_format("tflite")),
)


def judge_of_formats(*found: Found) -> Judge:
    """Return a judge that finds this evidence, format by format."""
    known = dict(zip((each.original for each in IN_FORMATS.formats), found, strict=True))

    def look_up(job: Job) -> Evidence:
        return evidence(known[job], job.kind)  # type: ignore[index]

    return Judge(BY_ID["METRIC-NOISE-001"], IN_FORMATS, (), {"top1": TOP1}, look_up)


def value_of(value: float | str) -> Found:
    return {"metrics": {"top1": {"value": value}}}


def test_values_in_all_formats_are_those_of_each_model() -> None:
    asked = judge_of_formats(value_of(0.5), value_of("inf"))
    assert asked.values_in_all_formats(IN_FORMATS) == {"linear": 0.5, "tflite": float("inf")}


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (failed(CUT), "cut short"),
        ({"metrics": {"top1": {"error": CUT}}}, "an error"),
        ({"metrics": {}}, "an error"),
    ],
    ids=["failed", "metric-failed", "not-measured"],
)
def test_a_format_without_a_value_is_named(known: Found, found: str) -> None:
    asked = judge_of_formats(value_of(0.5), known)
    with pytest.raises(NotRunError, match="'top1' could not be measured on tiny/tflite") as caught:
        asked.values_in_all_formats(IN_FORMATS)
    assert caught.value.found == found


@pytest.mark.parametrize(("items", "verdict"), [(9, Verdict.PASS), (8, Verdict.FAIL)])
def test_every_item_has_to_be_run(items: int, verdict: Verdict) -> None:
    shards = (Shard(9, (), (), ()),)
    subject = replace(SUBJECT, vectors=replace(vectors(), shards=shards))
    asked = judge_of(subject)
    ran = {"items": items, "batch_size": 4, "settings": {"device": "cpu"}}
    asked.require_all_items(subject, made(RunConditions, ran))
    (finding,) = asked.conclude()
    assert finding.verdict is verdict
    if verdict is Verdict.PASS:
        assert finding.evidence["conditions"] == {"batch_size": 4, "device": "cpu"}
    else:
        assert (finding.expected, finding.found) == ("9 items", "8 items")
