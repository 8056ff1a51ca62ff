"""Words in messages stay short and name what was most likely meant."""

import pytest

from conformance.submission.text import count, is_placeholder, kinds, listing, nearest, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("ä\n", '"ä\\n"'),
        (1.5, "1.5"),
        ([], "a list of 0 entries"),
        ([1], "a list of 1 entry"),
        ({"a": 1}, "an object with 1 key"),
    ],
)
def test_values_are_shown_as_json_or_by_their_size(value, text):
    assert shown(value) == text


def test_long_texts_are_cut_and_say_so():
    assert shown("x" * 1000).endswith("... (1002 characters)")
    assert len(shown("x" * 1000)) < 110


def test_counting():
    assert [count(number, "entry", "entries") for number in (0, 1, 2)] == [
        "0 entries",
        "1 entry",
        "2 entries",
    ]


def test_types_in_plain_words():
    assert kinds(["string", "null"]) == "a string or null"
    assert kinds("array") == "a list"


def test_twelve_names_are_listed_and_more_are_hinted_at():
    assert listing(["a", "b"]) == '"a", "b"'
    assert listing("x" for _ in range(12)).count('"x"') == 12
    assert listing("x" for _ in range(13)).endswith('"x", ...')


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("licence", "license"),
        ("useCases", "use_cases"),
        ("use-cases", "use_cases"),
        ("SHA256", "sha256"),
        ("quantization", "quantisation"),
        ("zzz", None),
        ("", None),
        ("x" * 100_000, None),
    ],
)
def test_the_nearest_name(name, meant):
    assert nearest(name, ["license", "use_cases", "sha256", "quantisation"]) == meant


def test_placeholders():
    assert is_placeholder("<fill in: it>")
    assert is_placeholder("My <fill in>")
    assert not is_placeholder("<filled>")
    assert not is_placeholder(["<fill in>"])
