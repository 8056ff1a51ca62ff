"""A request holds what a worker may see, and its hash is the key of the result."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.plan.jobs import Job
from conformance.plan.keys import Keys
from conformance.plan.requests import (
    NetworkSpec,
    asked_of,
    spelled,
    token,
    typed,
    untyped,
)
from conformance.submission import Submission
from conformance.submission.building import build_submission
from tests import tiny_submission
from tests.jobs.made import a_job
from tests.jobs.two_formats import OTHER, add_turned
from tests.tiny_chain import TinyChain, difference

KINDS = (
    ("model", {}),
    ("parameters", {}),
    ("vectors", {}),
    ("run", {}),
    ("run", {"change": "zeros"}),
    ("measure", {}),
    ("original", {}),
    ("control", {}),
    ("tensors", {"sample": "half"}),
    ("decode", {"sample": "half"}),
    ("decode", {"sample": "half-onnx"}),
    ("network", {"sample": "half-onnx"}),
    ("run-sample", {"sample": "half"}),
    ("run-sample", {"sample": "half-onnx"}),
    ("reconstruction", {"sample": "half"}),
    ("compressed-run", {"sample": "half-onnx"}),
    ("access", {"sample": "half"}),
)
"""Jobs of the tiny submission."""

Keyed = dict[str, str]


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return tiny_submission.write(tmp_path_factory.mktemp("requests") / "tiny")


def built(metadata: dict[str, Any], root: str = "tiny") -> Submission:
    return build_submission(Path(root), metadata)


def changed(metadata: dict[str, Any], change: Callable[[dict], Any]) -> dict[str, Any]:
    made = copy.deepcopy(metadata)
    change(made)
    return made


def jobs(submission: Submission) -> Iterator[Job]:
    for kind, more in KINDS:
        yield a_job(submission, kind, **more)


def keys(metadata: dict[str, Any], root: str = "tiny") -> Keyed:
    found = Keys()
    return {job.name: found.key(job) for job in jobs(built(metadata, root))}


def differing(before: Keyed, after: Keyed) -> list[str]:
    return [name for name in before if before[name] != after[name]]


def test_every_job_has_its_own_key(metadata: dict) -> None:
    found = keys(metadata)
    assert len(set(found.values())) == len(KINDS) == len(found)


def test_keys_do_not_depend_on_the_folder(metadata: dict) -> None:
    assert keys(metadata) == keys(metadata, root="elsewhere")


def test_requests_come_back_from_json_as_they_were(metadata: dict) -> None:
    found = Keys()
    for job in jobs(built(metadata)):
        request = found.request(job)
        assert untyped(asked_of(json.loads(json.dumps(request)))) == request["asked"]


# --- What a job does not see


def renamed(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata with every id, title, description and file name changed."""
    text = json.dumps(metadata)
    for name in ("half-onnx", "half", "exact", "linear", "test", "top1", "distance"):
        text = text.replace(f'"{name}"', f'"other-{name}"')
    made: dict[str, Any] = json.loads(text)
    for each in walk(made):
        for key in ("title", "description", "summary", "contributor"):
            if isinstance(each.get(key), str):
                each[key] = f"Another {key}"
        if "rel_filepath" in each:
            each["rel_filepath"] = f"elsewhere/new-{each['rel_filepath']}"
    return made


def walk(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, Mapping):
        yield value  # type: ignore[misc]
        for each in value.values():
            yield from walk(each)
    elif isinstance(value, list):
        for each in value:
            yield from walk(each)


def test_renaming_and_retitling_recomputes_nothing(metadata: dict) -> None:
    """Roles and kinds of metrics and codecs are no names of the submission."""
    made, found = built(renamed(metadata)), Keys()
    after = {}
    for kind, more in KINDS:
        sample = {"sample": f"other-{more['sample']}"} if "sample" in more else {}
        job = a_job(made, kind, "other-linear", vectors="other-test", **(more | sample))
        after[job.name.replace("other-", "")] = found.key(job)
    assert differing(keys(metadata), after) == []


@given(st.randoms())
@settings(max_examples=30, deadline=None)
def test_reordering_recomputes_nothing(tmp_path_factory, random) -> None:
    metadata = _metadata()

    def shuffle(made: dict) -> None:
        for section in ("models", "metrics", "vectors", "samples", "datasets", "use_cases"):
            random.shuffle(made[section])
        for sample in made["samples"]:
            random.shuffle(sample["metrics"])
            random.shuffle(sample["claims"]["metric_values"])

    assert differing(keys(metadata), keys(changed(metadata, shuffle))) == []


