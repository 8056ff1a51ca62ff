"""Whatever is written where updates, merges and layers are said: findings, and no crash."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from conformance.judging.loading import load_targets
from conformance.submission.sections import iterate_values
from conformance.submission.update_rules import CHECK
from tests.submission import builder
from tests.submission.chains import BASE, layered, merge, of_units, update
from tests.submission.test_hostile import DOCUMENTS, QUICK, SCALARS, check, owner_of

KEYS = st.sampled_from(
    [
        *("update_of", "merge_of", "layers", "same_tensors_as", "family", "claims"),
        *("sample", "model", "contexts_of", "weight", "id", "files", "units"),
        *("first", "last", "mode", "params", "name_map", "codec"),
    ]
)
IDS = st.sampled_from([BASE, "exact", "a", "b", "c", "scalable", "net", "", "no such", "a/b"])
ODD = st.recursive(
    SCALARS | IDS | st.sampled_from([-1, 0, 1.0, 1e18, "add", "replace"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


def whole():
    """A submission with an example of everything."""
    data = builder.valid()
    update(data, "a", contexts_of=BASE)
    update(data, "b", same_tensors_as="a")
    merge(data, "c", "a", "b")
    layered(data)
    of_units(data, (0, 4), (5, 9))["id"] = "units"
    return data


POINTERS = [
    pointer
    for pointer, _ in iterate_values(whole())
    if pointer[:1] == ("samples",) and {"update_of", "merge_of", "layers"} & set(pointer)
]


def plan(loaded):
    """What is sound must be planned and keyed as well."""
    if loaded is not None and loaded.submission is not None:
        (target,) = load_targets([loaded.root], {})
        assert target.planned


def test_the_example_itself_is_sound(folder):
    builder.write_metadata(folder, whole())
    assert check(folder).problems == ()


@QUICK
@given(KEYS.filter(lambda key: key in ("update_of", "merge_of", "layers", "same_tensors_as")), ODD)
@example("update_of", [])
@example("update_of", {"sample": ["int8"], "contexts_of": {}})
@example("merge_of", {"sample": "a", "weight": 1})
@example("merge_of", [None, {"sample": [], "weight": "1"}])
@example("layers", {"id": "base"})
@example("layers", [{"units": [{"first": "0", "last": None}]}, {"files": "samples/int8.npz"}])
@example("layers", [{"id": [], "units": {"first": 1e300, "last": 0}}, None])
@example("same_tensors_as", {"id": "int8"})
def test_any_value_in_any_place(folder, key, value):
    data = builder.valid()
    data["samples"][0][key] = value
    builder.write_metadata(folder, json.dumps(data))
    plan(check(folder))


@QUICK
@given(st.lists(st.tuples(st.sampled_from(POINTERS), ODD | DOCUMENTS), min_size=1, max_size=3))
def test_any_values_within_sound_metadata(folder, changes):
    data = whole()
    for pointer, value in changes:
        try:
            owner_of(data, pointer)[pointer[-1]] = value
        except (TypeError, KeyError, IndexError):
            continue  # A change before took the place away.
    builder.write_metadata(folder, json.dumps(data))
    plan(check(folder))


@QUICK
@given(st.data())
def test_any_part_left_out(folder, data):
    left = whole()
    pointer = data.draw(st.sampled_from(POINTERS))
    owner = owner_of(left, pointer)
    del owner[pointer[-1]]
    builder.write_metadata(folder, json.dumps(left))
    plan(check(folder))


@QUICK
@given(st.lists(st.tuples(IDS, IDS, IDS | st.none()), min_size=1, max_size=6))
def test_any_parents(folder, links):
    data = builder.valid()
    for number, (name, parent, contexts) in enumerate(links):
        made = update(data, name or f"u{number}", parent)
        if contexts is not None:
            made["update_of"]["contexts_of"] = contexts
    builder.write_metadata(folder, json.dumps(data))
    loaded = check(folder)
    plan(loaded)
    checks = {problem.check for problem in loaded.problems}
    ids = {"SUBMISSION-ID-001", "SUBMISSION-REFERENCE-001", "SUBMISSION-SCHEMA-001"}
    assert checks <= {CHECK, *ids}
