"""Editing metadata at a pointer."""

import copy

import json_edit
import pytest
from hypothesis import given
from hypothesis import strategies as st

DOCUMENT = {
    "license": "MIT",
    "samples": [{"id": "fp16", "files": [1, 2]}, {"id": "int8", "files": []}],
    "a/b": {"c~d": 1},
}


@pytest.fixture
def document():
    return copy.deepcopy(DOCUMENT)


@pytest.mark.parametrize(
    ("pointer", "plain"),
    [
        ("", ""),
        ("/license", "/license"),
        ("/samples/int8/files", "/samples/1/files"),
        ("/samples/0/files/1", "/samples/0/files/1"),
        ("/a~1b/c~0d", "/a~1b/c~0d"),
    ],
)
def test_ids_become_positions(document, pointer, plain):
    assert json_edit.to_plain_pointer(document, pointer) == plain
    assert json_edit.get(document, pointer) == json_edit.get(document, plain)


def test_put_sets_adds_and_appends(document):
    json_edit.put(document, "/license", "BSD-3-Clause")
    json_edit.put(document, "/samples/int8/lossless", True)
    json_edit.put(document, "/samples/fp16/files/-", 3)
    json_edit.put(document, "/samples/fp16/files/0", 0)
    assert document["license"] == "BSD-3-Clause"
    assert document["samples"] == [
        {"id": "fp16", "files": [0, 2, 3]},
        {"id": "int8", "files": [], "lossless": True},
    ]


def test_put_reaches_a_key_that_needs_escaping(document):
    json_edit.put(document, "/a~1b/c~0d", 2)
    assert document["a/b"] == {"c~d": 2}


def test_remove_takes_keys_and_elements(document):
    json_edit.remove(document, "/license")
    json_edit.remove(document, "/samples/fp16")
    assert document == {"samples": [{"id": "int8", "files": []}], "a/b": {"c~d": 1}}


def test_a_duplicate_is_independent_of_its_source(document):
    json_edit.duplicate(document, "/samples/fp16", "/samples/-")
    document["samples"][2]["files"].clear()
    assert document["samples"][0]["files"] == [1, 2]


@pytest.mark.parametrize(
    "pointer",
    ["/nothing", "/samples/int4", "/samples/2", "/license/x", "/samples/-", "/samples/01"],
)
def test_a_pointer_to_nothing_names_itself(document, pointer):
    with pytest.raises(json_edit.PointerError, match="nothing at") as caught:
        json_edit.get(document, pointer)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize("edit", [json_edit.remove, lambda d, p: json_edit.put(d, p, 0)])
def test_editing_below_nothing_fails_and_changes_nothing(document, edit):
    with pytest.raises(json_edit.PointerError):
        edit(document, "/samples/int4/files")
    assert document == DOCUMENT


@given(
    st.recursive(
        st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    )
)
def test_every_place_of_a_document_has_a_pointer(document):
    for pointer, value in _places(document, ""):
        assert json_edit.get(document, pointer) is value
        assert json_edit.to_plain_pointer(document, pointer) == pointer


def _places(node, pointer):
    yield pointer, node
    children = node.items() if isinstance(node, dict) else []
    if isinstance(node, list):
        children = enumerate(node)
    for key, child in children:
        step = str(key).replace("~", "~0").replace("/", "~1")
        yield from _places(child, f"{pointer}/{step}")