def _metadata(known: dict[str, Any] = {}) -> dict[str, Any]:  # noqa: B006 - made once
    if not known:
        import tempfile

        known |= tiny_submission.write(Path(tempfile.mkdtemp()) / "tiny")
    return known


# --- What a job sees


def model(metadata: dict) -> Any:
    return metadata["models"][0]


def sample(metadata: dict, id: str = "half") -> Any:
    return next(each for each in metadata["samples"] if each["id"] == id)


def shard(metadata: dict) -> Any:
    return metadata["vectors"][0]["shards"][0]


DECODED = ["tensors half", "decode half", "run half@test", "reconstruction half@test"]
OPENED = ["model linear", "parameters linear"]
RUN = ["run linear@test", "measure linear@test", "original linear@test"]
RECONSTRUCTIONS = ["reconstruction half@test"]

VISIBLE: Mapping[str, tuple[Callable[[dict], Any], list[str]]] = {
    "model-file": (
        lambda m: model(m)["files"][0].update(sha256="0" * 64),
        [
            *OPENED,
            "vectors linear@test",
            "run linear@test",
            "run linear@test zeros",
            "measure linear@test",
            "original linear@test",
            "control linear@test",
            "decode half",
            "decode half-onnx",
            "run half@test",
            "reconstruction half@test",
            "compressed-run half-onnx@test",
        ],
    ),
    "inputs-of-the-model": (
        lambda m: model(m)["inputs"][0].update(dtype="float64"),
        ["vectors linear@test", *RUN, "control linear@test", *RECONSTRUCTIONS],
    ),
    "outputs-of-the-model": (
        lambda m: model(m)["outputs"][0].update(dtype="float64"),
        ["original linear@test"],
    ),
    "sample-file": (
        lambda m: sample(m)["files"][0].update(sha256="0" * 64),
        [*DECODED, "access half"],
    ),
    "codec-parameter": (
        lambda m: sample(m)["codec"].update(params={"format": "safetensors"}),
        [*DECODED, "access half"],
    ),
    "name-map": (
        lambda m: sample(m).update(name_map=[{"sample": "fc.bias", "model": "fc.bias"}]),
        [*DECODED, "access half"],
    ),
    "lossless": (lambda m: sample(m).update(lossless=True), ["decode half"]),
    "same-tensors-as": (
        lambda m: sample(m, "exact").update(same_tensors_as="half"),
        ["decode half"],
    ),
    "inputs": (
        lambda m: shard(m)["inputs"][0].update(sha256="0" * 64),
        [
            "vectors linear@test",
            "run linear@test",
            "run linear@test zeros",
            "measure linear@test",
            "original linear@test",
            "control linear@test",
            "run half@test",
            "run half-onnx@test",
            "reconstruction half@test",
            "compressed-run half-onnx@test",
        ],
    ),
    "targets": (
        lambda m: shard(m)["targets"][0].update(sha256="0" * 64),
        ["vectors linear@test", *RUN, "control linear@test", *RECONSTRUCTIONS],
    ),
    "declared-outputs": (
        lambda m: shard(m)["outputs"][0].update(sha256="0" * 64),
        ["vectors linear@test", *RUN, "control linear@test", *RECONSTRUCTIONS],
    ),
    "output-tolerance": (
        lambda m: m["vectors"][0]["output_tolerance"].update(atol=1.0),
        ["original linear@test"],
    ),
    "metric-argument": (
        lambda m: m["metrics"][0].update(args={"k": 2}),
        ["measure linear@test", "original linear@test", "control linear@test", *RECONSTRUCTIONS],
    ),
    "confidence": (
        lambda m: m["metrics"][1]["tolerance"].update(confidence=0.99),
        RECONSTRUCTIONS,
    ),
    "bound": (lambda m: m["metrics"][0]["tolerance"].update(bound=0.5), []),
    "direction": (lambda m: m["metrics"][0].update(direction="lower"), []),
    "claim": (lambda m: sample(m)["claims"]["metric_values"][0].update(value=0.1), []),
    "parameter-count": (lambda m: model(m).update(parameter_count=3), []),
    "features": (lambda m: sample(m).update(features=["x"]), []),
    "method": (lambda m: sample(m)["method"].update(retraining=True), []),
}
"""Changes of a value, and the jobs that see it or build upon one that does."""


@pytest.mark.parametrize("name", VISIBLE)
def test_a_changed_value_recomputes_the_jobs_that_see_it(metadata: dict, name: str) -> None:
    change, expected = VISIBLE[name]
    assert differing(keys(metadata), keys(changed(metadata, change))) == [
        each for each in keys(metadata) if each in expected
    ]


