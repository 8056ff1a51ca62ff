import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.submission.positions import (
    find_places,
    iterate_places,
    line_and_column,
    pointer_text,
)

TEXT = '{\n  "a": [1, {"b/c": "x\\"y"}],\n  "": -2.5e3 ,\n  "e": {} }'

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def every_value(value, pointer=()):
    yield pointer, value
    pairs = value.items() if isinstance(value, dict) else ()
    pairs = enumerate(value) if isinstance(value, list) else pairs
    for key, each in pairs:
        yield from every_value(each, (*pointer, key))


@pytest.mark.parametrize(
    ("pointer", "value", "line", "column"),
    [
        ((), TEXT, 1, 1),
        (("a",), '[1, {"b/c": "x\\"y"}]', 2, 8),
        (("a", 0), "1", 2, 9),
        (("a", 1), '{"b/c": "x\\"y"}', 2, 12),
        (("a", 1, "b/c"), '"x\\"y"', 2, 20),
        (("",), "-2.5e3", 3, 7),
        (("e",), "{}", 4, 8),
    ],
)
def test_values_are_found_where_they_stand(pointer, value, line, column):
    place = find_places(TEXT, {pointer})[pointer]
    assert TEXT[place.start : place.end] == value
    assert line_and_column(TEXT, place.start) == (line, column)


def test_keys_are_found_where_they_stand():
    place = find_places(TEXT, {("a", 1, "b/c")})["a", 1, "b/c"]
    assert place.key_start is not None
    assert TEXT[place.key_start :].startswith('"b/c"')


def test_entries_of_lists_have_no_key():
    assert find_places(TEXT, {("a", 0)})["a", 0].key_start is None


def test_what_is_not_there_is_not_found():
    assert find_places(TEXT, {("z",), ("a", 7)}) == {}


def test_of_a_repeated_key_the_last_is_found():
    text = '{"a": 1, "a": 2}'
    assert find_places(text, {("a",)})[("a",)].start == 14


def test_pointers_are_escaped():
    assert pointer_text(("a/b", 0, "m~n", "")) == "/a~1b/0/m~0n/"
    assert pointer_text(()) == ""


def test_columns_count_characters():
    text = '["äöü€𝄞", 5]'
    assert line_and_column(text, find_places(text, {(1,)})[(1,)].start) == (1, 11)


@given(VALUES, st.sampled_from([None, 0, 1, 4]), st.booleans())
def test_every_value_of_any_document_is_found(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    places = {place.pointer: place for place in iterate_places(text)}
    expected = dict(every_value(value))
    assert places.keys() == expected.keys()
    for pointer, each in expected.items():
        place = places[pointer]
        assert json.loads(text[place.start : place.end]) == each
        if pointer and isinstance(pointer[-1], str):
            key, _ = json.JSONDecoder().raw_decode(text, place.key_start)
            assert key == pointer[-1]


def test_long_strings_of_escapes_take_linear_time():
    text = '"' + '\\"' * 500_000 + '"'
    assert [place.end for place in iterate_places(text)] == [len(text)]
