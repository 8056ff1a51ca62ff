from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from conformance.jobs.facts import lossless_comparison, tensor_facts, tensor_text


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
    assert tensor_facts(np.asarray(array), None)["non_finite"] == count


def test_infinity_of_the_original_is_not_held_against_the_sample() -> None:
    mask = np.array([0.0, -np.inf])
    assert tensor_facts(mask, mask)["non_finite"] == 0
    assert tensor_facts(np.array([np.nan, -np.inf]), mask)["non_finite"] == 1


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
    assert [difference["tensor"] for difference in found["differences"]] == ["w"]
    assert "float32[2]" in found["differences"][0]["expected"]


def test_lossless_keeps_nan_payloads() -> None:
    bits = np.array([0x7FC00001, 0x7FC00002], np.uint32)
    original = {"w": bits.view(np.float32)}
    same = lossless_comparison({"w": tensor_facts(original["w"].copy(), None)}, original)
    assert same == {"tensors": 1, "differences": []}
    swapped = lossless_comparison({"w": tensor_facts(bits[::-1].view(np.float32), None)}, original)
    assert len(swapped["differences"]) == 1