@given(st.lists(st.sampled_from(sorted(VISIBLE)), unique=True, max_size=5))
@settings(max_examples=40, deadline=None)
def test_several_changes_recompute_what_each_of_them_does(names: list[str]) -> None:
    metadata = _metadata()

    def change(made: dict) -> None:
        for name in names:
            VISIBLE[name][0](made)

    expected = {job for name in names for job in VISIBLE[name][1]}
    assert set(differing(keys(metadata), keys(changed(metadata, change)))) == expected


# --- Chains, layers, two formats


def test_a_state_depends_on_how_its_sample_is_decoded(tmp_path: Path) -> None:
    """And not on what comes after it: a chain that grows is not decoded again."""
    chain = TinyChain(tmp_path / "tiny")
    chain.whole()
    chain.update("u", "base", difference(1), difference(2))
    chain.update("o", None)
    chain.merge("m", u=1.0, o=1.0)
    chain.layered("s", chain.original, difference(3))
    steps = [("base", 0), ("u", 0), ("u", 1), ("o", 0), ("m", 0), ("s", 0), ("s", 1)]

    def states(metadata: dict) -> Keyed:
        made, found = build_submission(Path("tiny"), metadata), Keys()
        listed = [a_job(made, "state", sample=name, part=part) for name, part in steps]
        return {job.name.removeprefix("state "): found.key(job) for job in listed}

    def find(metadata: dict, id: str) -> Any:
        return next(each for each in metadata["samples"] if each["id"] == id)

    def grow(metadata: dict) -> None:
        for each in (find(metadata, "u"), find(metadata, "o")):
            each["files"].append(each["files"][0])

    before = states(chain.metadata)

    def recomputed(change: Callable[[dict], Any]) -> list[str]:
        return differing(before, states(changed(chain.metadata, change)))

    contexts = {"contexts_of": "o"}
    assert recomputed(lambda m: find(m, "u")["update_of"].update(contexts)) == ["u#0", "u#1", "m#0"]
    assert recomputed(lambda m: find(m, "s")["layers"][1].update(mode="replace")) == ["s#1"]
    assert recomputed(lambda m: find(m, "m")["merge_of"][0].update(weight=2.0)) == ["m#0"]
    assert recomputed(grow) == ["m#0"]


def test_agreement_depends_on_the_other_format_as_it_is_declared(tmp_path: Path) -> None:
    tiny_submission.write(tmp_path / "tiny")
    metadata = add_turned(tmp_path / "tiny")
    more = {"other_model": "linear", "other_vectors": "test"}

    def key(made: dict) -> str:
        job = a_job(built(made), "agreement", OTHER, vectors=OTHER, **more)
        return Keys().key(job)

    other = changed(metadata, lambda m: m["models"][0].update(format="torchscript"))
    assert key(other) != key(metadata)
    assert key(changed(metadata, lambda m: m["models"][0].update(title="Other"))) == key(metadata)


# --- Names in results


def test_tokens_are_replaced_by_names_in_texts_and_keys() -> None:
    key = "0123456789abcdef" + "0" * 48
    names = {"id.sample": "half", "file.sample.0": "a b.nnc", "at.sample": "/samples/3"}
    file, at = token(key, "file.sample.0"), token(key, "at.sample")
    told = {
        file: [f"{file} is broken at {at}/codec", 3, None],
        "command": f"nnr-conformance nnc inspect {file}",
        "unknown": token(key, "id.model"),
        "other": token("f" * 64, "id.sample"),
    }
    found = spelled(told, lambda prefix, name: names.get(name) if prefix == key[:16] else None)
    assert found == {
        "a b.nnc": ["a b.nnc is broken at /samples/3/codec", 3, None],
        "command": "nnr-conformance nnc inspect 'a b.nnc'",
        "unknown": told["unknown"],
        "other": told["other"],
    }


def test_what_a_file_says_is_no_token() -> None:
    told = {"@half@": "@0123:id.sample@", "name": "@0123456789abcdef:id.sample"}
    assert spelled(told, lambda *_: "nothing") == told


@pytest.mark.parametrize(
    "data",
    [
        {"role": "model", "format": "onnx", "files": [], "codec": "", "params": {}, "more": 1},
        {"role": "model", "format": 3, "files": []},
        {"role": "model", "files": []},
        [],
    ],
)
def test_json_that_is_not_the_value_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        typed(data, NetworkSpec)
