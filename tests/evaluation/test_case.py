from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from conformance.evaluation.case import (
    Case,
    confidence_levels,
    evidence_key,
    files_of,
    versions,
)
from conformance.evaluation.needs import prerequisites, states
from conformance.submission import Submission, load
from tests import tiny_submission
from tests.tiny_chain import TinyChain, difference

DECODE = Case("decode", "linear", sample="half")
ORIGINAL = Case("original", "linear", vectors="test")
RECONSTRUCTION = Case("reconstruction", "linear", sample="half", vectors="test")
CONTROL = Case("control", "linear", vectors="test")
CASES = [Case("model", "linear"), ORIGINAL, CONTROL, DECODE, RECONSTRUCTION]

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
        "control linear@test",
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
        (_metric_argument, [ORIGINAL, CONTROL, RECONSTRUCTION]),
        (_codec_parameter, [DECODE, RECONSTRUCTION]),
        (_name_map, [DECODE, RECONSTRUCTION]),
        (_output_tolerance, [ORIGINAL, CONTROL, RECONSTRUCTION]),
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
    used = [metric.id for metric in whole.metrics_on("test", whole.models[0])]
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


# --- Cases of chains


MUTATION = Case(
    "mutation",
    "linear",
    sample="u",
    part=1,
    mutation="swapped",
    start=("base", 0),
    steps=(("v", 0), ("u", 1)),
    instead_of=("v", 0),
)


@pytest.mark.parametrize(
    "case",
    [
        MUTATION,
        replace(MUTATION, start=None),
        Case("state", "linear", sample="u", part=3),
        Case("mixture", "linear", sample="half", vectors="test", swapped=("w", "b")),
        RECONSTRUCTION,
    ],
    ids=lambda case: case.kind,
)
def test_a_case_comes_back_from_json_as_it_was(case: Case) -> None:
    assert Case.from_json(json.loads(json.dumps(asdict(case)))) == case


def test_names_of_parts_and_wrong_turns_are_readable() -> None:
    assert Case("state", "linear", sample="u", part=3).name == "state u#3"
    assert Case("layering", "linear", sample="s").name == "layering s"
    assert MUTATION.name == "mutation u#1 swapped"
    run = Case("reconstruction", "linear", sample="s", part=0, vectors="test")
    assert run.name == "reconstruction s#0@test"


def chain_of_one(tmp_path: Path) -> TinyChain:
    chain = TinyChain(tmp_path / "tiny")
    chain.whole()
    chain.update("u", "base", difference(1), difference(2))
    chain.layered("s", chain.original, difference(3))
    return chain


def test_a_wrong_turn_reads_the_files_of_its_steps(tmp_path: Path) -> None:
    made = chain_of_one(tmp_path).submission()
    case = replace(MUTATION, steps=(("u", 1), ("u", 0)))
    names = [file.rel_filepath for file in files_of(case, made)]
    assert names == ["model.onnx", "u-1.safetensors", "u-0.safetensors"]


def test_what_is_decoded_of_a_derived_sample_depends_on_all_its_files(tmp_path: Path) -> None:
    made = chain_of_one(tmp_path).submission()
    decode = Case("decode", "linear", sample="u")
    assert {file.rel_filepath for file in files_of(decode, made)} == {
        "model.onnx",
        "u-0.safetensors",
        "u-1.safetensors",
    }
    assert [case.name for case in states(decode, made)] == ["state u#0", "state u#1"]


def test_a_layer_is_run_upon_its_own_state_alone(tmp_path: Path) -> None:
    made = chain_of_one(tmp_path).submission()
    run = Case("reconstruction", "linear", sample="s", part=0, vectors="test")
    needed = [case.name for case in prerequisites(run, made)]
    assert needed == ["original linear@test", "state s#0"]
    whole = replace(run, part=None)
    assert [case.name for case in states(whole, made)] == ["state s#1"]
    assert [case.name for case in states(Case("layering", "linear", sample="s"), made)] == [
        "state s#0",
        "state s#1",
    ]


def test_plain_samples_build_upon_no_state(tmp_path: Path) -> None:
    made = chain_of_one(tmp_path).submission()
    assert states(Case("decode", "linear", sample="base"), made) == ()
    assert states(Case("original", "linear", vectors="test"), made) == ()


def test_the_key_contains_the_keys_of_the_states(tmp_path: Path) -> None:
    made = chain_of_one(tmp_path).submission()
    case = Case("state", "linear", sample="u", part=1)
    one, other = (evidence_key(case, made, limits={}, states={"state u#0": k}) for k in "ab")
    assert one != other


def test_metrics_that_only_layers_claim_are_measured(tmp_path: Path) -> None:
    chain = chain_of_one(tmp_path)
    for sample in chain.metadata["samples"]:
        sample["metrics"] = [{"metric": "top1", "vectors": "test"}]
    made = chain.submission()
    assert [m.id for m in made.metrics_on("test", made.models[0])] == ["top1", "distance"]
