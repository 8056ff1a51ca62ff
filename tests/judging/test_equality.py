"""Two samples that are said to decode to the same tensors."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.judging.equality import differing_tensors
from conformance.plan.results import DecodeResult
from conformance.verdicts import NotRunError
from tests.results import made

OURS: Any = SimpleNamespace(id="chain", codec="nnc")
THEIRS: Any = SimpleNamespace(id="direct", codec="onnx")
DIGITS = st.sampled_from(["a" * 64, "b" * 64])
FACTS = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["float32", "float16"]),
        "shape": st.sampled_from([[3], [1, 3]]),
        "sha256": DIGITS,
    }
)
FITTED = st.dictionaries(st.sampled_from(["w", "b", "c"]), FACTS, max_size=3)


def facts(digit: str = "a", **more: Any) -> dict[str, Any]:
    return {"dtype": "float32", "shape": [2, 3], "sha256": digit * 64, **more}


def differences(ours: Any, theirs: Any) -> list[tuple[str, str, str]]:
    found = differing_tensors(
        OURS, made(DecodeResult, {"fitted": ours}), THEIRS, made(DecodeResult, {"fitted": theirs})
    )
    return [(each.name, each.expected, each.found) for each in found]


def test_equal_tensors_have_no_difference() -> None:
    assert differences({"w": facts()}, {"w": facts()}) == []


def test_another_digest_is_told_with_both() -> None:
    (told,) = differences({"w": facts("a")}, {"w": facts("b")})
    assert told == (
        "w",
        f"float32[2, 3], sha256 {'b' * 64}",
        f"float32[2, 3], sha256 {'a' * 64}",
    )


def test_a_tensor_that_one_of_them_lacks_is_told() -> None:
    one, other = {"w": facts()}, {"v": facts()}
    assert [
        (n, e.partition(",")[0], f.partition(",")[0]) for n, e, f in differences(one, other)
    ] == [
        ("v", "float32[2", "no such tensor"),
        ("w", "no such tensor", "float32[2"),
    ]


@given(FITTED, FITTED)
def test_there_is_a_difference_where_the_facts_differ(one: dict, other: dict) -> None:
    names = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    assert [name for name, _, _ in differences(one, other)] == sorted(names)


@pytest.mark.parametrize("side", [0, 1])
def test_a_network_of_its_own_is_not_compared(side: int) -> None:
    sides: list[Any] = [{"w": facts()}, {"w": facts()}]
    sides[side] = None
    with pytest.raises(NotRunError) as caught:
        differences(*sides)
    error = caught.value
    name, codec = (("chain", "nnc"), ("direct", "onnx"))[side]
    assert error.message == f"sample {name!r} is a network of its own"
    assert error.found == f"codec {codec!r}"
    assert error.fix == "name a sample of tensors in same_tensors_as"
