"""The expressions of the description: what they can say, and what they refuse."""

from __future__ import annotations

import pytest

from conformance.nnc.syntax.expressions import Expression

SCOPE = {"a": 6, "b": 0, "name": "w_G", "dims": (5, 6), "none": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", 6),
        ("'x'", "x"),
        ("a & 3 != 0", True),
        ("a >> 1", 3),
        ("4 << a", 256),
        ("a * 2 - 1 + b", 11),
        ("-a", -6),
        ("not a", False),
        ("0 <= b < a", True),
        ("0 <= a < b", False),
        ("b < 0 <= a", False),
        ("a == 6 and b == 0", True),
        ("a == 5 or b == 1", False),
        ("a if b else 9", 9),
        ("dims[1]", 6),
        ("(a, b)", (6, 0)),
        ("none is None", True),
        ("a is not None", True),
        ("max(a - 7, 0)", 0),
        ("len(dims)", 2),
        ("ends_with(name, '_G')", True),
        ("ends_with(none, '_G')", False),
        ("item(dims, 0)", 5),
        ("item(dims, 2)", None),
        ("item(none, 0)", None),
        ("bit_count(a)", 2),
        ("rows_of_blocks((17, 16, 0), 8)", 5),
    ],
)
def test_values(text, value):
    assert Expression(text).evaluate(SCOPE) == value


def test_and_stops_at_the_first_that_does_not_hold():
    assert not Expression("b == 1 and missing == 1").evaluate(SCOPE)


def test_or_stops_at_the_first_that_holds():
    assert Expression("a == 6 or missing == 1").evaluate(SCOPE)


def test_only_the_chosen_side_of_a_condition_is_looked_at():
    assert Expression("dims[0] if dims else missing").evaluate(SCOPE) == 5


def test_the_text_is_kept_for_the_documentation():
    assert Expression("a  &  3").text == "a  &  3"
    assert repr(Expression("a")) == "Expression('a')"


@pytest.mark.parametrize(
    "text",
    [
        *("__import__('os')", "open('x')", "a.real", "[a]", "{a: b}", "lambda: a", "a ** 9"),
        *("max(*dims)", "max(a, key=len)", "f'{a}'", "~a", "[x for x in dims]", "(a := 1)"),
        *("a[0:1]", "a / b", "len(dims", ""),
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises((ValueError, SyntaxError)):
        Expression(text)


def test_known_dimensions_are_found_by_the_undecomposed_name():
    known = {"w": [2, 3]}.get
    find = Expression("dimensions_of(known, name)").evaluate
    assert find({"known": known, "name": "w_G"}) == (2, 3)
    assert find({"known": known, "name": "w"}) == (2, 3)
    assert find({"known": known, "name": "v"}) is None
    assert find({"known": known, "name": None}) is None
