from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from conformance.jobs.compare import Magnitudes, OutputComparison, same_arrays
from conformance.plan.results import OutputRow
from conformance.submission.values import OutputTolerance
from conformance.verdicts import ConformanceError


def compared(measured: object, declared: object, atol: float = 0.1, rtol: float = 0.0) -> OutputRow:
    comparison = OutputComparison(OutputTolerance(atol, rtol))
    comparison.add("y", "y.npz", np.asarray(measured), np.asarray(declared))
    return comparison.rows()["y"]


def test_equal_outputs_have_no_violation() -> None:
    assert compared([1.0, 2.0], [1.0, 2.0]) == OutputRow(
        file="y.npz",
        values=2,
        violations=0,
        max_abs=0.0,
        scale=2.0,
        worst="",
    )


def test_worst_place_is_named() -> None:
    found = compared([[0.0, 0.0], [0.0, 0.5]], np.zeros((2, 2)))
    assert (found.violations, found.max_abs, found.worst) == (1, 0.5, "[1, 1]")


@pytest.mark.parametrize(
    ("measured", "declared", "violations"),
    [
        ([0.5], [0.0], 0),
        ([0.5000001], [0.0], 1),
        ([np.nan], [np.nan], 0),
        ([np.nan], [0.0], 1),
        ([0.0], [np.nan], 1),
        ([np.inf], [np.inf], 0),
        ([np.inf], [-np.inf], 1),
        ([np.inf], [0.0], 1),
    ],
    ids=["on-bound", "above", "both-nan", "nan", "declared-nan", "inf", "opposite", "infinite"],
)
def test_boundary(measured: object, declared: object, violations: int) -> None:
    assert compared(measured, declared, atol=0.5).violations == violations


def test_relative_tolerance_is_of_the_declared_value() -> None:
    assert compared([101.0], [100.0], atol=0.0, rtol=0.01).violations == 0
    assert compared([100.0], [101.5], atol=0.0, rtol=0.01).violations == 1


def test_infinite_difference_is_plain_json() -> None:
    assert compared([np.inf], [0.0]).max_abs == "inf"


def test_infinite_declaration_is_met_by_nothing_else() -> None:
    assert compared([0.0, 5.0], [np.inf, -np.inf], atol=1.0, rtol=1.0).violations == 2


def test_scale_is_the_largest_finite_declared_value() -> None:
    assert compared([1.0], [-3.0]).scale == 3.0
    assert compared([np.inf, 1.0], [np.inf, 1.0]).scale == 1.0
    assert compared([0.25], [0.25]).scale == 0.25
    assert compared(np.zeros((0, 3)), np.zeros((0, 3))).scale == 0.0
    assert compared(["cat"], ["cat"]).scale == 0.0


def test_texts_are_compared_by_equality() -> None:
    found = compared(["cat", "dog"], ["cat", "cow"])
    assert (found.violations, found.worst) == (1, "[1]")
    assert compared(["1", "cat"], [1, 2]).violations == 1


def test_shards_add_up() -> None:
    comparison = OutputComparison(OutputTolerance(0.1, 0.0))
    comparison.add("y", "first.npz", np.array([0.3]), np.array([0.0]))
    comparison.add("y", "second.npz", np.array([0.9]), np.array([0.0]))
    found = comparison.rows()["y"]
    assert (found.file, found.values, found.violations) == ("second.npz", 2, 2)


def test_empty_output_is_no_violation() -> None:
    assert compared(np.zeros((0, 3)), np.zeros((0, 3))).violations == 0


def test_other_shape_is_refused() -> None:
    with pytest.raises(ConformanceError) as caught:
        compared(np.zeros((2, 3)), np.zeros((2, 4)))
    assert caught.value.expected == "(2, 4), as declared"
    assert caught.value.found == "(2, 3)"
    assert caught.value.where is not None
    assert caught.value.where.element == "y"


@pytest.mark.parametrize(
    ("measured", "declared"),
    [
        (np.array([1 + 5j], np.complex64), np.array([1 + 0j], np.complex64)),
        (np.array([2**62 + 1]), np.array([2**62])),
    ],
    ids=["imaginary part", "last bit of a large integer"],
)
def test_nothing_of_a_number_is_left_out(measured: np.ndarray, declared: np.ndarray) -> None:
    assert compared(measured, declared).violations == 1
    assert compared(measured, measured).violations == 0


