from __future__ import annotations

import copy
import importlib.metadata
import json
import platform
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from conformance.plan import case as case_module
from conformance.plan.case import (
    SHUFFLES,
    Case,
    Kind,
    confidence_levels,
    evidence_key,
    files_of,
    keeps_outputs,
    machine,
    sample_of,
    source_digest,
    versions,
)
from conformance.plan.dependencies import key_of, prerequisites, states
from conformance.registry import Registry
from conformance.submission import Submission
from conformance.submission.building import build_submission
from tests import tiny_submission
from tests.jobs.two_formats import OTHER, add_turned
from tests.tiny_chain import TinyChain, difference

DECODE = Case("decode", "linear", sample="half")
ORIGINAL = Case("original", "linear", vectors="test")
RECONSTRUCTION = Case("reconstruction", "linear", sample="half", vectors="test")
CONTROL = Case("control", "linear", vectors="test")
CASES = [Case("model", "linear"), ORIGINAL, CONTROL, DECODE, RECONSTRUCTION]

Change = Callable[[dict], None]


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is declared of the tiny submission: neither keys nor needs read a file."""
    return tiny_submission.write(tmp_path_factory.mktemp("case") / "tiny")


def built(metadata: dict[str, Any], change: Change = lambda _: None, root: str = "tiny") -> Any:
    changed = copy.deepcopy(metadata)
    change(changed)
    return build_submission(Path(root), changed)


def key(case: Case, submission: Submission, memory: int = 1 << 30) -> str:
    return evidence_key(case, submission, limits={"memory": memory})


def test_names_are_readable() -> None:
    names = [case.name for case in CASES]
    assert names == [
        "model linear",
        "original linear@test",
        "control linear@test",
        "decode half",
        "reconstruction half@test",
    ]


def test_a_control_has_the_time_of_each_of_its_networks() -> None:
    assert SHUFFLES == (1, 2, 3)  # Others would change what reports say of a submission.
    networks = {kind: Case(kind, "linear").networks for kind in get_args(Kind)}
    assert networks.pop("control") == 4
    assert set(networks.values()) == {1}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_key_does_not_depend_on_the_folder(case: Case, metadata: dict) -> None:
    assert key(case, built(metadata)) == key(case, built(metadata, root="elsewhere"))


def test_every_case_has_its_own_key(metadata: dict) -> None:
    assert len({key(case, built(metadata)) for case in CASES}) == len(CASES)


def test_key_does_not_depend_on_the_order_of_names(metadata: dict) -> None:
    limits = {"memory": 1, "time": 2}
    turned = dict(reversed(limits.items()))
    one, other = (evidence_key(DECODE, built(metadata), limits=each) for each in (limits, turned))
    assert one == other


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


def _targets_only(metadata: dict) -> None:
    """No sample is judged by a metric against the original, and none declares its value."""
    for owner in (*metadata["models"], *(each["claims"] for each in metadata["samples"])):
        owner["metric_values"] = owner["metric_values"][:1]
    for sample in metadata["samples"]:
        sample["metrics"] = sample["metrics"][:1]


def _ports(metadata: dict) -> None:
    metadata["models"][0]["outputs"][0]["dtype"] = "float64"


def test_key_changes_with_the_declared_ports(metadata: dict) -> None:
    """A run holds them against its arrays: what another declaration gave is no evidence."""
    for case in CASES:
        assert key(case, built(metadata)) != key(case, built(metadata, _ports))


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
    change: Change, changed: list[Case], metadata: dict
) -> None:
    before = {case: key(case, built(metadata)) for case in CASES}
    after = {case: key(case, built(metadata, change)) for case in CASES}
    assert [case for case in CASES if before[case] != after[case]] == changed


def _words(metadata: dict) -> None:
    metadata["title"] = "Another title"
    metadata["samples"][0]["claims"]["metric_values"][0]["value"] = 0.1
    metadata["metrics"][0]["tolerance"]["bound"] = 0.5


def test_titles_and_claims_do_not_change_what_is_measured(metadata: dict) -> None:
    for case in (Case("model", "linear"), DECODE):
        assert key(case, built(metadata)) == key(case, built(metadata, _words))


def test_key_changes_with_the_memory_limit(metadata: dict) -> None:
    whole = built(metadata)
    assert key(DECODE, whole, memory=1) != key(DECODE, whole, memory=2)


def test_tensors_are_decoded_for_comparison_where_a_sample_equals_another(metadata: dict) -> None:
    """Either of them, and no third one."""

    def equal(metadata: dict) -> None:
        metadata["samples"][2]["same_tensors_as"] = "half"

    cases = [Case("decode", "linear", sample=name) for name in ("half", "half-onnx", "exact")]
    before = [key(case, built(metadata)) for case in cases]
    after = [key(case, built(metadata, equal)) for case in cases]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, False]


def test_files_of_a_reconstruction_are_all_it_reads(metadata: dict) -> None:
    files = [file.rel_filepath for file in files_of(RECONSTRUCTION, built(metadata))]
    expected = ["model.onnx", "half.safetensors", "inputs.npz", "targets.npz", "outputs.npz"]
    assert files == expected


def test_reconstruction_needs_the_original_and_the_decoded_sample(metadata: dict) -> None:
    assert prerequisites(RECONSTRUCTION, built(metadata)) == (ORIGINAL, DECODE)


def test_nothing_is_tried_on_a_model_that_does_not_open(metadata: dict) -> None:
    model, whole = CASES[0], built(metadata)
    assert prerequisites(model, whole) == ()
    assert prerequisites(ORIGINAL, whole) == prerequisites(DECODE, whole) == (model,)


@pytest.mark.parametrize(
    ("case", "needed"),
    [
        (CONTROL, [ORIGINAL]),
        (replace(RECONSTRUCTION, kind="mixture"), [ORIGINAL, DECODE]),
        (replace(RECONSTRUCTION, kind="compressed-run"), [RECONSTRUCTION]),
        (replace(DECODE, kind="access"), [DECODE]),
    ],
    ids=lambda each: each.kind if isinstance(each, Case) else "",
)
def test_a_case_is_tried_once_what_it_builds_upon_has_succeeded(
    metadata: dict, case: Case, needed: list[Case]
) -> None:
    assert list(prerequisites(case, built(metadata))) == needed


def test_outputs_are_compared_with_those_of_the_original_on_the_same_vectors() -> None:
    compared = (CONTROL, RECONSTRUCTION, replace(RECONSTRUCTION, kind="mixture"))
    assert {case.reference for case in compared} == {case.own for case in compared} == {ORIGINAL}
    alone = (*CASES[:2], DECODE, replace(RECONSTRUCTION, kind="compressed-run"))
    assert {case.reference for case in alone} == {case.own for case in alone} == {None}


def test_a_case_about_no_sample_has_none(metadata: dict) -> None:
    with pytest.raises(ValueError, match="original linear@test is about no sample"):
        sample_of(ORIGINAL, built(metadata))


def test_metrics_are_those_anything_refers_to(metadata: dict) -> None:
    def unused(metadata: dict) -> None:
        metadata["metrics"].append({**metadata["metrics"][0], "id": "unused"})

    whole = built(metadata, unused)
    used = [metric.id for metric in whole.metrics_on("test", whole.models[0])]
    assert used == ["top1", "distance"]


def test_interval_has_the_level_that_is_asked_for(metadata: dict) -> None:
    def ask(metadata: dict) -> None:
        metadata["metrics"][0]["tolerance"]["confidence"] = 0.9
        tolerance = {"type": "absolute", "bound": 1, "inclusive": True, "confidence": 0.8}
        metadata["samples"][0]["metrics"][1]["tolerance"] = tolerance
        metadata["samples"][0]["metrics"].append(
            {"metric": "top1", "vectors": "other", "tolerance": {**tolerance, "confidence": 0.7}}
        )

    asked = built(metadata, ask)
    assert confidence_levels(RECONSTRUCTION, asked) == {"top1": 0.9, "distance": 0.8}
    assert confidence_levels(ORIGINAL, asked) == {"top1": 0.9, "distance": 0.95}


@pytest.mark.parametrize(("change", "kept"), [(lambda _: None, True), (_targets_only, False)])
def test_outputs_are_kept_where_a_metric_compares_with_them(
    metadata: dict, change: Change, kept: bool
) -> None:
    whole = built(metadata, change)
    metrics = whole.metrics_on("test", whole.models[0])
    assert keeps_outputs(whole.vectors[0], metrics, whole) is kept


# --- Two formats


AGREEMENT = Case("agreement", OTHER, vectors=OTHER, other_model="linear", other_vectors="test")


@pytest.fixture(scope="module")
def two_formats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("formats") / "tiny"
    tiny_submission.write(root)
    return add_turned(root)


def test_formats_are_compared_once_both_have_run(two_formats: dict) -> None:
    own = Case("original", OTHER, vectors=OTHER)
    assert (AGREEMENT.own, AGREEMENT.reference) == (own, ORIGINAL)
    assert prerequisites(AGREEMENT, built(two_formats)) == (own, ORIGINAL)


def test_files_of_an_agreement_are_those_of_both_formats(two_formats: dict) -> None:
    files = [file.rel_filepath for file in files_of(AGREEMENT, built(two_formats))]
    assert files == [
        *("turned.onnx", "model.onnx"),
        *("turned-inputs.npz", "targets.npz", "turned-outputs.npz"),
        *("inputs.npz", "targets.npz", "outputs.npz"),
    ]


def test_outputs_are_kept_for_either_side_of_an_equivalence(two_formats: dict) -> None:
    def third(metadata: dict) -> None:
        metadata["vectors"].append({**metadata["vectors"][0], "id": "third"})

    whole = built(two_formats, third)
    assert [keeps_outputs(vectors, (), whole) for vectors in whole.vectors] == [True, True, False]


@pytest.mark.parametrize("change", [{"format": "torchscript"}, {"outputs": []}])
def test_evidence_is_that_of_the_other_format_as_it_is_declared(
    two_formats: dict, change: dict
) -> None:
    changed = built(two_formats, lambda metadata: metadata["models"][0].update(change))
    assert key(AGREEMENT, built(two_formats)) != key(AGREEMENT, changed)


# --- What computes


@pytest.fixture
def uncached() -> Iterator[None]:
    """What is known of the machine is looked up once for a process."""
    known = (versions, machine, source_digest)
    for each in known:
        each.cache_clear()
    yield
    for each in known:
        each.cache_clear()


def test_versions_name_what_computes() -> None:
    assert {"python", "numpy", "onnxruntime", "nnr-conformance"} <= versions().keys()


def test_versions_are_those_of_what_is_installed(
    uncached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name == "numba":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = versions()
    assert (found["numpy"], "numba" in found) == ("1.0", False)


def test_versions_name_the_packages_of_plug_ins(
    uncached: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "versions", lambda registry: {registry.noun: "2.0"})
    assert {versions()[noun] for noun in ("codec", "model format", "metric kind")} == {"2.0"}


def test_evidence_is_that_of_the_sources_as_they_are(
    uncached: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All modules of the package, by name, and nothing that lies next to it."""
    package = tmp_path / "package"
    (package / "evaluation").mkdir(parents=True)
    monkeypatch.setattr(case_module, "__file__", str(package / "evaluation" / "case.py"))

    def digest_with(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, "utf-8")
        source_digest.cache_clear()
        return source_digest()

    first = digest_with("package/metric.py", "a = 1\n")
    assert digest_with("next_to.py", "a = 1\n") == first
    assert digest_with("package/notes.txt", "a = 1\n") == first
    second = digest_with("package/metric.py", "a = 2\n")
    (package / "metric.py").rename(package / "metrics.py")
    assert len({first, second, digest_with("package/metrics.py", "a = 2\n")}) == 3


