from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.checks import CHECKS
from conformance.plan.subjects import Subject, formats_of, job_in_format, subjects
from conformance.submission import load
from conformance.submission.building import build_submission
from conformance.submission.values import Tolerance
from conformance.verdicts import Location
from tests import tiny_submission
from tests.hang import no_hang
from tests.jobs.bench import edit
from tests.jobs.two_formats import OTHER, add_turned


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
        **{
            over: [] for over in ("update", "merge", "derived", "equal", "misapplication", "access")
        },
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


def test_each_subject_has_the_jobs_that_hold_evidence_about_it(tiny: Path) -> None:
    delta: Any = subjects("tiny", load(tiny).submission)["delta"][0]
    jobs = (delta.reconstruction, delta.original, delta.decode, delta.opened)
    assert [job.name for job in jobs] == [
        "reconstruction half@test",
        "original linear@test",
        "decode half",
        "model linear",
    ]


# --- Samples of several codecs


def planned(metadata: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the subjects of metadata that are not written: the plan reads nothing else."""
    return {str(over): listed for over, listed in subjects("tiny", built(metadata)).items()}


def built(metadata: dict[str, Any]) -> Any:
    return build_submission(Path("tiny"), metadata)


def names(listed: tuple[Subject, ...]) -> list[str]:
    return [subject.id.removeprefix("tiny/") for subject in listed]


CODECS = ("tensors", "nnc", "onnx", "tflite")


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ("sample", CODECS),
        ("stream", ["nnc"]),
        ("direct_run", ["onnx@test", "tflite@test"]),
        ("unretrained", ["tensors", "nnc"]),
        ("replaced", ["linear"]),
    ],
)
def test_what_is_checked_of_a_sample_follows_from_its_codec(
    tiny: Path, over: str, expected: list[str]
) -> None:
    def change(metadata: dict) -> None:
        pattern = metadata["samples"][0]
        metadata["samples"] = [
            {**pattern, "id": codec, "codec": {"id": codec, "params": {}}} for codec in CODECS
        ]

    assert names(planned(changed(tiny, change))[over]) == list(expected)


def changed(tiny: Path, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    metadata = json.loads((tiny / "submission.json").read_text("utf-8"))
    change(metadata)
    return metadata  # type: ignore[no-any-return]


def test_only_a_network_that_tensors_are_put_into_has_its_parameters_replaced(tiny: Path) -> None:
    def change(metadata: dict) -> None:
        metadata["models"].append({**metadata["models"][0], "id": "other", "metric_values": []})
        metadata["samples"][1]["model"] = "other"

    listed = planned(changed(tiny, change))
    assert names(listed["model"]) == ["linear", "other"]
    assert names(listed["replaced"]) == ["linear"]


@pytest.mark.parametrize("named", ["metrics", "claims"])
def test_controls_are_for_the_vectors_that_a_sample_names(tiny: Path, named: str) -> None:
    def change(metadata: dict) -> None:
        vectors = metadata["vectors"][0]
        metadata["vectors"] += [{**vectors, "id": name} for name in ("named", "other")]
        for name in ("named", "other"):
            value = {"metric": "top1", "vectors": name, "value": 0.9}
            metadata["models"][0]["metric_values"].append(value)
        sample = metadata["samples"][0]
        use = {"metric": "top1", "vectors": "named"}
        if named == "metrics":
            sample["metrics"].append(use)
        else:
            sample["claims"]["metric_values"].append({**use, "value": 0.9})

    listed = planned(changed(tiny, change))
    assert names(listed["controlled"]) == [
        *("linear@test/top1", "linear@test/distance", "linear@named/top1")
    ]
    assert names(listed["measure"])[-1] == "linear@other/top1"
    assert "half@named" in names(listed["run"])


def test_a_metric_is_measured_for_every_tolerance_in_use(tiny: Path) -> None:
    narrow = {"type": "absolute", "bound": 0.01, "inclusive": True}

    def change(metadata: dict) -> None:
        for sample in metadata["samples"][:2]:
            sample["metrics"][0]["tolerance"] = narrow
        metadata["samples"][2]["metrics"] = [{"metric": "top1", "vectors": "test"}]
        metadata["metrics"].append({**metadata["metrics"][1], "id": "unused"})
        value = {"metric": "unused", "vectors": "test", "value": 0}
        metadata["models"][0]["metric_values"].append(value)

    tolerances = {s.id: s.tolerances for s in planned(changed(tiny, change))["measure"]}
    assert tolerances == {
        "tiny/linear@test/top1": (Tolerance("absolute", 0.01), Tolerance("absolute", 0.05)),
        "tiny/linear@test/distance": (Tolerance("absolute", 1e-4),),
        "tiny/linear@test/unused": (Tolerance("absolute", 1e-4),),
    }


# --- Several formats


@pytest.mark.parametrize(
    ("over", "job", "name"),
    [
        ("model", "opened", "model linear"),
        ("vectors", "original", "original linear@test"),
        ("controlled", "control", "control linear@test"),
        ("agreement", "agreement", f"agreement {OTHER}@{OTHER}"),
        ("sample", "decode", "decode half"),
        ("sample", "access", "access half"),
        ("sample", "state", "state half#0"),
        ("run", "reconstruction", "reconstruction half@test"),
        ("direct_run", "timed", "compressed-run half-onnx@test"),
        ("delta", "original", "original linear@test"),
        ("delta", "opened", "model linear"),
    ],
)
def test_a_job_of_a_subject_has_a_readable_name(tiny: Path, over: str, job: str, name: str) -> None:
    assert getattr(planned(add_turned(tiny))[over][0], job).name == name


def test_formats_are_compared_with_the_one_that_they_equal(tiny: Path) -> None:
    (subject,) = planned(add_turned(tiny))["agreement"]
    job = subject.agreement
    assert (job.other_model, job.other_vectors) == ("linear", "test")


@pytest.mark.parametrize(
    ("over", "file"),
    [("vectors", "model.onnx"), ("run", "model.onnx"), ("direct_run", "half.onnx")],
    ids=["original", "tensors", "network"],
)
def test_the_place_of_the_network_is_the_first_file_of_what_runs(
    tiny: Path, over: str, file: str
) -> None:
    subject: Any = subjects("tiny", load(tiny).submission)[over][0]
    assert subject.place_in_network("w") == Location(file, element="w")


@pytest.mark.parametrize(
    ("against", "kinds"),
    [("original", ["original", "agreement"]), ("targets", ["original", "original"])],
)
def test_a_metric_against_the_original_is_measured_between_formats(
    tiny: Path, against: str, kinds: list[str]
) -> None:
    metadata = add_turned(tiny)
    metadata["metrics"][0]["against"] = against
    metric = built(metadata).metrics[0]
    formats = planned(metadata)["noise"][0].formats
    assert [job_in_format(metric, other).kind for other in formats] == kinds


def test_formats_are_a_group_whichever_is_asked(tiny: Path) -> None:
    add_turned(tiny)
    submission = load(tiny).submission
    assert formats_of("test", submission) == formats_of(OTHER, submission) == ("test", OTHER)


def test_a_network_in_one_format_has_no_noise_floor(tiny: Path) -> None:
    loaded = load(tiny)
    listed = subjects("tiny", loaded.submission)
    assert (listed["agreement"], listed["noise"]) == ((), ())


def test_every_judged_metric_of_several_formats_has_a_noise_floor(tiny: Path) -> None:
    add_turned(tiny)
    listed: Any = subjects("tiny", load(tiny).submission)
    assert [s.id for s in listed["agreement"]] == ["tiny/turned@turned"]
    assert {s.id for s in listed["noise"]} == {s.id for s in listed["delta"]}
    assert all(len(s.formats) == 2 for s in listed["noise"])


def test_a_metric_that_one_format_alone_has_makes_no_noise(tiny: Path) -> None:
    metadata = add_turned(tiny)
    metadata["models"][1]["metric_values"] = []
    assert planned(metadata)["noise"] == ()


def test_long_chains_of_formats_are_planned_at_once(tiny: Path) -> None:
    metadata = add_turned(tiny)
    metadata["vectors"] += [
        {
            **metadata["vectors"][1],
            "id": f"more-{index}",
            "equivalent_to": {"vectors": f"more-{index - 1}" if index else OTHER},
        }
        for index in range(400)
    ]
    ids = [vectors["id"] for vectors in metadata["vectors"]]
    half = next(sample for sample in metadata["samples"] if sample["id"] == "half")
    half["metrics"] = [{"metric": "distance", "vectors": each} for each in ids]
    with no_hang():
        listed = subjects("tiny", build_submission(tiny, metadata))
    assert len(listed["noise"]) >= len(ids)


# --- What a subject is called


def test_a_label_is_ascii_and_begins_with_the_name_in_the_run() -> None:
    assert Subject("tiny/half/top1", "new folder/ü").label == "new-folder/-/half/top1"
    assert Subject("tiny", "tiny (2)").label == "tiny-(2)"


def test_a_subject_of_a_run_names_its_submission_in_the_run(tiny: Path) -> None:
    for subject in planned(add_turned(tiny))["noise"]:
        there = subject.among("tiny (2)")
        assert there.target == "tiny (2)"
        assert there.alone == subject
