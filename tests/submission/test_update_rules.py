"""Updates and merges that cannot be evaluated: each is reported with its place and fix."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.submission.update_rules import CHECK, find_update_problems
from tests.hang import no_hang
from tests.submission import builder
from tests.submission.builder import second_model
from tests.submission.chains import bitstream, layered, merge, update
from tests.submission.test_loading import load_changed, only

NEXT = "/samples/2"
"""Where the first sample that a test adds has its place."""


def defect(folder, change):
    finding = only(load_changed(folder, change))
    assert finding.check == CHECK
    return finding


def test_chains_branches_and_merges_are_fine(folder):
    def change(data):
        update(data, "a-1")
        update(data, "a-2", "a-1", contexts_of="a-1")
        update(data, "b-1")
        merge(data, "merged", "a-2", "b-1")
        update(data, "next", "merged", contexts_of="a-2", same_tensors_as="int8")
        update(data, "other", None)
        merge(data, "again", "merged", "next")

    loaded = load_changed(folder, change)
    assert loaded.problems == ()
    assert loaded.submission is not None


def test_an_update_may_come_before_its_parent(folder):
    def change(data):
        update(data, "second", "first")
        update(data, "first")

    assert load_changed(folder, change).problems == ()


def _update_and_layers(data):
    layered(data).update(update_of={"sample": "int8"})
    data["samples"][-1]["claims"]["cumulative_size"] = 8


def _update_and_merge(data):
    update(data, "a")
    update(data, "b")
    both = merge(data, "c", "a", "b")
    both["update_of"] = {"sample": "int8"}


def _merge_with(key, value):
    def change(data):
        update(data, "a")
        update(data, "b")
        merge(data, "c", "a", "b")[key] = value

    return change


def _itself(data):
    data["samples"][0]["same_tensors_as"] = "int8"


def _ratio(key):
    def change(data):
        update(data, "a")["claims"][key] = 2.0

    return change


def _no_total(data):
    del update(data, "a")["claims"]["cumulative_size"]


def _no_parent(data):
    update(data, "a")["update_of"] = {}


def _contexts_alone(data):
    update(data, "a")["update_of"] = {"contexts_of": "int8"}


def _two_parents(data):
    update(data, "a")["update_of"] = {"sample": "int8", "model": "net"}


def _other_model(data):
    second_model(data)
    update(data, "a")["update_of"] = {"model": "net2"}


def _foreign(key):
    def change(data):
        second_model(data)
        foreign = bitstream(data, "foreign", model="net2")
        foreign["metrics"][0]["vectors"] = "test2"
        foreign["claims"]["metric_values"][0]["vectors"] = "test2"
        if key == "same_tensors_as":
            data["samples"][0][key] = "foreign"
        else:
            update(data, "a")["update_of"][key] = "foreign"

    return change


def _foreign_branch(data):
    _foreign("contexts_of")(data)
    del data["samples"][-1]
    foreign = update(data, "foreign-a", "foreign", model="net2")
    foreign["metrics"][0]["vectors"] = foreign["claims"]["metric_values"][0]["vectors"] = "test2"
    update(data, "a")
    update(data, "b")
    merge(data, "c", "a", "b")["merge_of"].append({"sample": "foreign-a", "weight": 1})


def _branch_of_whole(data):
    update(data, "a")
    merge(data, "c", "a", "exact")


def _branch_twice(data):
    update(data, "a")
    merge(data, "c", "a", "a")


def _two_roots(data):
    update(data, "a")
    update(data, "b", "exact")
    merge(data, "c", "a", "b")


def _original_and_sample(data):
    update(data, "a", None)
    update(data, "b")
    merge(data, "c", "a", "b")


DEFECTS = {
    "update-and-layers": (
        _update_and_layers,
        f"{NEXT}/layers",
        "a sample cannot have both update_of and layers",
        "at most one of update_of, merge_of, layers",
        "update_of, layers",
        "separate samples",
    ),
    "update-and-merge": (
        _update_and_merge,
        "/samples/4/merge_of",
        "a sample cannot have both update_of and merge_of",
        "at most one of",
        "update_of, merge_of",
        "separate samples",
    ),
    "merge-with-codec": (
        _merge_with("codec", {"id": "nnc", "params": {}}),
        "/samples/4/codec",
        "a merge has no codec",
        "no bitstream",
        "an object with 2 keys",
        "Remove codec",
    ),
    "merge-with-files": (
        _merge_with("files", [builder.entry("samples/int8.npz")]),
        "/samples/4/files",
        "a merge has no files",
        "no bitstream",
        "a list of 1 entry",
        "Remove files",
    ),
    "merge-with-name-map": (
        _merge_with("name_map", []),
        "/samples/4/name_map",
        "a merge has no name_map",
        "no bitstream",
        "a list of 0 entries",
        "Remove name_map",
    ),
    "equal-to-itself": (
        _itself,
        "/samples/0/same_tensors_as",
        "said to equal itself",
        "another sample",
        '"int8"',
        "coded in another way",
    ),
    "compression-factor": (
        _ratio("compression_factor"),
        f"{NEXT}/claims/compression_factor",
        "claims a compression_factor",
        "whole networks only",
        "2.0",
        "cumulative_size",
    ),
    "compressed-percent": (
        _ratio("compressed_percent"),
        f"{NEXT}/claims/compressed_percent",
        "claims a compressed_percent",
        "whole networks only",
        "2.0",
        "Remove it",
    ),
    "no-cumulative-size": (
        _no_total,
        f"{NEXT}/claims",
        "lack the key 'cumulative_size'",
        "from the root",
        '"compressed_size", "metric_values"',
        "nnr-conformance measure",
    ),
    "no-parent": (
        _no_parent,
        f"{NEXT}/update_of",
        "an update has one parent",
        "sample and model",
        "neither",
        "or the model",
    ),
    "contexts-alone": (
        _contexts_alone,
        f"{NEXT}/update_of",
        "an update has one parent",
        "sample and model",
        '"contexts_of"',
        "or the model",
    ),
    "two-parents": (
        _two_parents,
        f"{NEXT}/update_of",
        "an update has one parent",
        "one of the keys",
        '"sample", "model"',
        "or the model",
    ),
    "update-of-another-original": (
        _other_model,
        f"{NEXT}/update_of/model",
        "names a different model than its own",
        '"net"',
        '"net2"',
        "model of the sample",
    ),
    "foreign-parent": (
        _foreign("sample"),
        "/samples/3/update_of/sample",
        'sample "foreign" belongs to a different model',
        'a sample of "net"',
        'one of "net2"',
        "same model",
    ),
    "foreign-contexts": (
        _foreign("contexts_of"),
        "/samples/3/update_of/contexts_of",
        'sample "foreign" belongs to a different model',
        'a sample of "net"',
        'one of "net2"',
        "same model",
    ),
    "foreign-equal": (
        _foreign("same_tensors_as"),
        "/samples/0/same_tensors_as",
        'sample "foreign" belongs to a different model',
        'a sample of "net"',
        'one of "net2"',
        "same model",
    ),
    "branch-that-is-whole": (
        _branch_of_whole,
        "/samples/3/merge_of/1/sample",
        'the branch "exact" is not an update',
        "update_of or merge_of",
        "a whole network",
        "updates of one network",
    ),
    "branch-twice": (
        _branch_twice,
        "/samples/3/merge_of/1/sample",
        'the branch "a" is there twice',
        "each branch once",
        "another entry",
        "Add the two weights",
    ),
    "two-roots": (
        _two_roots,
        "/samples/4/merge_of/1/sample",
        'the branch "b" has a different root',
        'lead back to "int8"',
        'leads back to "exact"',
        "updates of one network",
    ),
    "original-and-sample": (
        _original_and_sample,
        "/samples/4/merge_of/1/sample",
        'the branch "b" has a different root',
        "lead back to the original",
        'leads back to "int8"',
        "updates of one network",
    ),
}


@pytest.mark.parametrize("name", DEFECTS)
def test_each_defect_is_one_finding_at_its_place(folder, name):
    change, pointer, message, expected, found, fix = DEFECTS[name]
    finding = defect(folder, change)
    assert finding.where.pointer == pointer
    assert message in finding.message
    assert expected in finding.expected
    assert found in finding.found
    assert fix in finding.fix
    assert "N17934" in finding.clause


def test_nothing_is_built_of_what_cannot_be_evaluated(folder):
    assert load_changed(folder, _two_roots).submission is None


def test_a_branch_of_another_model_is_told_at_the_branch(folder):
    problems = load_changed(folder, _foreign_branch).problems
    assert {each.check for each in problems} == {CHECK}
    assert {each.where.pointer for each in problems} == {"/samples/6/merge_of/2/sample"}
    assert any("belongs to a different model" in each.message for each in problems)


def test_an_update_of_a_sample_that_is_not_there_is_told_by_the_references(folder):
    finding = only(load_changed(folder, lambda data: update(data, "a", "int9") and None))
    assert finding.check == "SUBMISSION-REFERENCE-001"
    assert finding.where.pointer == f"{NEXT}/update_of/sample"
    assert "int8" in finding.fix


def test_a_parent_in_another_submission_has_to_be_copied(folder):
    finding = only(load_changed(folder, lambda data: update(data, "a", "digits/base") and None))
    assert "copy the other one into it" in finding.fix


# --- Cycles


def ring(data, names):
    for name, parent in zip(names, [*names[1:], names[0]], strict=True):
        update(data, name, parent)


@pytest.mark.parametrize("length", [1, 2, 3, 50])
def test_a_ring_is_one_finding_that_names_it(folder, length):
    names = [f"s{number}" for number in range(length)]
    finding = defect(folder, lambda data: ring(data, names))
    if length == 1:
        assert finding.message == 'sample "s0" is an update of itself'
    else:
        assert finding.message == f"{length} samples are updates of one another in a cycle"
    told = finding.found.split(" -> ")
    assert told[0] == told[-1]
    assert set(told) == set(names[:20])
    assert "begins with a whole network or the original" in finding.expected
    assert "true parent" in finding.fix


@pytest.mark.parametrize("place", [0, -1])
def test_an_empty_id_leads_nowhere(folder, place):
    def change(data):
        update(data, "first")
        data["samples"][place]["id"] = ""

    found = load_changed(folder, change)
    assert "SUBMISSION-SCHEMA-001" in {problem.check for problem in found.problems}


def test_a_ring_through_contexts_is_found(folder):
    def change(data):
        update(data, "a", contexts_of="b")
        update(data, "b", "a")

    finding = defect(folder, change)
    assert "2 samples are updates of one another" in finding.message
    assert finding.where.pointer in (f"{NEXT}/update_of/contexts_of", "/samples/3/update_of/sample")


def test_contexts_of_itself_are_a_ring(folder):
    finding = defect(folder, lambda data: update(data, "a", contexts_of="a") and None)
    assert finding.message == 'sample "a" is an update of itself'
    assert finding.where.pointer == f"{NEXT}/update_of/contexts_of"


def test_a_ring_through_a_merge_is_found(folder):
    def change(data):
        update(data, "a", "c")
        update(data, "b")
        merge(data, "c", "a", "b")

    assert "2 samples are updates of one another" in defect(folder, change).message


def test_two_rings_are_two_findings(folder):
    def change(data):
        ring(data, ["a", "b"])
        ring(data, ["c", "d"])

    assert [each.check for each in load_changed(folder, change).problems] == [CHECK, CHECK]


def test_samples_before_a_ring_are_not_named_as_part_of_it(folder):
    def change(data):
        ring(data, ["a", "b"])
        update(data, "c", "a")
        data["samples"].insert(0, data["samples"].pop())

    assert "c" not in defect(folder, change).found.split(" -> ")


def test_a_diamond_is_no_ring(folder):
    def change(data):
        update(data, "a")
        update(data, "b", "a")
        update(data, "c", "a")
        merge(data, "d", "b", "c")
        merge(data, "e", "b", "d")
        update(data, "f", "e", contexts_of="b")

    assert load_changed(folder, change).problems == ()


@pytest.mark.parametrize("order", ["as they follow", "reversed"])
def test_a_chain_of_a_thousand_steps_is_looked_at_in_no_time(order):
    data = builder.valid()
    update(data, "u0")
    for step in range(1, 1000):
        update(data, f"u{step}", f"u{step - 1}")
    if order == "reversed":
        data["samples"].reverse()
    with no_hang(10):
        assert list(find_update_problems(data)) == []


def test_a_ring_of_a_thousand_steps_is_one_finding():
    data = builder.valid()
    ring(data, [f"s{number}" for number in range(1000)])
    [problem] = find_update_problems(data)
    assert problem.message.startswith("1000 samples")
    assert len(problem.found) < 500


def test_merges_of_merges_are_followed_once_each():
    data = builder.valid()
    update(data, "a0")
    update(data, "b0")
    for step in range(1, 200):
        update(data, f"a{step}", f"m{step - 1}" if step > 1 else "a0")
        update(data, f"b{step}", f"m{step - 1}" if step > 1 else "b0")
        merge(data, f"m{step}", f"a{step}", f"b{step}")
    data["samples"].reverse()
    with no_hang(10):
        assert list(find_update_problems(data)) == []


# --- Any graph


@st.composite
def graphs(draw):
    """Draw, for up to seven samples, which ones each is decoded with; -1 is the original."""
    count = draw(st.integers(1, 7))
    names = st.integers(-1, count - 1)
    return draw(
        st.lists(
            st.tuples(names, st.none() | st.integers(0, count - 1)), min_size=count, max_size=count
        )
    )


def reaches_itself(edges, start):
    seen, waiting = set(), list(edges[start])
    while waiting:
        name = waiting.pop()
        if name == start:
            return True
        if name not in seen:
            seen.add(name)
            waiting += edges[name]
    return False


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_rings_are_found_where_there_are_any_and_nowhere_else(graph):
    data = builder.valid()
    edges = {}
    for number, (parent, contexts) in enumerate(graph):
        named = None if contexts is None else f"s{contexts}"
        update(data, f"s{number}", None if parent < 0 else f"s{parent}", contexts_of=named)
        edges[number] = [each for each in (parent, contexts) if each is not None and each >= 0]
    found = list(find_update_problems(data))
    assert all("update" in problem.message for problem in found)
    assert bool(found) == any(reaches_itself(edges, number) for number in edges)


def test_of_many_rings_the_first_are_told() -> None:
    names = [f"m{number}" for number in range(200)]
    samples = [
        {"id": own, "merge_of": [{"sample": name, "weight": 1} for name in names if name != own]}
        for own in names
    ]
    problems = list(find_update_problems({"samples": samples}))
    assert len(problems) == 20
    assert all("in a cycle" in each.message for each in problems)
