"""Documents that are made while they are written: as JSON writes them, and never all at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.nnc.inspection.lazy import Lazy, json_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.text() | st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
    ),
)


def lazily(items: list[Any]) -> Lazy[Any]:
    return Lazy(items, lambda item: {"entry": item, "ends": "here\nand there"})


def whole(value: Any) -> Any:
    """Return a value with every lazy list made."""
    if isinstance(value, Lazy):
        return [whole(each) for each in value]
    if isinstance(value, dict):
        return {name: whole(each) for name, each in value.items()}
    return value


@given(st.lists(JSON, max_size=4), st.dictionaries(st.text(), JSON, max_size=3))
def test_text_is_that_of_json(items: list[Any], others: dict[str, Any]) -> None:
    inner = {**others, "inner": lazily(items), "last": items}
    document = {"first": others, "outer": Lazy([inner] * len(items), dict), "empty": lazily([])}
    text = "\n".join(json_text(document))
    assert text == json.dumps(whole(document), indent=1)


@pytest.mark.parametrize("value", [{}, [], {"a": {}}, {"a": []}, lazily([]), lazily([1]), 3, "\n"])
def test_small_values(value: Any) -> None:
    assert "\n".join(json_text(value)) == json.dumps(whole(value), indent=1)


@pytest.mark.parametrize("value", [float("nan"), {"a": float("inf")}])
def test_what_json_has_not_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        list(json_text(value))


def test_entries_are_made_when_they_are_asked_for() -> None:
    made: list[int] = []

    def make(item: int) -> dict[str, Any]:
        made.append(item)
        return {"item": item}

    entries = Lazy(range(10**9), make)
    assert len(entries) == 10**9
    assert not made
    assert entries[-1] == {"item": 10**9 - 1}
    assert list(entries[3:5]) == [{"item": 3}, {"item": 4}]
    assert made == [10**9 - 1, 3, 4]


def test_text_comes_in_parts() -> None:
    parts = json_text({"entries": Lazy(range(10**9), lambda item: {"item": item})})
    assert next(parts).startswith('{\n "entries": [\n  {\n   "item": 0\n  },')
    assert len(next(parts)) < 100_000
