from __future__ import annotations

import numpy as np
import pytest

from conformance.evaluation.tasks.compare import OutputComparison
from conformance.submission.values import OutputTolerance
from conformance.verdicts import ConformanceError


def compared(measured: object, declared: object, atol: float = 0.1, rtol: float = 0.0) -> dict:
    comparison = OutputComparison(OutputTolerance(atol, rtol))
    comparison.add("y", "y.npz", np.asarray(measured), np.asarray(declared))
    return comparison.to_json()["y"]


def test_equal_outputs_have_no_violation() -> None:
    assert compared([1.0, 2.0], [1.0, 2.0]) == {
        "file": "y.npz",
        "values": 2,
        "violations": 0,
        "max_abs": 0.0,
        "scale": 2.0,
        "worst": "",
    }


def test_worst_place_is_named() -> None:
    found = compared([[0.0, 0.0], [0.0, 0.5]], np.zeros((2, 2)))
    assert (found["violations"], found["max_abs"], found["worst"]) == (1, 0.5, "[1, 1]")


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
    assert compared(measured, declared, atol=0.5)["violations"] == violations


def test_relative_tolerance_is_of_the_declared_value() -> None:
    assert compared([101.0], [100.0], atol=0.0, rtol=0.01)["violations"] == 0
    assert compared([100.0], [101.5], atol=0.0, rtol=0.01)["violations"] == 1


def test_infinite_difference_is_plain_json() -> None:
    assert compared([np.inf], [0.0])["max_abs"] == "inf"


def test_infinite_declaration_is_met_by_nothing_else() -> None:
    assert compared([0.0, 5.0], [np.inf, -np.inf], atol=1.0, rtol=1.0)["violations"] == 2


def test_scale_is_the_largest_finite_declared_value() -> None:
    assert compared([1.0], [-3.0])["scale"] == 3.0
    assert compared([np.inf, 1.0], [np.inf, 1.0])["scale"] == 1.0
    assert compared(["cat"], ["cat"])["scale"] == 0.0


def test_texts_are_compared_by_equality() -> None:
    found = compared(["cat", "dog"], ["cat", "cow"])
    assert (found["violations"], found["worst"]) == (1, "[1]")


def test_shards_add_up() -> None:
    comparison = OutputComparison(OutputTolerance(0.1, 0.0))
    comparison.add("y", "first.npz", np.array([0.3]), np.array([0.0]))
    comparison.add("y", "second.npz", np.array([0.9]), np.array([0.0]))
    found = comparison.to_json()["y"]
    assert (found["file"], found["values"], found["violations"]) == ("second.npz", 2, 2)


def test_empty_output_is_no_violation() -> None:
    assert compared(np.zeros((0, 3)), np.zeros((0, 3)))["violations"] == 0


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
    assert compared(measured, declared)["violations"] == 1
    assert compared(measured, measured)["violations"] == 0
