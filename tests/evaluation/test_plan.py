from __future__ import annotations

from pathlib import Path

from conformance.checks import CHECKS
from conformance.evaluation.plan import subjects
from conformance.submission import load
from tests import tiny_submission
from tests.evaluation.bench import edit


def ids(root: Path, name: str = "tiny") -> dict[str, list[str]]:
    loaded = load(root)
    return {
        over: [subject.id for subject in listed]
        for over, listed in subjects(name, loaded.submission).items()
    }


def test_subjects_have_readable_ids(tiny: Path) -> None:
    assert ids(tiny) == {
        "submission": ["tiny"],
        "model": ["tiny/linear"],
        "vectors": ["tiny/linear@test"],
        "measure": ["tiny/linear@test/top1", "tiny/linear@test/distance"],
        "controlled": ["tiny/linear@test/top1", "tiny/linear@test/distance"],
        "declared_value": ["tiny/linear/top1", "tiny/linear/distance"],
        "replaced": ["tiny/linear"],
        "sample": ["tiny/half", "tiny/half-onnx", "tiny/exact"],
        "stream": [],
        "agreement": [],
        "noise": [],
        "lossless": ["tiny/exact"],
        "unretrained": ["tiny/half"],
        "run": ["tiny/half@test", "tiny/half-onnx@test", "tiny/exact@test"],
        "claim": [
            "tiny/half/top1",
            "tiny/half/distance",
            "tiny/half-onnx/top1",
            "tiny/half-onnx/distance",
            "tiny/exact/top1",
        ],
        "delta": [
            "tiny/half/top1",
            "tiny/half/distance",
            "tiny/half-onnx/top1",
            "tiny/half-onnx/distance",
        ],
        "improvement": [
            "tiny/half/top1",
            "tiny/half/distance",
            "tiny/half-onnx/top1",
            "tiny/half-onnx/distance",
        ],
        **{over: [] for over in ("update", "merge", "derived", "equal", "mutation", "access")},
        **{over: [] for over in ("layered", "layer", "layer_run", "layer_value", "layer_step")},
        "direct_run": ["tiny/half-onnx@test"],
        "computed": [
            "tiny/linear@test",
            "tiny/half@test",
            "tiny/half-onnx@test",
            "tiny/exact@test",
        ],
    }


def test_a_sample_may_have_the_id_of_its_original(tiny: Path) -> None:
    edit(tiny, lambda metadata: metadata["samples"][0].update(id="linear"))
    found = ids(tiny)
    assert all(len(set(listed)) == len(listed) for listed in found.values())
    assert found["computed"][:2] == ["tiny/linear@test/original", "tiny/linear@test"]
    assert found["vectors"] == ["tiny/linear@test"]


def test_vectors_are_named_where_a_metric_alone_is_ambiguous(tiny: Path) -> None:
    metadata = tiny_submission.write(tiny)
    metadata["vectors"].append({**metadata["vectors"][0], "id": "again"})
    metadata["samples"][0]["metrics"].append({"metric": "top1", "vectors": "again"})
    tiny_submission.save(tiny, metadata)
    assert ids(tiny)["delta"][:3] == [
        "tiny/half/top1@test",
        "tiny/half/distance",
        "tiny/half/top1@again",
    ]


def test_every_kind_of_subject_is_planned_for(tiny: Path) -> None:
    # Advice has a subject only where there is any.
    assert {check.over for check in CHECKS} == {*ids(tiny), "advised"}


def test_nothing_is_odd_about_a_sample_that_was_trained_further(tiny: Path) -> None:
    metadata = tiny_submission.write(tiny)
    for sample in metadata["samples"]:
        sample["method"]["retraining"] = True
    tiny_submission.save(tiny, metadata)
    assert ids(tiny)["unretrained"] == ids(tiny)["improvement"] == []


def test_unreadable_metadata_leave_only_themselves_to_check() -> None:
    assert list(subjects("broken", None)) == ["submission"]


def test_pointers_lead_to_what_the_subject_is_about(tiny: Path) -> None:
    loaded = load(tiny)
    listed = subjects("tiny", loaded.submission)
    assert listed["delta"][1].pointer == "/samples/0/metrics/1"
    assert listed["claim"][4].pointer == "/samples/2/claims/metric_values/0"
    assert listed["declared_value"][0].pointer == "/models/0/metric_values/0"
    assert listed["measure"][1].pointer == "/metrics/1"


def test_cases_hold_only_what_their_kind_is_about(tiny: Path) -> None:
    delta = subjects("tiny", load(tiny).submission)["delta"][0]
    assert delta.case("reconstruction").name == "reconstruction half@test"
    assert delta.case("original").name == "original linear@test"
    assert delta.case("decode").name == "decode half"
    assert delta.case("model").name == "model linear"
