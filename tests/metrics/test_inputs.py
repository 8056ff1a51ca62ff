"""Arrays that a metric cannot compute with are refused, by any kind in the same way."""

import ml_dtypes
import numpy as np
import pytest

from conformance.metrics import metric, metric_class
from conformance.verdicts import ConformanceError
from tests.metrics.cases import measured


def refused(kind, **values) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        metric(kind, {}).update({role: np.asarray(array) for role, array in values.items()})
    return caught.value


@pytest.mark.parametrize(
    ("values", "missing", "found"),
    [
        ({}, "prediction", "arrays for nothing"),
        ({"prediction": [1.0]}, "target", "arrays for prediction"),
        ({"target": [1.0], "scores": [1.0]}, "prediction", "arrays for target, scores"),
    ],
)
def test_a_missing_role_is_named_with_those_there_are(values, missing, found):
    error = refused("mse", **values)
    assert error.where.element == f"role {missing}"
    assert error.message == "metric kind 'mse' got no array for a role"
    assert error.expected == "arrays for prediction, target"
    assert error.found == found
    assert f"Bind {missing!r}" in error.fix


def test_an_array_of_other_items_is_named():
    error = refused("mse", prediction=np.ones((3, 2)), target=np.ones((2, 2)))
    assert error.where.element == "role target"
    assert error.message == "prediction and target do not have the same number of items"
    assert error.expected == "3 items along axis 0, as in prediction"
    assert error.found == "float64 of shape (2, 2)"


@pytest.mark.parametrize("nothing", [np.ones((0, 2)), np.float64(1)], ids=["no-items", "no-axis"])
def test_no_items_are_refused(nothing):
    error = refused("mse", prediction=nothing, target=nothing)
    assert "no items at all" in error.message
    assert (error.expected, error.found) == ("at least 1 item", "0 items")


def test_one_item_is_enough():
    assert measured("mse", prediction=[3.0], target=[1.0]).value == 4


@pytest.mark.parametrize(
    "target", [np.ones((2, 4)), np.ones((2, 3, 1)), np.ones(2)], ids=["length", "axis", "flat"]
)
def test_arrays_of_different_shapes_are_refused(target):
    error = refused("mse", prediction=np.ones((2, 3)), target=target)
    assert error.where.element == "role target"
    assert error.expected == "shape (2, 3), as prediction"
    assert error.found == f"float64 of shape {target.shape}"


def test_items_without_values_are_refused():
    error = refused("mse", prediction=np.ones((2, 0)), target=np.ones((2, 0)))
    assert error.where.element == "role prediction"
    assert error.message == "prediction holds no values"
    assert error.found == "float64 of shape (2, 0)"


@pytest.mark.parametrize(
    "dtype", ["int8", "uint8", "bool", "float16", ml_dtypes.bfloat16, ml_dtypes.float8_e5m2]
)
def test_numbers_of_any_real_type_are_compared_as_they_are(dtype):
    found = measured("mse", prediction=np.array([[1, 0]], dtype), target=np.array([[0, 0]], dtype))
    assert found.value == 0.5


@pytest.mark.parametrize("bad", [np.array([1j]), np.array(["1"])], ids=["complex", "text"])
@pytest.mark.parametrize("role", ["prediction", "target"])
def test_what_is_no_real_number_is_refused(role, bad):
    error = refused("mse", **{"prediction": [1.0], "target": [1.0], role: bad})
    assert error.where.element == f"role {role}"
    assert error.message == f"{role} does not hold real numbers"
    assert error.found == f"{bad.dtype.name} of shape (1,)"


@pytest.mark.parametrize("dtype", ["float16", "float64", ml_dtypes.bfloat16])
def test_values_that_are_not_finite_are_counted_by_item(dtype):
    bad = np.array([[[1, np.nan], [np.inf, 1]], [[1, 1], [1, 1]], [[1, 1], [1, -np.inf]]], dtype)
    found = measured("mse", prediction=bad, target=np.ones((3, 2, 2)))
    assert np.isnan(found.value)
    assert found.details == {"non_finite_items": 2, "non_finite_values": 3}
    assert np.isnan(found.statistics).all(axis=1).tolist() == [True, False, True]


def test_the_prediction_itself_stays_as_it_is():
    prediction = np.array([[np.nan, 1.0]])
    measured("mse", prediction=prediction, target=[[1.0, 1.0]])
    assert np.isnan(prediction[0, 0])


@pytest.mark.parametrize("ours", [1.0, np.nan], ids=["finite", "nan"])
def test_a_target_that_is_not_finite_is_an_error_of_the_vectors(ours):
    target = [[np.nan, 1.0], [-np.inf, np.inf]]
    error = refused("mse", prediction=np.full((2, 2), ours), target=target)
    assert error.where.element == "role target"
    assert error.message == "target holds NaN or infinity"
    assert error.found == "3 values that are NaN or infinite"
    assert "reference vectors" in error.fix


def test_texts_may_be_bytes_in_utf_8():
    ours = np.array([["é".encode(), "b"], [b"x", "y"]], dtype=object)
    found = measured("exact-match", prediction=ours, target=[["é", "b"], ["x", "z"]])
    assert found.statistics.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("bad", [b"\xff", 7, None], ids=["not-utf-8", "number", "nothing"])
def test_what_is_no_text_is_named_with_its_place(bad):
    ours = np.array([["a", "b"], ["c", bad]], dtype=object)
    error = refused("exact-match", prediction=ours, target=np.full((2, 2), "a"))
    assert error.where.element == "role prediction"
    assert error.message == "prediction does not hold text"
    assert error.found == f"object of shape (2, 2) with {type(bad).__name__} at (1, 1)"


def test_words_are_between_white_space_and_token_ids_are_words():
    found = measured("bleu", {"n_gram": 1}, prediction=[" a\tb\n c "], target=["a b  c"])
    assert found.details == {"words": 3, "reference_words": 3}
    ids = measured(
        "bleu", {"n_gram": 1, "ignore_index": 0}, prediction=[[5, 0, 7]], target=[[7, 5, 5]]
    )
    assert ids.statistics.tolist() == [[2, 2, 2, 3]]
    every = measured("bleu", {"n_gram": 1}, prediction=[[0, 5]], target=[[0, 5]])
    assert every.details == {"words": 2, "reference_words": 2}


@pytest.mark.parametrize("kind", ["mse", "mae"])
def test_the_least_is_two_values(kind):
    assert [(count.noun, count.least) for count in metric_class(kind).counts] == [("values", 2)]
