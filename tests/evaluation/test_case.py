from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.evaluation.case import (
    Case,
    confidence_levels,
    evidence_key,
    files_of,
    metrics_on,
    versions,
)
from conformance.evaluation.needs import prerequisites
from conformance.submission import Submission, load
from tests import tiny_submission

DECODE = Case("decode", "linear", sample="half")
ORIGINAL = Case("original", "linear", vectors="test")
RECONSTRUCTION = Case("reconstruction", "linear", sample="half", vectors="test")
CASES = [Case("model", "linear"), ORIGINAL, DECODE, RECONSTRUCTION]

Change = Callable[[dict], None]


def submission(root: Path, change: Change = lambda _: None) -> Submission:
    metadata = tiny_submission.write(root)
    change(metadata)
    tiny_submission.save(root, metadata)
    loaded = load(root)
    assert loaded.submission is not None, loaded.problems
    return loaded.submission


def key(case: Case, root: Path, change: Change = lambda _: None, memory: int = 1 << 30) -> str:
    return evidence_key(case, submission(root, change), limits={"memory": memory})


def test_names_are_readable() -> None:
    names = [case.name for case in CASES]
    assert names == [
        "model linear",
        "original linear@test",
        "decode half",
        "reconstruction half@test",
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_key_does_not_depend_on_the_folder(case: Case, tmp_path: Path) -> None:
    assert key(case, tmp_path / "a") == key(case, tmp_path / "b")


def test_every_case_has_its_own_key(tmp_path: Path) -> None:
    whole = submission(tmp_path)
    assert len({evidence_key(case, whole, limits={}) for case in CASES}) == len(CASES)


def _sample_size(metadata: dict) -> None:
    metadata["samples"][0]["files"][0]["sha256"] = "0" * 64


def _metric_argument(metadata: dict) -> None:
    metadata["metrics"][0]["args"] = {"k": 2}


def _codec_parameter(metadata: dict) -> None:
    metadata["samples"][0]["codec"]["params"] = {"format": "safetensors"}


def _name_map(metadata: dict) -> None:
    metadata["samples"][0]["name_map"] = [{"sample": "fc.bias", "model": "fc.bias"}]


def _output_tolerance(metadata: dict) -> None:
    metadata["vectors"][0]["output_tolerance"]["atol"] = 1.0


def _confidence(metadata: dict) -> None:
    metadata["metrics"][1]["tolerance"]["confidence"] = 0.99


def _ports(metadata: dict) -> None:
    metadata["models"][0]["outputs"][0]["dtype"] = "float64"


def test_key_changes_with_the_declared_ports(tmp_path: Path) -> None:
    """A run holds them against its arrays: what another declaration gave is no evidence."""
    for case in CASES:
        assert key(case, tmp_path / "a") != key(case, tmp_path / "b", _ports)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (_sample_size, [DECODE, RECONSTRUCTION]),
        (_metric_argument, [ORIGINAL, RECONSTRUCTION]),
        (_codec_parameter, [DECODE, RECONSTRUCTION]),
        (_name_map, [DECODE, RECONSTRUCTION]),
        (_output_tolerance, [ORIGINAL, RECONSTRUCTION]),
        (_confidence, [ORIGINAL, RECONSTRUCTION]),
    ],
    ids=["file", "metric-args", "codec-params", "name-map", "output-tolerance", "confidence"],
)
def test_key_changes_with_what_the_case_depends_on(
    change: Change, changed: list[Case], tmp_path: Path
) -> None:
    before = {case: key(case, tmp_path / "a") for case in CASES}
    after = {case: key(case, tmp_path / "b", change) for case in CASES}
    assert [case for case in CASES if before[case] != after[case]] == changed


def _words(metadata: dict) -> None:
    metadata["title"] = "Another title"
    metadata["samples"][0]["claims"]["metric_values"][0]["value"] = 0.1
    metadata["metrics"][0]["tolerance"]["bound"] = 0.5


def test_titles_and_claims_do_not_change_what_is_measured(tmp_path: Path) -> None:
    for case in (Case("model", "linear"), DECODE):
        assert key(case, tmp_path / "a") == key(case, tmp_path / "b", _words)


def test_key_changes_with_the_memory_limit(tmp_path: Path) -> None:
    assert key(DECODE, tmp_path, memory=1) != key(DECODE, tmp_path, memory=2)


def test_files_of_a_reconstruction_are_all_it_reads(tmp_path: Path) -> None:
    files = [file.rel_filepath for file in files_of(RECONSTRUCTION, submission(tmp_path))]
    expected = ["model.onnx", "half.safetensors", "inputs.npz", "targets.npz", "outputs.npz"]
    assert files == expected


def test_reconstruction_needs_the_original_and_the_decoded_sample(tmp_path: Path) -> None:
    assert prerequisites(RECONSTRUCTION, submission(tmp_path)) == (ORIGINAL, DECODE)


def test_nothing_is_tried_on_a_model_that_does_not_open(tmp_path: Path) -> None:
    model, whole = CASES[0], submission(tmp_path)
    assert prerequisites(model, whole) == ()
    assert prerequisites(ORIGINAL, whole) == prerequisites(DECODE, whole) == (model,)


def test_metrics_are_those_anything_refers_to(tmp_path: Path) -> None:
    def unused(metadata: dict) -> None:
        metadata["metrics"].append({**metadata["metrics"][0], "id": "unused"})

    whole = submission(tmp_path, unused)
    used = [metric.id for metric in metrics_on("test", whole, whole.models[0])]
    assert used == ["top1", "distance"]


def test_interval_has_the_level_that_is_asked_for(tmp_path: Path) -> None:
    def ask(metadata: dict) -> None:
        metadata["metrics"][0]["tolerance"]["confidence"] = 0.9
        tolerance = {"type": "absolute", "bound": 1, "inclusive": True, "confidence": 0.8}
        metadata["samples"][0]["metrics"][1]["tolerance"] = tolerance

    assert confidence_levels(RECONSTRUCTION, submission(tmp_path, ask)) == {
        "top1": 0.9,
        "distance": 0.8,
    }


def test_versions_name_what_computes() -> None:
    assert {"python", "numpy", "onnxruntime", "nnr-conformance"} <= versions().keys()