def test_machines_with_other_instructions_are_others(
    uncached: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Floating-point kernels are chosen by them; their order says nothing."""
    listed = tmp_path / "cpuinfo"
    monkeypatch.setattr(case_module, "Path", lambda _: listed)

    def machine_with(text: str) -> str:
        listed.write_text(text, "utf-8")
        machine.cache_clear()
        return machine()

    head = "processor\t: 0\n"
    first = machine_with(f"{head}flags\t\t: fma avx2\n")
    assert re.fullmatch(rf"{platform.machine()}-[0-9a-f]{{16}}", first)
    assert machine_with(f"{head}Features\t: avx2 fma\n") == first
    assert machine_with(f"{head}flags\t\t: fma\n") != first


def test_a_machine_that_lists_no_instructions_has_a_name(
    uncached: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(case_module, "Path", lambda _: tmp_path / "cpuinfo")
    assert machine().startswith(f"{platform.machine()}-")


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


def test_names_of_parts_and_misapplied_updates_are_readable() -> None:
    assert Case("state", "linear", sample="u", part=3).name == "state u#3"
    assert Case("layering", "linear", sample="s").name == "layering s"
    assert MUTATION.name == "mutation u#1 swapped"
    run = Case("reconstruction", "linear", sample="s", part=0, vectors="test")
    assert run.name == "reconstruction s#0@test"


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Updates ``u``, ``c`` (with another's decoder memory) and ``o``, their merge, layers."""
    chain = TinyChain(tmp_path_factory.mktemp("chain") / "tiny")
    chain.whole()
    chain.update("u", "base", difference(1), difference(2))
    chain.update("c", "u", *map(difference, (4, 5)), update_of={"contexts_of": "base"})
    chain.update("o", None)
    chain.merge("m", u=1.0, o=1.0)
    chain.layered("s", chain.original, difference(3))
    return chain.metadata


def state(step: str) -> Case:
    name, _, part = step.partition("#")
    return Case("state", "linear", sample=name, part=int(part))


def on_test(kind: Kind, sample: str, part: int | None = None) -> Case:
    return Case(kind, "linear", sample=sample, vectors="test", part=part)


@pytest.mark.parametrize(
    ("case", "needed"),
    [
        (state("base#0"), []),
        (state("u#0"), ["base#0"]),
        (state("u#1"), ["u#0"]),
        (state("c#0"), ["u#1", "base#0"]),
        (state("c#1"), ["c#0"]),
        (state("o#0"), []),
        (state("m#0"), ["u#1", "o#0"]),
        (Case("decode", "linear", sample="base"), []),
        (Case("decode", "linear", sample="u"), ["u#0", "u#1"]),
        (Case("decode", "linear", sample="m"), ["m#0"]),
        (Case("layering", "linear", sample="s"), ["s#0", "s#1"]),
        (on_test("reconstruction", "u"), ["u#1"]),
        (on_test("mixture", "u"), ["u#1"]),
        (on_test("reconstruction", "s"), ["s#1"]),
        (on_test("reconstruction", "s", 0), ["s#0"]),
        (on_test("reconstruction", "base"), []),
        (ORIGINAL, []),
        (Case("access", "linear", sample="s", part=0), []),
        (
            replace(MUTATION, steps=(("u", 1), ("u", 0)), instead_of=("u", 0)),
            ["base#0", "u#0"],
        ),
        (replace(MUTATION, start=None, steps=(("c", 0),), instead_of=("c", 1)), ["c#1", "base#0"]),
    ],
    ids=lambda each: each.name if isinstance(each, Case) else " ".join(each) or "none",
)
def test_a_case_reads_the_states_that_it_builds_upon(
    chain: dict, case: Case, needed: list[str]
) -> None:
    assert states(case, built(chain)) == tuple(map(state, needed))


def test_states_are_named_by_sample_and_part() -> None:
    assert key_of(("u", 1)) == "u#1"


def test_a_layer_is_run_upon_its_own_state_alone(chain: dict) -> None:
    run = on_test("reconstruction", "s", 0)
    assert prerequisites(run, built(chain)) == (ORIGINAL, state("s#0"))


@pytest.mark.parametrize(
    ("case", "read"),
    [
        (replace(MUTATION, steps=(("u", 1), ("u", 0))), ["u-1", "u-0"]),
        (Case("decode", "linear", sample="u"), ["u-0", "u-1"]),
        (state("u#0"), ["u-0"]),
        (state("u#1"), ["u-1"]),
        (state("s#1"), ["s-1"]),
        (state("m#0"), []),
    ],
    ids=lambda each: each.name if isinstance(each, Case) else " ".join(each) or "none",
)
def test_a_case_reads_the_files_of_its_own_parts(chain: dict, case: Case, read: list[str]) -> None:
    names = [file.rel_filepath for file in files_of(case, built(chain))]
    assert names == ["model.onnx", *(f"{name}.safetensors" for name in read)]


def test_the_key_contains_the_keys_of_the_states(chain: dict) -> None:
    case, made = state("u#1"), built(chain)
    one, other = (evidence_key(case, made, limits={}, states={"state u#0": k}) for k in "ab")
    assert one != other


def _sample(metadata: dict, id: str) -> Any:
    return next(each for each in metadata["samples"] if each["id"] == id)


def _more_files(metadata: dict) -> None:
    for sample in (_sample(metadata, name) for name in ("u", "o")):
        sample["files"].append(sample["files"][0])


def _contexts(metadata: dict) -> None:
    _sample(metadata, "u")["update_of"]["contexts_of"] = "o"


def _mode(metadata: dict) -> None:
    _sample(metadata, "s")["layers"][1]["mode"] = "replace"


def _weights(metadata: dict) -> None:
    _sample(metadata, "m")["merge_of"][0]["weight"] = 2.0


STATES = [state(step) for step in ("base#0", "u#0", "u#1", "o#0", "m#0", "s#0")]


@pytest.mark.parametrize(
    ("change", "changed"),
    [(_more_files, []), (_contexts, ["u#0", "u#1"]), (_mode, ["s#0"]), (_weights, ["m#0"])],
    ids=["more files", "contexts", "mode of a layer", "weights"],
)
def test_a_state_depends_on_how_its_sample_is_decoded(
    chain: dict, change: Change, changed: list[str]
) -> None:
    """And not on what comes after it: a chain that grows is not decoded again."""
    before = {case: key(case, built(chain)) for case in STATES}
    after = {case: key(case, built(chain, change)) for case in STATES}
    assert [case for case in STATES if before[case] != after[case]] == list(map(state, changed))


def test_metrics_that_only_layers_claim_are_measured(chain: dict) -> None:
    def top1(metadata: dict) -> None:
        for sample in metadata["samples"]:
            sample["metrics"] = [{"metric": "top1", "vectors": "test"}]

    made = built(chain, top1)
    assert [m.id for m in made.metrics_on("test", made.models[0])] == ["top1", "distance"]
