"""The subjects of updates, merges and layers, by the stable ids that reports give them."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conformance.plan.subjects import subjects
from conformance.submission.building import build_submission
from conformance.verdicts import Location
from tests.tiny_chain import TinyChain, difference


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> TinyChain:
    made = TinyChain(tmp_path_factory.mktemp("chain") / "tiny")
    made.whole()
    made.update("a")
    made.update("b")
    made.merge("m", a=1.0, b=1.0)
    made.update("next", "m", difference(1), difference(2))["same_tensors_as"] = "base"
    made.layered("s", made.original, difference(3))
    made.submission()
    return made


def planned(chain: TinyChain, over: str) -> tuple[Any, ...]:
    return subjects("tiny", build_submission(chain.root, chain.metadata))[over]  # type: ignore[index]


def ids(chain: TinyChain, over: str) -> list[str]:
    return [subject.id.removeprefix("tiny/") for subject in planned(chain, over)]


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ("update", ["a", "b", "next/file-1", "next/file-2"]),
        ("merge", ["m"]),
        ("derived", ["a", "b", "m", "next"]),
        ("equal", ["next"]),
        ("layered", ["s"]),
        ("layer", ["s/l0", "s/l1"]),
        ("layer_run", ["s/l0@test", "s/l1@test"]),
        (
            "layer_value",
            [f"s/l{place}/{metric}@test" for place in (0, 1) for metric in ("top1", "distance")],
        ),
        ("layer_step", ["s/l1/top1@test", "s/l1/distance@test"]),
    ],
)
def test_subjects_have_readable_ids(chain: TinyChain, over: str, expected: list[str]) -> None:
    assert ids(chain, over) == expected


def test_misapplied_updates_are_numbered_where_an_update_has_several_files(
    chain: TinyChain,
) -> None:
    found = [name for name in ids(chain, "misapplication") if name.startswith(("a/", "next/"))]
    kinds = ("dropped", "swapped", "repeated", "wrong-parent", "other-chain")
    last = tuple(kind for kind in kinds if kind != "swapped")
    assert found == [
        *(f"a/{kind}" for kind in last),
        *(f"next/{kind}-1" for kind in kinds),
        *(f"next/{kind}-2" for kind in last),
    ]


def test_all_ids_of_a_plan_are_unique(chain: TinyChain) -> None:
    built = build_submission(chain.root, chain.metadata)
    for over, listed in subjects("tiny", built).items():
        names = [subject.id for subject in listed]
        assert len(set(names)) == len(names), over


def test_pointers_lead_to_what_is_checked(chain: TinyChain) -> None:
    assert {s.pointer for s in planned(chain, "update")} == {f"/samples/{n}" for n in (1, 2, 4)}
    assert [s.pointer for s in planned(chain, "layer")] == [
        "/samples/5/layers/0",
        "/samples/5/layers/1",
    ]
    assert planned(chain, "layer_value")[3].pointer == (
        "/samples/5/layers/1/claims/metric_values/1"
    )


def test_each_subject_has_the_case_that_tells_about_it(chain: TinyChain) -> None:
    names = [subject.state.name for subject in planned(chain, "update")]
    assert names == ["state a#0", "state b#0", "state next#0", "state next#1"]
    (merge,) = planned(chain, "merge")
    assert merge.state.name == "state m#0"
    (layered,) = planned(chain, "layered")
    assert layered.layering.name == "layering s"
    assert layered.state.name == "state s#1"
    layers = planned(chain, "layer")
    assert [layer.state.name for layer in layers] == ["state s#0", "state s#1"]
    assert [state.name for state in layers[1].states] == ["state s#0", "state s#1"]
    run = planned(chain, "layer_run")[0]
    assert run.reconstruction.name == "reconstruction s#0@test"
    turn = next(s for s in planned(chain, "misapplication") if s.id.endswith("/swapped-1"))
    misapplied = turn.misapplied
    assert misapplied.name == "misapplication next#0 swapped"
    assert misapplied.steps == (("next", 1), ("next", 0))
    assert (misapplied.start, misapplied.instead_of) == (("m", 0), ("next", 1))


def test_a_layer_is_compared_with_the_one_before_on_the_same_vectors(chain: TinyChain) -> None:
    step = planned(chain, "layer_step")[0]
    assert step.reconstruction.name == "reconstruction s#1@test"
    assert step.reconstruction_before.name == "reconstruction s#0@test"


def test_leading_bytes_are_those_of_all_that_lead_there(chain: TinyChain) -> None:
    found = {s.id: s.leading_bytes for s in planned(chain, "derived")}
    sizes = [chain.size(f"{n}.safetensors") for n in ("base", "a-0", "b-0", "next-0", "next-1")]
    assert found["tiny/a"] == sum(sizes[:2])
    assert found["tiny/m"] == sum(sizes[:3])
    assert found["tiny/next"] == sum(sizes)


def test_what_is_said_of_a_part_is_said_of_its_first_file(chain: TinyChain) -> None:
    step, layer = planned(chain, "update")[-1], planned(chain, "layer")[1]
    assert step.place_in_sample("w") == Location(step.sample.files[1].rel_filepath, element="w")
    assert layer.place_in_sample() == Location(layer.layer.part.files[0].rel_filepath)
    (merge,) = planned(chain, "merge")
    assert merge.place_in_sample("w") == Location(
        "submission.json", pointer="/samples/3", element="w"
    )


@pytest.mark.parametrize(
    ("id", "layers", "expected"),
    [
        ("base", None, ["base"]),
        ("s", {}, ["s/l0", "s/l1"]),
        ("s", {"units": [{"first": 0, "last": 1}]}, ["s"]),
    ],
    ids=["no layers", "layers of files", "layers of one file"],
)
def test_tensors_are_accessed_in_each_layer_that_has_files(
    chain: TinyChain, id: str, layers: dict | None, expected: list[str]
) -> None:
    metadata = copy.deepcopy(chain.metadata)
    sample = next(each for each in metadata["samples"] if each["id"] == id)
    sample["claims"]["random_access"] = True
    for layer in sample.get("layers", ()):
        layer.update(layers)
    found = subjects("tiny", build_submission(chain.root, metadata))["access"]
    assert [subject.id for subject in found] == [f"tiny/{name}" for name in expected]


def test_tensors_of_samples_that_claim_no_access_are_not_accessed(chain: TinyChain) -> None:
    assert planned(chain, "access") == ()


def test_a_layer_is_run_on_vectors_that_it_alone_claims_a_value_on(chain: TinyChain) -> None:
    metadata = copy.deepcopy(chain.metadata)
    metadata["vectors"].append({**metadata["vectors"][0], "id": "more"})
    value = {"metric": "top1", "vectors": "more", "value": 0.9}
    metadata["samples"][-1]["layers"][0]["claims"]["metric_values"].append(value)
    found = subjects("tiny", build_submission(chain.root, metadata))
    runs = [subject.id for subject in found["layer_run"]]
    assert runs == ["tiny/s/l0@test", "tiny/s/l0@more", "tiny/s/l1@test"]
    assert "tiny/linear@more/top1" in {subject.id for subject in found["controlled"]}
