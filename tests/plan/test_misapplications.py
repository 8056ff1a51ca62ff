"""Which misapplied updates are tried, and what notices each of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.nnc.encoder import EncoderSettings, Quantization, UpdateSettings, encode
from conformance.nnc.parser import parse_stream
from conformance.nnc.state import DecoderState
from conformance.nnc.tree import nodes_of
from conformance.plan.jobs import last_step
from conformance.plan.misapplications import Misapplication, misapplications
from conformance.submission.update_graph import rounds
from tests import tiny_submission
from tests.hang import no_hang
from tests.jobs.in_process import Evaluation
from tests.tiny_chain import TinyChain, difference


@pytest.fixture
def chain(tmp_path: Path) -> TinyChain:
    return TinyChain(tmp_path / "tiny")


def listed(chain: TinyChain, sample: str) -> dict[str, Misapplication]:
    return {
        each.kind: each for each in misapplications(chain.submission()) if each.sample == sample
    }


def branches(chain: TinyChain) -> None:
    """Add two devices of two rounds each, and their merge."""
    chain.whole()
    for device in "ab":
        chain.update(f"{device}-1")
        chain.update(f"{device}-2", f"{device}-1")
    chain.merge("m", **{"a-2": 1.0, "b-2": 1.0})


# --- What is tried


def test_each_misapplied_update_of_a_step_in_the_middle(chain: TinyChain) -> None:
    branches(chain)
    found = listed(chain, "a-1")
    assert list(found) == ["dropped", "swapped", "repeated", "wrong-parent", "other-chain"]
    first, second, base = ("a-1", 0), ("a-2", 0), ("base", 0)
    turns = {kind: (each.start, each.steps, each.instead_of) for kind, each in found.items()}
    assert turns == {
        "dropped": (base, (second,), second),
        "swapped": (base, (second, first), second),
        "repeated": (first, (first,), first),
        "wrong-parent": (("b-1", 0), (first,), first),
        "other-chain": (base, (("b-2", 0), second), second),
    }
    assert {kind: each.told for kind, each in found.items()} == {
        "dropped": "a-1 left out, then a-2 applied",
        "swapped": "a-2 applied before a-1",
        "repeated": "a-1 applied twice",
        "wrong-parent": "a-1 applied to b-1",
        "other-chain": "b-2 in the place of a-1, then a-2 applied",
    }


def test_the_last_step_of_a_chain_is_not_swapped(chain: TinyChain) -> None:
    branches(chain)
    found = listed(chain, "a-2")
    assert list(found) == ["dropped", "repeated", "wrong-parent", "other-chain"]
    assert found["dropped"].steps == ()
    assert found["dropped"].told == "a-2 left out"
    assert found["wrong-parent"].start == ("base", 0)
    assert found["other-chain"].steps == (("b-2", 0),)


def test_whole_networks_and_merges_have_no_misapplied_updates(chain: TinyChain) -> None:
    branches(chain)
    assert {each.sample for each in misapplications(chain.submission())} == {
        "a-1",
        "a-2",
        "b-1",
        "b-2",
    }


def test_a_step_upon_the_base_alone_is_tried_upon_the_original(chain: TinyChain) -> None:
    chain.whole()
    chain.update("u")
    found = listed(chain, "u")
    assert list(found) == ["dropped", "repeated", "wrong-parent"]
    assert found["wrong-parent"].start is None
    assert found["wrong-parent"].told == "u applied to the original"


def test_an_update_of_the_original_alone_has_no_other_parent(chain: TinyChain) -> None:
    chain.update("u", None)
    assert list(listed(chain, "u")) == ["dropped", "repeated"]


def test_files_of_an_update_are_steps_of_their_own(chain: TinyChain) -> None:
    chain.whole()
    chain.update("u", "base", difference(1), difference(2))
    found = [(each.kind, each.part, each.told) for each in misapplications(chain.submission())]
    assert found == [
        ("dropped", 0, "u left out, then u (file 2) applied"),
        ("swapped", 0, "u (file 2) applied before u"),
        ("repeated", 0, "u applied twice"),
        ("wrong-parent", 0, "u applied to the original"),
        ("dropped", 1, "u (file 2) left out"),
        ("repeated", 1, "u (file 2) applied twice"),
        ("wrong-parent", 1, "u (file 2) applied to base"),
    ]


def test_the_chain_goes_on_with_the_child_that_has_updates(chain: TinyChain) -> None:
    chain.whole()
    chain.update("u")
    chain.update("dead-end", "u")
    chain.update("heir", "u")
    chain.update("last", "heir")
    assert listed(chain, "u")["swapped"].steps == (("heir", 0), ("u", 0))


def test_the_other_chain_is_one_of_the_same_codec_and_round_where_possible(
    chain: TinyChain,
) -> None:
    branches(chain)
    chain.stream("n", None, b"")
    found = listed(chain, "b-2")["other-chain"]
    assert found.steps == (("a-2", 0),)
    assert "other-chain" not in listed(chain, "n")


@pytest.mark.parametrize("seed", range(20))
def test_the_other_branch_is_the_first_that_there_is(chain: TinyChain, seed: int) -> None:
    chain.whole()
    names: list[str | None] = [None, "base"]
    for number in np.random.default_rng(seed).integers(1 << 30, size=12):
        names.append(f"u{len(names)}")
        chain.update(str(names[-1]), names[number % (len(names) - 1)], difference(0))
    submission = chain.submission()
    number = rounds(submission)
    found = {(each.sample, each.kind): each for each in misapplications(submission)}
    parents = {name: each.start for (name, kind), each in found.items() if kind == "dropped"}
    before = {each.steps[0][0]: name for (name, _), each in found.items() if each.kind == "swapped"}

    def chain_of(name: str) -> str:
        while name in before:
            name = before[name]
        return name

    for own, parent in parents.items():
        apart = [
            each
            for each, other in parents.items()
            if chain_of(each) != chain_of(own) and other != parent
        ]
        same_round = [each for each in apart if number[each] == number[own]]
        first = next(iter(same_round + apart), None)
        other = found.get((own, "other-chain"))
        assert (other and other.steps[0]) == (None if first is None else (first, 0))


def test_a_wide_tree_takes_no_longer_than_a_long_chain(chain: TinyChain) -> None:
    chain.whole()
    update = chain.update("u", "base", {"fc.bias": difference(0)["fc.bias"]})
    for number in range(4000):
        chain.metadata["samples"].append({**update, "id": f"u{number}"})
    submission = chain.submission()
    with no_hang():
        found = list(misapplications(submission))
    assert Counter(each.kind for each in found) == {
        "dropped": 4001,
        "repeated": 4001,
        "wrong-parent": 4001,
    }


def test_a_long_chain_has_a_few_short_turns_for_each_step(chain: TinyChain) -> None:
    chain.whole()
    parent = "base"
    for number in range(1000):
        chain.update(f"u{number}", parent, {"fc.bias": difference(0)["fc.bias"]})
        parent = f"u{number}"
    submission = chain.submission()
    with no_hang():
        found = list(misapplications(submission))
    assert len(found) == 1000 * 4 - 1
    assert max(len(each.steps) for each in found) == 2


def test_steps_are_the_last_of_their_samples(chain: TinyChain) -> None:
    chain.whole()
    chain.update("u", "base", difference(1), difference(2))
    chain.update("v", "u")
    assert (
        listed(chain, "v")["dropped"].start == ("u", 1) == last_step(chain.submission().sample("u"))
    )


# --- What notices


def outcomes(chain: TinyChain) -> dict[str, dict[str, Any]]:
    """Apply every misapplied update, by sample, kind and part."""
    submission = chain.submission()
    evaluation = Evaluation(chain.root)
    found = {}
    for each in misapplications(submission):
        turn = {"start": each.start, "steps": each.steps, "instead_of": each.instead_of}
        more = {"part": each.part, "misapplication": each.kind, **turn}
        found[f"{each.sample} {each.kind}"] = evaluation.result(
            "misapplication", each.sample, **more
        )
    return found


def test_named_parents_notice_every_misapplied_update_but_an_early_end(chain: TinyChain) -> None:
    branches(chain)
    for name, found in outcomes(chain).items():
        if name in ("a-2 dropped", "b-2 dropped"):
            assert (found["detected_by"], found["same_tensors"]) == (None, False)
        else:
            assert found["detected_by"] == "digest", name
            assert len(found["expected"]) == len(found["found"]) == 64
            assert "#" in found["step"]


def test_nameless_differences_notice_nothing(chain: TinyChain) -> None:
    chain.whole()
    for device in "ab":
        chain.update(f"{device}-1", named=False)
        chain.update(f"{device}-2", f"{device}-1", named=False)
    found = outcomes(chain)
    assert {each["detected_by"] for each in found.values()} == {None}
    assert not found["a-1 repeated"]["same_tensors"]


def test_an_exchange_of_exact_sums_gives_the_same_tensors_all_the_same(chain: TinyChain) -> None:
    """Sums with 0 are exact in any order."""
    chain.whole()
    only = {"fc.bias": np.zeros(3, np.float32)}
    chain.update("u", "base", only, named=False)
    chain.update("v", "u", only, named=False)
    found = outcomes(chain)["u swapped"]
    assert (found["detected_by"], found["same_tensors"]) == (None, True)


def test_contexts_that_are_not_there_are_noticed_by_structure(chain: TinyChain) -> None:
    """Without node ids every parent is a root; but levels are missing where it is another."""
    settings = EncoderSettings(quantization=Quantization(qp=-38), node_ids=False)
    state = DecoderState()
    chain.stream("nnc", "nnc", encode(chain.original, settings, state))
    temporal = replace(settings, update=UpdateSettings(temporal=True))
    chain.stream("u", "nnc", encode(difference(1, 0.1), temporal, state))
    noticed = outcomes(chain)["u wrong-parent"]
    assert (noticed["detected_by"], noticed["step"]) == ("structure", "u#0")
    assert "levels that were not decoded before" in noticed["message"]


def test_tensors_that_do_not_fit_are_noticed_by_structure(chain: TinyChain) -> None:
    chain.update("u", None, {"fc.bias": np.ones(3, np.float32)}, named=False)
    odd = {"fc.bias": np.ones(3, np.float32)}
    chain.update("v", "u", odd, named=False)
    made = chain.metadata["samples"][1]
    name = chain.file("v-0", {"fc.bias": np.ones(4, np.float32)}, None)
    made["files"] = [{**made["files"][0], **tiny_submission.entry(chain.root, name)}]
    submission = chain.submission()
    dropped = next(each for each in misapplications(submission) if each.sample == "u")
    assert dropped.kind == "dropped"
    turn = {
        "misapplication": "dropped",
        "start": None,
        "steps": (("v", 0),),
        "instead_of": ("u", 0),
    }
    found = Evaluation(chain.root).result("misapplication", "u", part=0, **turn)
    assert found["detected_by"] == "structure"
    assert "another shape" in found["message"]


def nnc(chain: TinyChain, **how: Any) -> None:
    """Add an NNC base with two devices of two rounds each."""
    first = EncoderSettings(quantization=Quantization(qp=-38))
    base_state = DecoderState()
    base = encode(chain.original, first, base_state)
    chain.stream("nnc", "nnc", base)
    for device, name in enumerate("ab"):
        state, parent, before = DecoderState(), "nnc", base
        state.take(base_state.draft())
        for number in (1, 2):
            kind = how.get("parent_id", "node")
            nodes = nodes_of(parse_stream(before))
            digests = (
                {n: getattr(node, kind) for n, (node,) in nodes.items()} if kind != "node" else {}
            )
            update = UpdateSettings(parent_digests=digests, **how)
            arrays = difference(10 * device + number, 0.1)
            before = encode(arrays, replace(first, update=update), state)
            chain.stream(f"{name}-{number}", parent, before)
            parent = f"{name}-{number}"


@pytest.mark.parametrize("kind", ["sha256", "sha512"])
def test_hashes_of_payloads_notice_every_misapplied_update(chain: TinyChain, kind: str) -> None:
    nnc(chain, parent_id=kind)
    found = outcomes(chain)
    ends = [found.pop(f"{device}-2 dropped") for device in "ab"]
    assert {each["detected_by"] for each in ends} == {None}
    assert {each["detected_by"] for each in found.values()} == {"digest"}


def test_ids_and_depth_notice_what_is_at_another_depth(chain: TinyChain) -> None:
    """Both devices have one id here: a step of the same depth passes for another's."""
    nnc(chain)
    found = {name: each["detected_by"] for name, each in outcomes(chain).items()}
    assert found == {
        **dict.fromkeys(["a-1 dropped", "a-1 swapped", "a-1 repeated"], "parent"),
        **dict.fromkeys(["b-1 dropped", "b-1 swapped", "b-1 repeated"], "parent"),
        **dict.fromkeys(["a-1 wrong-parent", "b-1 wrong-parent"], "parent"),
        **dict.fromkeys(["a-1 other-chain", "b-1 other-chain"], "parent"),
        **dict.fromkeys(["a-2 repeated", "b-2 repeated"], "parent"),
        **dict.fromkeys(["a-2 wrong-parent", "b-2 wrong-parent"], "parent"),
        **dict.fromkeys(["a-2 dropped", "b-2 dropped"], None),
        **dict.fromkeys(["a-2 other-chain", "b-2 other-chain"], None),
    }


def test_a_misapplied_update_needs_no_state_but_start_and_end(chain: TinyChain) -> None:
    branches(chain)
    found = {
        each.kind: each for each in misapplications(chain.submission()) if each.sample == "a-2"
    }
    evaluation = Evaluation(chain.root)
    each = found["wrong-parent"]
    turn = {"misapplication": each.kind, "start": each.start, "steps": each.steps}
    evaluation.result("misapplication", "a-2", part=0, instead_of=each.instead_of, **turn)
    assert evaluation.done[-1] == "misapplication a-2#0 wrong-parent"
    assert [n for n in evaluation.done if n.startswith("state")] == [
        "state base#0",
        "state a-1#0",
        "state a-2#0",
    ]
