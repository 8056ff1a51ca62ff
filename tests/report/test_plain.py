import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.report.plain import MAX_DEPTH, json_text, plain

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("number", "text"), [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")]
)
def test_numbers_that_are_not_finite_become_their_names(number, text):
    assert plain({"a": [number]}) == {"a": [text]}


@given(VALUES)
def test_everything_plain_is_strict_json_and_stays_as_it_is(value):
    once = plain(value)
    assert plain(once) == once
    assert json.loads(json_text(once), parse_constant=pytest.fail) == once


@given(VALUES)
def test_the_text_is_ascii_and_ends_in_one_newline(value):
    text = json_text(plain(value))
    assert text.isascii()
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(value):
    assert json.loads(json_text(plain(value))) == value


def test_tuples_become_lists():
    assert plain({"shape": (1, (2, 3))}) == {"shape": [1, [2, 3]]}


def test_keys_are_sorted_whatever_their_order():
    assert (
        json_text({"b": 1, "a": 2}) == json_text({"a": 2, "b": 1}) == '{\n  "a": 2,\n  "b": 1\n}\n'
    )


def test_lone_surrogates_are_replaced_and_can_be_encoded():
    value = plain({"\udc80": "a\ud800b"})
    assert value == {"\ufffd": "a\ufffdb"}
    json.dumps(value, ensure_ascii=False).encode()


def test_numbers_of_other_libraries_that_are_floats_are_written_as_floats():
    import numpy as np

    assert json_text(plain(np.float64(0.1))) == "0.1\n"


def test_deep_nesting_is_cut_not_followed():
    value = []
    for _ in range(100_000):
        value = [value]
    cut = plain(value)
    depth = 0
    while isinstance(cut, list):
        cut = cut[0]
        depth += 1
    assert (depth, cut) == (MAX_DEPTH + 1, "…")