def test_large_integers_differ_by_one_where_double_precision_sees_no_difference() -> None:
    found = compared(np.array([2**62 + 1]), np.array([2**62]))
    assert (found.max_abs, found.worst) == (1.0, "[0]")


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64])
def test_integers_are_compared_by_steps_and_not_in_proportion(dtype: type) -> None:
    declared, near = np.array([100, 0], dtype), np.array([101, 0], dtype)
    assert compared(near, declared, atol=0.999, rtol=0.05).violations == 1
    assert compared(near, declared, atol=1.0).violations == 0


def test_truth_values_are_compared_by_equality_whatever_their_type() -> None:
    assert compared([True, False], [True, True], atol=5.0, rtol=0.05).violations == 1
    assert compared([True, False], [1, 0]).violations == 0
    found = compared([True, False, True], [True, True, True])
    assert (found.max_abs, found.worst) == (1.0, "[1]")
    assert compared([True], [True]).max_abs == 0.0


def widest(*shards: object, batched: bool = True) -> float | None:
    magnitudes = Magnitudes(batched)
    for shard in shards:
        magnitudes.add({"y": np.asarray(shard)})
    return magnitudes.widest_atol("y")


ITEMS = np.array([[3.0, 4.0], [0.0, 2.0], [1e30, 0.0]])
"""Root mean squares: 3.54, 1.41, and one that lies far out."""


@pytest.mark.parametrize(
    ("shards", "batched", "expected"),
    [
        ([ITEMS], True, 0.05 * 12.5**0.5),
        ([ITEMS[:1], ITEMS[1:]], True, 0.05 * 12.5**0.5),
        ([ITEMS[0], ITEMS[1], ITEMS[2]], False, 0.05 * 12.5**0.5),
        ([[2.0, -2.0, 4.0]], True, 0.05 * 2.0),
        ([np.float32(-4.0)], False, 0.05 * 4.0),
        ([np.zeros((5, 2)), ITEMS[:1]], True, 0.05 * 12.5**0.5),
        ([np.zeros((5, 2)), [[0.3, -0.3]]], True, 0.05 * 0.3),
        ([np.zeros((5, 2))], True, 1e-5),
        ([[[np.inf, 4.0, -4.0], [np.nan, np.nan, np.nan]]], True, 0.05 * 4.0),
        ([[[np.nan], [np.inf]]], True, 1e-5),
        ([np.zeros((3, 0))], True, 1e-5),
        ([np.zeros((0, 3)), ITEMS[:1]], True, 0.05 * 12.5**0.5),
        ([[[1e200, 1e200]]], True, 0.05 * 1e200),
        ([[[1e-200, 1e-200]]], True, 0.05 * 1e-200),
        ([np.array([[3 + 4j]])], True, 0.05 * 5.0),
        ([np.array([[100], [60]], np.uint8)], True, 0.05 * 80.0),
        ([np.array([1, 2, 3])], True, 0.999),
        ([np.array([[True]])], True, None),
        ([np.array(["cat"])], True, None),
    ],
    ids=[
        *("median", "shards", "not-batched", "item-axis", "rank-0", "zeros-left-out"),
        *("zeros-and-small", "all-zero"),
        *(
            "non-finite",
            "nothing-finite",
            "no-values",
            "no-items",
            "huge",
            "tiny",
            "complex",
            "integers",
        ),
        *("few-integers", "truth-values", "texts"),
    ],
)
def test_widest_atol_is_a_part_of_the_median_item(
    shards: list, batched: bool, expected: float | None
) -> None:
    found = widest(*shards, batched=batched)
    assert found == (None if expected is None else pytest.approx(expected, rel=1e-12))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ([1.0, np.nan], [1.0, np.nan], True),
        ([1.0, 2.0], [1.0, 3.0], False),
        ([[1.0, 1.0]], [1.0, 1.0], False),
        ([1, 0], [1.0, 0.0], True),
        (np.array([17], np.int8), np.array([16], ml_dtypes.float8_e4m3fn), False),
        (np.array([16], np.int8), np.array([16], ml_dtypes.float8_e4m3fn), True),
        ([2**62 + 1], [2**62], False),
        (["cat"], ["cat"], True),
        (["cat", "dog"], ["cat", "cow"], False),
        (["1"], [1], True),
        (["cat"], [2], False),
    ],
    ids=[
        *("nan", "a-value", "shape", "type", "narrow-type", "narrow-type-equal", "large-integer"),
        *("strings", "a-string", "string-and-number", "string-and-other-number"),
    ],
)
def test_arrays_are_the_same_if_all_values_are(a: object, b: object, same: bool) -> None:
    assert same_arrays(np.asarray(a), np.asarray(b)) is same
    assert same_arrays(np.asarray(b), np.asarray(a)) is same
