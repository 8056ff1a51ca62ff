"""Which samples a sample builds upon, and what all of it costs."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.submission import load
from conformance.submission.update_graph import (
    builds_on,
    children,
    cumulative_sizes,
    in_order,
    parents,
    roots,
    rounds,
)
from conformance.submission.values import Branch, Layer, UpdateOf
from tests.hang import no_hang
from tests.submission import builder
from tests.submission.chains import layered, merge, of_units, update
from tests.submission.test_loading import load_changed

SIZE = len(builder.CONTENTS["samples/int8.npz"])


def submission(folder, change):
    loaded = load_changed(folder, lambda data: change(data) and None)
    assert loaded.problems == ()
    return loaded.submission


def federated(data):
    """Two devices, two rounds: each round is merged and sent as an update of the sample before."""
    update(data, "a-1")
    update(data, "b-1")
    merge(data, "merged-1", "a-1", "b-1")
    update(data, "global-1")
    update(data, "a-2", "global-1", contexts_of="a-1")
    update(data, "b-2", "global-1", contexts_of="b-1")
    merge(data, "merged-2", "a-2", "b-2")
    update(data, "tuned", "merged-2")
    update(data, "apart", None)


def test_parents_are_what_is_updated_and_contexts_are_needed_as_well(folder):
    sample = submission(folder, federated).sample
    assert parents(sample("int8")) == parents(sample("apart")) == ()
    assert parents(sample("a-2")) == ("global-1",)
    assert parents(sample("merged-2")) == ("a-2", "b-2")
    assert builds_on(sample("a-2")) == ("global-1", "a-1")
    assert builds_on(sample("a-1")) == ("int8",)


def test_children_are_updates_in_the_order_of_the_metadata(folder):
    found = children(submission(folder, federated))
    names = {name: [each.id for each in samples] for name, samples in found.items()}
    assert names == {
        "int8": ["a-1", "b-1", "global-1"],
        "global-1": ["a-2", "b-2"],
        "merged-2": ["tuned"],
    }


def test_rounds_count_updates_from_the_root(folder):
    assert rounds(submission(folder, federated)) == {
        "int8": 0,
        "exact": 0,
        "a-1": 1,
        "b-1": 1,
        "merged-1": 1,
        "global-1": 1,
        "a-2": 2,
        "b-2": 2,
        "merged-2": 2,
        "tuned": 3,
        "apart": 1,
    }


def test_a_merge_is_in_the_round_of_its_latest_branch(folder):
    def change(data):
        update(data, "a-1")
        update(data, "a-2", "a-1")
        merge(data, "m", "a-1", "a-2")

    assert rounds(submission(folder, change))["m"] == 2


def test_roots_are_whole_networks_or_the_original(folder):
    found = roots(submission(folder, federated))
    assert found.pop("apart") is None
    assert found.pop("exact") == "exact"
    assert set(found.values()) == {"int8"}


def test_cumulative_size_counts_each_sample_once(folder):
    made = submission(folder, federated)
    sizes = {name: size // SIZE for name, size in cumulative_sizes(made).items()}
    assert {sizes[name] for name in ("int8", "apart")} == {1}
    assert (sizes["a-1"], sizes["merged-1"], sizes["global-1"]) == (2, 3, 2)
    assert sizes["a-2"] == 4  # int8, global-1, a-1 for its contexts, and its own
    assert (sizes["merged-2"], sizes["tuned"]) == (6, 7)


def test_a_merge_has_no_bytes_of_its_own(folder):
    sample = submission(folder, federated).sample("merged-1")
    assert (sample.size, sample.files, sample.codec) == (0, (), "merge")
    assert sample.is_derived


@pytest.mark.parametrize("order", ["as they follow", "reversed"])
def test_long_chains_take_no_recursion_and_no_time(folder, order):
    def change(data):
        update(data, "u0")
        for step in range(1, 1000):
            update(data, f"u{step}", f"u{step - 1}")
        if order == "reversed":
            data["samples"].reverse()

    made = submission(folder, change)
    with no_hang(10):
        assert rounds(made)["u999"] == 1000
        assert roots(made)["u999"] == "int8"
        assert cumulative_sizes(made)["u999"] == 1001 * SIZE
        listed = [sample.id for sample in in_order(made)]
    assert listed.index("u998") < listed.index("u999")


# --- Random trees, compared with the plain recursive definitions


@st.composite
def trees(draw):
    """Draw, for each of up to ten samples, what it is made of: samples that come before it."""
    made = []
    for number in range(draw(st.integers(1, 10))):
        earlier = st.integers(0, number - 1) if number else st.nothing()
        kinds = [st.tuples(st.just("update"), st.none() | earlier, st.none() | earlier)]
        updates = [n for n, (kind, *_) in enumerate(made) if kind == "update"]
        if len(updates) > 1:
            pairs = st.lists(st.sampled_from(updates), min_size=2, max_size=3, unique=True)
            kinds.append(st.tuples(st.just("merge"), pairs, st.none()))
        made.append(draw(st.one_of(kinds)))
    return made, draw(st.permutations(range(len(made))))


def lay_out(data, tree, order):
    written = data["samples"]
    names = [f"s{number}" for number in range(len(tree))]
    for name, (kind, of, contexts) in zip(names, tree, strict=True):
        if kind == "update":
            update(
                data,
                name,
                "int8" if of is None else names[of],
                contexts_of=None if contexts is None else names[contexts],
            )
        else:
            merge(data, name, *(names[branch] for branch in of))
    added = written[2:]
    data["samples"] = written[:2] + [added[place] for place in order]


@settings(max_examples=40, deadline=None)
@given(trees())
def test_every_sample_comes_after_those_it_builds_upon(tmp_path_factory, drawn):
    tree, order = drawn
    folder = tmp_path_factory.mktemp("tree")
    builder.write_files(folder)
    data = builder.valid()
    lay_out(data, tree, order)
    builder.write_metadata(folder, data)
    made = load(folder).submission
    by_id = {sample.id: sample for sample in made.samples}

    @cache
    def needed(name):
        return frozenset({name}).union(*(needed(each) for each in builds_on(by_id[name])))

    @cache
    def depth(name):
        above = max((depth(each) for each in parents(by_id[name])), default=0)
        return above + (by_id[name].update_of is not None)

    listed = [sample.id for sample in in_order(made)]
    sizes = cumulative_sizes(made)
    assert sorted(listed) == sorted(by_id)
    for place, name in enumerate(listed):
        assert needed(name) <= set(listed[: place + 1])
        assert sizes[name] == sum(by_id[n].size for n in needed(name))
    assert rounds(made) == {name: depth(name) for name in by_id}


# --- What is built of the metadata


def test_an_update_holds_its_parent_and_contexts(folder):
    made = submission(folder, federated)
    assert made.sample("a-2").update_of == UpdateOf("global-1", "a-1")
    assert made.sample("apart").update_of == UpdateOf(None)
    assert made.sample("a-2").claims.cumulative_size == 4
    assert made.sample("a-2").claims.random_access is False
    assert made.sample("int8").update_of is None
    assert made.sample("int8").claims.cumulative_size is None


def test_a_merge_holds_its_weights_in_order(folder):
    made = submission(folder, federated)
    assert made.sample("merged-2").merge_of == (Branch("a-2", 1.0), Branch("b-2", 1.0))


def test_the_family_is_that_of_the_codec_unless_it_is_named(folder):
    def change(data):
        update(data, "a", family="mine")
        data["samples"][0]["claims"]["random_access"] = True

    made = submission(folder, change)
    assert (made.sample("int8").family, made.sample("a").family) == ("tensors", "mine")
    assert made.sample("int8").claims.random_access is True


def test_each_file_of_an_update_is_a_part(folder):
    def change(data):
        files = [builder.entry("samples/int8.npz"), builder.entry("samples/exact.xz")]
        update(data, "a", files=files)

    sample = submission(folder, change).sample("a")
    assert [[f.rel_filepath for f in part.files] for part in sample.parts] == [
        ["samples/int8.npz"],
        ["samples/exact.xz"],
    ]
    assert {part.mode for part in sample.parts} == {"add"}


def test_layers_are_parts_with_parameters_and_names_of_their_own(folder):
    def change(data):
        made = layered(data)
        made["codec"]["params"] = {"format": "npz", "container": "none"}
        made["name_map"] = [{"sample": "w", "model": "x"}]
        made["layers"][1].update(mode="replace", title="Finer", params={"container": "xz"})
        made["layers"][1]["name_map"] = [{"sample": "v", "model": "x"}]

    sample = submission(folder, change).sample("scalable")
    base, finer = sample.layers
    assert isinstance(base, Layer)
    assert (base.mode, finer.mode) == ("whole", "replace")
    assert (base.title, finer.title) == ("", "Finer")
    assert base.part.params == {"format": "npz", "container": "none"}
    assert finer.part.params == {"format": "npz", "container": "xz"}
    assert (base.part.name_map[0].sample, finer.part.name_map[0].sample) == (("w",), ("v",))
    assert sample.parts == (base.part, finer.part)
    assert finer.claims.metric_values[0].value == 0.9
    assert not sample.is_derived


def test_layers_of_units_have_the_one_file_each(folder):
    sample = submission(folder, lambda data: of_units(data, (0, 4), (5.0, 9.0))).sample("scalable")
    assert [part.units for part in sample.parts] == [((0, 4),), ((5, 9),)]
    assert {part.files for part in sample.parts} == {sample.files}
