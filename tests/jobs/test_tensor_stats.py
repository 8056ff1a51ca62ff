"""Facts, errors and likeness of decoded tensors."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from conformance.jobs.tensor_stats import (
    Correlation,
    likeness,
    likeness_of,
    lossless_comparison,
    tensor_error,
    tensor_facts,
    tensor_text,
)
from conformance.plan.results import Lossless, ParameterError

# --- Facts


def test_facts_name_type_and_shape() -> None:
    assert tensor_text(tensor_facts(np.zeros((2, 3), np.float16), None)) == "float16[2, 3]"


@pytest.mark.parametrize(
    ("array", "count"),
    [
        (np.array([1.0, np.nan, np.inf, -np.inf]), 3),
        (np.array([1, 2]), 0),
        (np.array([True, False]), 0),
        (np.array([1.0, np.inf], ml_dtypes.bfloat16), 1),
        (np.array([1, -8], ml_dtypes.int4), 0),
        (np.float32(np.nan), 1),
    ],
    ids=["float64", "int64", "bool", "bfloat16", "int4", "scalar"],
)
def test_values_that_are_not_finite_are_counted(array: np.ndarray, count: int) -> None:
    assert tensor_facts(np.asarray(array), None).non_finite == count


def test_infinity_of_the_original_is_not_held_against_the_sample() -> None:
    mask = np.array([0.0, -np.inf])
    assert tensor_facts(mask, mask).non_finite == 0
    assert tensor_facts(np.array([np.nan, -np.inf]), mask).non_finite == 1


@pytest.mark.parametrize(
    "decoded",
    [
        np.array([1.0, -0.0], np.float32),
        np.array([1.0, 0.0], np.float64),
        np.array([[1.0, 0.0]], np.float32),
        np.array([np.nextafter(np.float32(1), np.float32(2)), 0.0], np.float32),
    ],
    ids=["sign-of-zero", "type", "shape", "last-bit"],
)
def test_lossless_sees_every_difference(decoded: np.ndarray) -> None:
    original = {"w": np.array([1.0, 0.0], np.float32)}
    found = lossless_comparison({"w": tensor_facts(decoded, None)}, original)
    assert [difference.tensor for difference in found.differences] == ["w"]
    assert "float32[2]" in found.differences[0].expected


def test_lossless_keeps_nan_payloads() -> None:
    bits = np.array([0x7FC00001, 0x7FC00002], np.uint32)
    original = {"w": bits.view(np.float32)}
    same = lossless_comparison({"w": tensor_facts(original["w"].copy(), None)}, original)
    assert same == Lossless(tensors=1)
    swapped = lossless_comparison({"w": tensor_facts(bits[::-1].view(np.float32), None)}, original)
    assert len(swapped.differences) == 1


# --- Errors and likeness


def test_an_equal_tensor_has_no_error() -> None:
    array = np.array([1.0, 0.0, -2.0], np.float32)
    assert tensor_error(array, array, 48) == ParameterError(
        values=3,
        max_abs_error=0.0,
        rms_error=0.0,
        relative_error=0.0,
        zeros=1,
        zeros_in_original=1,
        bits_per_parameter=16.0,
    )


def test_the_errors_by_hand() -> None:
    facts = tensor_error(np.float32([0, 4]), np.float32([3, 4]), None)
    assert facts.max_abs_error == 3.0
    assert facts.rms_error == pytest.approx(3 / math.sqrt(2))
    assert facts.relative_error == pytest.approx(0.6)
    assert (facts.zeros, facts.zeros_in_original) == (1, 0)
    assert facts.bits_per_parameter is None


def test_an_error_against_nothing_but_zeros_is_infinite_relative_to_them() -> None:
    assert tensor_error(np.ones(2), np.zeros(2), 0).relative_error == "inf"


def test_a_value_that_is_not_a_number_shows() -> None:
    facts = tensor_error(np.array([np.nan, 1.0]), np.array([0.0, 1.0]), 8)
    assert (facts.max_abs_error, facts.rms_error) == ("nan", "nan")


def test_infinities_in_the_same_places_are_no_error() -> None:
    mask = np.array([0.0, -np.inf])
    facts = tensor_error(mask, mask, 8)
    assert (facts.max_abs_error, facts.relative_error) == (0.0, 0.0)


def test_another_shape_has_no_error_but_is_counted() -> None:
    facts = tensor_error(np.zeros((2, 3)), np.zeros((3, 2)), 12)
    assert facts.max_abs_error is facts.rms_error is facts.relative_error is None
    assert (facts.values, facts.zeros, facts.bits_per_parameter) == (6, 6, 2.0)


def test_narrow_types_are_compared_by_value() -> None:
    rounded = np.float32([1.0, 2.5]).astype(ml_dtypes.bfloat16)
    assert tensor_error(rounded, np.float32([1.0, 2.5]), 32).max_abs_error == 0.0


def test_an_empty_tensor_is_no_division_by_zero() -> None:
    facts = tensor_error(np.zeros(0), np.zeros(0), 0)
    assert (facts.rms_error, facts.bits_per_parameter) == (0.0, None)


def test_long_tensors_are_taken_in_runs() -> None:
    original = np.zeros((1 << 20) + 7, np.float32)
    decoded = original.copy()
    decoded[-1], decoded[5] = 2.0, -1.0
    facts = tensor_error(decoded, original, None)
    assert facts.max_abs_error == 2.0
    assert facts.rms_error == pytest.approx(math.sqrt(5 / original.size))


finite = arrays.arrays(np.float32, 9, elements=st.floats(-1e6, 1e6, width=32))


@given(finite, finite)
def test_rms_never_exceeds_the_greatest_error(decoded, original) -> None:
    facts = tensor_error(decoded, original, 9)
    assert facts.rms_error <= facts.max_abs_error * (1 + 1e-12)
    assert facts.max_abs_error == np.abs(decoded.astype(float) - original.astype(float)).max()


# --- what a parameter has in common with the original's

DRAWN = np.random.default_rng(7)
ORIGINAL = DRAWN.normal(0.1, 1.0, (64, 64)).astype(np.float32)


def pruned(share: float) -> np.ndarray:
    return np.where(np.abs(ORIGINAL) > np.quantile(np.abs(ORIGINAL), share), ORIGINAL, 0)


def low_rank(rank: int) -> np.ndarray:
    u, s, v = np.linalg.svd(ORIGINAL)
    return (u[:, :rank] * s[:rank]) @ v[:rank]


def named(decoded: np.ndarray, original: np.ndarray = ORIGINAL) -> bool:
    found = likeness(decoded, original)
    assert found is not None
    return bool(likeness_of({"w": found}).unlike)


@pytest.mark.parametrize(
    "decoded",
    {
        "equal": ORIGINAL,
        "float16": ORIGINAL.astype(np.float16),
        "bfloat16": ORIGINAL.astype(ml_dtypes.bfloat16),
        "float8": ORIGINAL.astype(ml_dtypes.float8_e4m3fn),
        "integers": np.rint(ORIGINAL * 50).astype(np.int8),
        "int4": np.rint(ORIGINAL * 2).clip(-8, 7).astype(ml_dtypes.int4),
        "signs": np.sign(ORIGINAL),
        "one in a hundred left": pruned(0.99),
        "one in a thousand left": pruned(0.999),
        "rank 1": low_rank(1),
        "shared by clusters": np.quantile(ORIGINAL, [0.25, 0.75])[(ORIGINAL > 0).astype(int)],
        "scaled far": ORIGINAL * np.float64(1e300),
        "scaled near": ORIGINAL * np.float64(1e-300),
    }.values(),
)
def test_what_compression_leaves_is_like_the_original(decoded: np.ndarray) -> None:
    assert not named(decoded)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("size", [64, 1000, 100_000])
def test_other_values_are_like_shuffled_ones(seed: int, size: int) -> None:
    drawn = np.random.default_rng([seed, size])
    original = drawn.gamma(2.0, 1.0, size)
    assert named(drawn.permutation(original), original)
    assert named(drawn.normal(0, 5, size), original)
    assert named(-original, original)


def test_values_and_those_of_shuffled_ones_are_by_hand() -> None:
    ramp = np.arange(101.0)
    assert likeness(ramp, 3 * ramp - 7) == Correlation(pytest.approx(1.0), 0.3)


@pytest.mark.parametrize(
    ("decoded", "original"),
    [
        (np.arange(63.0), np.arange(63.0)),
        (np.zeros(64), np.arange(64.0)),
        (np.arange(64.0), np.full(64, 0.1)),
        (np.arange(64.0).reshape(8, 8), np.arange(64.0)),
        (np.array([np.nan, *range(63)]), np.arange(64.0)),
        (np.array([np.inf, *range(63)]), np.arange(64.0)),
        (np.arange(64) + 0j, np.arange(64.0)),
        (np.array(["a"] * 64), np.array(["b"] * 64)),
        (np.zeros((0, 3)), np.zeros((0, 3))),
    ],
    ids=["few", "zeros", "constant", "shape", "nan", "infinite", "complex", "strings", "empty"],
)
def test_what_cannot_be_compared_is_not_named(decoded: np.ndarray, original: np.ndarray) -> None:
    assert likeness(decoded, original) is None


def test_block_counts_what_was_compared_and_names_what_is_unlike() -> None:
    found = {
        "b": Correlation(0.1, 0.1),
        "a": Correlation(-0.9, 0.1),
        "c": Correlation(0.2, 0.1),
    }
    block = likeness_of(found)
    assert block.compared == 3
    assert [each.tensor for each in block.unlike] == ["a", "b"]
