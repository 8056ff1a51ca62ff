"""Jobs: what they are called, need, consist of and read."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.plan import jobs
from conformance.plan.jobs import CONTROLS, Job, Measuring
from conformance.plan.keys import Keys
from conformance.plan.requests import files_in
from conformance.submission import Submission
from conformance.submission.building import build_submission
from tests import tiny_submission
from tests.jobs.made import KINDS, a_job
from tests.jobs.two_formats import OTHER, add_turned
from tests.tiny_chain import TinyChain, difference

Change = Callable[[dict], None]


@pytest.fixture(scope="module")
def metadata(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is declared of the tiny submission: neither keys nor needs read a file."""
    return tiny_submission.write(tmp_path_factory.mktemp("jobs") / "tiny")


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


@pytest.fixture(scope="module")
def two_formats(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("formats") / "tiny"
    tiny_submission.write(root)
    return add_turned(root)


def built(metadata: dict[str, Any], change: Change = lambda _: None) -> Submission:
    changed = copy.deepcopy(metadata)
    change(changed)
    return build_submission(Path("tiny"), changed)


def names(listed: tuple[Job, ...]) -> list[str]:
    return [job.name for job in listed]


def files(job: Job) -> list[str]:
    """Return the files that the request of a job names."""
    asked = job.request(dict.fromkeys(job.results(), ""))
    return [job.files()[ref.role].rel_filepath for ref in files_in(asked)]


def misapplied(submission: Submission, **more: Any) -> Job:
    given = {
        "part": 1,
        "misapplication": "swapped",
        "start": ("base", 0),
        "steps": (("o", 0), ("u", 1)),
        "instead_of": ("o", 0),
    }
    return a_job(submission, "misapplication", sample="u", **(given | more))


def test_every_kind_of_job_is_known_to_the_tests() -> None:
    classes = {each for each in vars(jobs).values() if isinstance(each, type)}
    assert {each for each in classes if issubclass(each, Job) and each.kind} == set(KINDS.values())


def test_each_job_that_checks_look_at_has_an_owner() -> None:
    assert all(job.owner for job in Measuring.__subclasses__())
    parts = {"parameters", "network", "tensors", "vectors", "run", "measure"}
    assert {job.kind for job in KINDS.values() if not job.owner} == parts


@pytest.mark.parametrize(
    ("kind", "more", "name"),
    [
        ("model", {}, "model linear"),
        ("original", {}, "original linear@test"),
        ("control", {}, "control linear@test"),
        ("run", {"change": "zeros"}, "run linear@test zeros"),
        ("decode", {"sample": "half"}, "decode half"),
        ("tensors", {"sample": "half"}, "tensors half"),
        ("reconstruction", {"sample": "half"}, "reconstruction half@test"),
        ("reconstruction", {"sample": "half", "part": 0}, "reconstruction half#0@test"),
        ("compressed-run", {"sample": "half-onnx"}, "compressed-run half-onnx@test"),
        ("access", {"sample": "half"}, "access half"),
        ("access", {"sample": "half", "part": 1}, "access half#1"),
        ("swapped", {"sample": "half", "swapped": ("a", "b")}, 'swapped half@test ["a", "b"]'),
    ],
)
def test_names_are_readable(metadata: dict, kind: str, more: dict, name: str) -> None:
    assert a_job(built(metadata), kind, **more).name == name


def test_names_of_parts_and_misapplied_updates_are_readable(chain: dict) -> None:
    made = built(chain)
    assert a_job(made, "state", sample="u", part=1).name == "state u#1"
    assert a_job(made, "layering", sample="s").name == "layering s"
    assert misapplied(made).name == "misapplication u#1 swapped"


ORIGINAL, HALF = "original linear@test", {"sample": "half"}
READ = ["vectors linear@test", "run linear@test", "measure linear@test"]


@pytest.mark.parametrize(
    ("kind", "more", "needed", "parts"),
    [
        ("model", {}, [], []),
        ("original", {}, ["model linear"], READ),
        ("control", {}, [ORIGINAL], [f"run linear@test {each}" for each in CONTROLS]),
        ("decode", HALF, ["model linear"], ["parameters linear", "tensors half"]),
        (
            "decode",
            {"sample": "half-onnx"},
            ["model linear"],
            ["network half-onnx", "parameters linear"],
        ),
        ("reconstruction", HALF, [ORIGINAL, "decode half"], ["run half@test"]),
        ("swapped", {**HALF, "swapped": ()}, [ORIGINAL, "decode half"], ["run half@test"]),
        ("compressed-run", {"sample": "half-onnx"}, ["reconstruction half-onnx@test"], []),
        ("access", HALF, ["decode half"], []),
    ],
)
def test_a_job_is_tried_once_what_it_needs_has_succeeded(
    metadata: dict, kind: str, more: dict, needed: list[str], parts: list[str]
) -> None:
    job = a_job(built(metadata), kind, **more)
    assert (names(job.needs()), names(job.parts())) == (needed, parts)


def test_formats_are_compared_once_both_have_run(two_formats: dict) -> None:
    more = {"other_model": "linear", "other_vectors": "test"}
    job = a_job(built(two_formats), "agreement", OTHER, vectors=OTHER, **more)
    assert names(job.needs()) == [f"original {OTHER}@{OTHER}", "original linear@test"]
    assert files(job) == ["turned-inputs.npz", "targets.npz", "inputs.npz"]


@pytest.mark.parametrize(
    ("kind", "more", "read"),
    [
        ("model", {}, ["model.onnx"]),
        ("vectors", {}, ["inputs.npz", "targets.npz", "outputs.npz"]),
        ("run", {}, ["model.onnx", "inputs.npz"]),
        ("measure", {}, ["targets.npz"]),
        ("original", {}, ["outputs.npz"]),
        ("control", {}, ["targets.npz"]),
        ("tensors", {"sample": "half"}, ["half.safetensors"]),
        ("run-sample", {"sample": "half"}, ["model.onnx", "inputs.npz"]),
        ("run-sample", {"sample": "half-onnx"}, ["half.onnx", "inputs.npz"]),
        ("reconstruction", {"sample": "half"}, ["targets.npz"]),
    ],
)
def test_a_job_names_the_files_that_it_reads_and_no_other(
    metadata: dict, kind: str, more: dict, read: list[str]
) -> None:
    assert files(a_job(built(metadata), kind, **more)) == read


# --- Chains


def of_sample(kind: str, sample: str, **more: Any) -> Any:
    return lambda made: a_job(made, kind, sample=sample, **more)


def state(step: str) -> Any:
    name, _, part = step.partition("#")
    return of_sample("state", name, part=int(part))


@pytest.mark.parametrize(
    ("make", "states"),
    [
        (state("base#0"), []),
        (state("u#0"), ["base#0"]),
        (state("u#1"), ["u#0"]),
        (state("c#0"), ["u#1", "base#0"]),
        (state("c#1"), ["c#0"]),
        (state("o#0"), []),
        (state("m#0"), ["u#1", "o#0"]),
        (of_sample("decode", "base"), []),
        (of_sample("decode", "u"), ["u#0", "u#1"]),
        (of_sample("decode", "m"), ["m#0"]),
        (of_sample("layering", "s"), ["s#0", "s#1"]),
        (of_sample("reconstruction", "u"), ["u#1"]),
        (of_sample("swapped", "u", swapped=("fc.bias",)), ["u#1"]),
        (of_sample("reconstruction", "s"), ["s#1"]),
        (of_sample("reconstruction", "s", part=0), ["s#0"]),
        (of_sample("reconstruction", "base"), []),
        (of_sample("access", "s", part=0), []),
        (misapplied, ["base#0", "o#0"]),
        (
            lambda made: misapplied(made, steps=(("u", 1), ("u", 0)), instead_of=("u", 0)),
            ["base#0", "u#0"],
        ),
        (
            lambda made: misapplied(made, start=None, steps=(("c", 0),), instead_of=("c", 1)),
            ["c#1", "base#0"],
        ),
    ],
)
def test_a_job_needs_the_states_that_it_builds_upon(
    chain: dict, make: Callable[[Submission], Job], states: list[str]
) -> None:
    needed = names(make(built(chain)).needs())
    found = [name.removeprefix("state ") for name in needed if name.startswith("state ")]
    assert found == states


@pytest.mark.parametrize(
    ("make", "read"),
    [
        (lambda made: misapplied(made, steps=(("u", 1), ("u", 0))), ["u-1", "u-0"]),
        (state("u#0"), ["u-0"]),
        (state("u#1"), ["u-1"]),
        (state("s#1"), ["s-1"]),
        (state("m#0"), []),
    ],
)
def test_a_job_reads_the_files_of_its_own_parts(
    chain: dict, make: Callable[[Submission], Job], read: list[str]
) -> None:
    assert files(make(built(chain))) == [f"{name}.safetensors" for name in read]


def test_a_long_chain_has_keys(tmp_path: Path) -> None:
    """Each key contains that of the step before; nothing is found by recursion."""
    chain = TinyChain(tmp_path / "tiny")
    chain.whole()
    chain.update("u", "base", *[difference(1)] * 1100)
    made = built(chain.metadata)
    keys = Keys()
    assert len({keys.key(a_job(made, "state", sample="u", part=k)) for k in (0, 700, 1099)}) == 3
