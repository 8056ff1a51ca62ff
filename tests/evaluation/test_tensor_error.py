"""The error of one parameter."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from conformance.evaluation.tasks.tensor_error import tensor_error


def test_an_equal_tensor_has_no_error() -> None:
    array = np.array([1.0, 0.0, -2.0], np.float32)
    assert tensor_error(array, array, 48) == {
        "values": 3,
        "max_abs_error": 0.0,
        "rms_error": 0.0,
        "relative_error": 0.0,
        "zeros": 1,
        "zeros_in_original": 1,
        "bits_per_parameter": 16.0,
    }


def test_the_errors_by_hand() -> None:
    facts = tensor_error(np.float32([0, 4]), np.float32([3, 4]), None)
    assert facts["max_abs_error"] == 3.0
    assert facts["rms_error"] == pytest.approx(3 / math.sqrt(2))
    assert facts["relative_error"] == pytest.approx(0.6)
    assert (facts["zeros"], facts["zeros_in_original"]) == (1, 0)
    assert facts["bits_per_parameter"] is None


def test_an_error_against_nothing_but_zeros_is_infinite_relative_to_them() -> None:
    assert tensor_error(np.ones(2), np.zeros(2), 0)["relative_error"] == "inf"


def test_a_value_that_is_not_a_number_shows() -> None:
    facts = tensor_error(np.array([np.nan, 1.0]), np.array([0.0, 1.0]), 8)
    assert (facts["max_abs_error"], facts["rms_error"]) == ("nan", "nan")


def test_infinities_in_the_same_places_are_no_error() -> None:
    mask = np.array([0.0, -np.inf])
    facts = tensor_error(mask, mask, 8)
    assert (facts["max_abs_error"], facts["relative_error"]) == (0.0, 0.0)


def test_another_shape_has_no_error_but_is_counted() -> None:
    facts = tensor_error(np.zeros((2, 3)), np.zeros((3, 2)), 12)
    assert facts["max_abs_error"] is facts["rms_error"] is facts["relative_error"] is None
    assert (facts["values"], facts["zeros"], facts["bits_per_parameter"]) == (6, 6, 2.0)


def test_narrow_types_are_compared_by_value() -> None:
    rounded = np.float32([1.0, 2.5]).astype(ml_dtypes.bfloat16)
    assert tensor_error(rounded, np.float32([1.0, 2.5]), 32)["max_abs_error"] == 0.0


def test_an_empty_tensor_is_no_division_by_zero() -> None:
    facts = tensor_error(np.zeros(0), np.zeros(0), 0)
    assert (facts["rms_error"], facts["bits_per_parameter"]) == (0.0, None)


def test_long_tensors_are_taken_in_runs() -> None:
    original = np.zeros((1 << 20) + 7, np.float32)
    decoded = original.copy()
    decoded[-1], decoded[5] = 2.0, -1.0
    facts = tensor_error(decoded, original, None)
    assert facts["max_abs_error"] == 2.0
    assert facts["rms_error"] == pytest.approx(math.sqrt(5 / original.size))


finite = arrays.arrays(np.float32, 9, elements=st.floats(-1e6, 1e6, width=32))


@given(finite, finite)
def test_rms_never_exceeds_the_greatest_error(decoded, original) -> None:
    facts = tensor_error(decoded, original, 9)
    assert facts["rms_error"] <= facts["max_abs_error"] * (1 + 1e-12)
    assert facts["max_abs_error"] == np.abs(decoded.astype(float) - original.astype(float)).max()
