"""Merged branches, held against the mean in exact fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from conformance.codecs import Memory
from conformance.jobs.chain_merge import merged
from conformance.jobs.chain_state import State, keep_state

NETWORK: Any = SimpleNamespace(parameters={}, scalars={}, constants={}, everything={})
FLOATS = [np.float16, np.float32, np.float64, ml_dtypes.bfloat16]
NUMBERS = st.floats(-1e4, 1e4, width=16)


def states(*values: np.ndarray, nodes: Sequence[dict] = ()) -> list[State]:
    memories = [Memory(nodes=each) for each in nodes] or [Memory()] * len(values)
    return [State({"w": v}, {}, m) for v, m in zip(values, memories, strict=True)]


def mean(values: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    state, problems = merged(NETWORK, states(*values), weights)
    assert problems == []
    assert state is not None
    return state.parameters["w"]


@pytest.mark.parametrize("kind", FLOATS, ids=lambda kind: np.dtype(kind).name)
def test_a_merge_is_the_weighted_mean_rounded_once(kind: type) -> None:
    random = np.random.default_rng(3)
    values = [random.normal(size=(9, 4)).astype(kind) for _ in range(3)]
    weights = [331.0, 340.0, 2.5]
    total = np.zeros((9, 4))
    for value, weight in zip(values, weights, strict=True):
        total = total + weight * value.astype(np.float64)
    found = mean(values, weights)
    assert found.dtype == values[0].dtype
    np.testing.assert_array_equal(found, (total / sum(weights)).astype(kind))


@given(
    st.lists(arrays(np.float16, 4, elements=NUMBERS), min_size=2, max_size=5),
    st.lists(st.integers(1, 1000), min_size=5, max_size=5),
)
def test_a_merge_is_within_half_a_step_of_the_exact_mean(
    values: list[np.ndarray], weights: list[int]
) -> None:
    used = weights[: len(values)]
    found = mean(values, [float(weight) for weight in used])
    for place in range(4):
        exact = sum(Fraction(float(v[place])) * w for v, w in zip(values, used, strict=True)) / sum(
            used
        )
        # In float16 a step is 2**-10 of the value, or 2**-24 among the smallest.
        step = max(abs(exact) * Fraction(1, 2**10), Fraction(1, 2**24))
        assert abs(Fraction(float(found[place])) - exact) <= step * Fraction(51, 100)


@pytest.mark.parametrize(
    ("kind", "bits"),
    [(np.float16, 10), (ml_dtypes.bfloat16, 7), (ml_dtypes.float8_e4m3fn, 3)],
    ids=["float16", "bfloat16", "float8"],
)
@pytest.mark.parametrize(("more", "rounded"), [(2.0**-20, 1), (-(2.0**-20), 0), (0.0, 0)])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_mean_next_to_the_middle_is_not_rounded_twice(
    kind: type, bits: int, more: float, rounded: int, sign: float
) -> None:
    """By way of float32 it would lie in the very middle, and go to the even neighbour."""
    step = 2.0**-bits
    low, high = np.array([sign], kind), np.array([sign * (1 + step)], kind)
    found = mean([low, high], [1.0, 1.0 + more * step])
    assert float(found[0]) == sign * (1 + rounded * step)


def test_complex_parameters_keep_their_imaginary_part() -> None:
    values = [np.array([1 + 2j], np.complex64), np.array([3 + 4j], np.complex64)]
    assert mean(values, [1.0, 1.0])[0] == 2 + 3j


def test_the_order_is_that_of_the_branches() -> None:
    """In float64, 1e16 + 1 - 1e16 is 0 in this order, and 1 in the other."""
    values = [np.array([each], np.float64) for each in (1e16, 1.0, -1e16)]
    assert mean(values, [1.0, 1.0, 1.0])[0] == 0
    turned = [values[0], values[2], values[1]]
    assert mean(turned, [1.0, 1.0, 1.0])[0] == 1 / 3


def test_weights_need_not_add_up_to_one() -> None:
    values = [np.array([2.0], np.float32), np.array([6.0], np.float32)]
    assert mean(values, [1.0, 3.0]) == mean(values, [0.25, 0.75]) == 5.0


def test_equal_branches_give_themselves() -> None:
    value = np.array([0.1, -3.0], np.float32)
    np.testing.assert_array_equal(mean([value, value, value], [1.0, 1.0, 2.0]), value)


@pytest.mark.parametrize("shape", [(), (0, 2), (1, 1)])
def test_scalars_and_empty_tensors_are_merged_and_kept(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    values = [np.full(shape, each, np.float32) for each in (1.0, 3.0)]
    state, _ = merged(NETWORK, states(*values), [1.0, 1.0])
    assert state is not None
    assert isinstance(state.parameters["w"], np.ndarray)
    assert state.parameters["w"].shape == shape
    assert (state.parameters["w"] == 2).all()
    keep_state(tmp_path, state, "submission.json")


def test_what_is_not_finite_stays_so() -> None:
    values = [np.array([np.inf], np.float32), np.array([-np.inf], np.float32)]
    assert np.isnan(mean(values, [1.0, 1.0])[0])


def test_a_mean_too_large_for_the_type_is_infinite() -> None:
    largest = np.array([1e308])
    assert np.isinf(mean([largest, largest], [1e6, 1e6])[0])


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.uint8, bool])
def test_equal_whole_numbers_are_what_they_were(kind: type) -> None:
    value = np.array([1, 0, 1], kind)
    found = mean([value, value.copy()], [1.0, 2.0])
    assert found.dtype == value.dtype
    np.testing.assert_array_equal(found, value)


def test_large_whole_numbers_do_not_go_through_floats() -> None:
    value = np.array([2**63 - 1], np.int64)
    assert mean([value, value.copy()], [1.0, 1.0])[0] == 2**63 - 1


def test_different_whole_numbers_have_no_mean() -> None:
    values = [np.array([1], np.int64), np.array([3], np.int64)]
    state, (problem,) = merged(NETWORK, states(*values), [1.0, 1.0])
    assert state is None
    assert problem.message == "the branches have different integers in 'w'"
    assert problem.expected.startswith("the same values in every branch")
    assert problem.found == "other values of type int64"
    assert problem.fix == "leave the parameter out of the updates"
    assert (problem.tensor, problem.file) == ("w", "submission.json")


def test_a_difference_in_the_last_branch_is_seen() -> None:
    one, other = np.array([1], np.int8), np.array([2], np.int8)
    assert merged(NETWORK, states(one, one, other), [1.0] * 3)[0] is None


def test_the_branches_are_left_alone() -> None:
    values = [np.array([1.0], np.float32), np.array([3.0], np.float32)]
    for value in values:
        value.flags.writeable = False
    mean(values, [1.0, 1.0])
    assert [float(value[0]) for value in values] == [1.0, 3.0]


def test_the_nodes_of_all_branches_are_kept_once_each() -> None:
    a, b = {"depth": 1, "device": 1}, {"depth": 1, "device": 2}
    value = np.ones(1, np.float32)
    nodes = [{"w": [a]}, {"w": [b], "v": [a]}, {"w": [a]}]
    state, _ = merged(NETWORK, states(value, value, value, nodes=nodes), [1.0] * 3)
    assert state is not None
    assert state.memory.nodes == {"w": [a, b], "v": [a]}
    assert (dict(state.memory.arrays), dict(state.memory.facts)) == ({}, {})
