"""Metrics of classes against scikit-learn, torchmetrics and worked examples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from conformance.metrics import metric, metric_class
from conformance.verdicts import ConformanceError
from tests.metrics.cases import measured

RNG = np.random.default_rng(3)
SCORES = RNG.normal(size=(200, 6)).astype(np.float32)
TARGET = np.where(RNG.uniform(size=200) < 0.5, SCORES.argmax(1), RNG.integers(0, 6, 200))
PREDICTED = SCORES.argmax(1)


def refused(kind, args=None, **values) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        measured(kind, args, **values)
    return caught.value


@pytest.mark.parametrize("k", [1, 2, 5])
def test_top_k_accuracy_agrees_with_scikit_learn(k):
    expected = sklearn_metrics.top_k_accuracy_score(TARGET, SCORES, k=k, labels=range(6))
    assert measured("top-k-accuracy", {"k": k}, prediction=SCORES, target=TARGET).value == expected


@pytest.mark.parametrize(("k", "value"), [(1, 0.5), (2, 1.0)])
def test_of_equal_scores_the_lower_class_comes_first(k, value):
    tie = np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    assert measured("top-k-accuracy", {"k": k}, prediction=tie, target=[0, 1]).value == value


@pytest.mark.parametrize(
    ("prediction", "target"),
    [
        (SCORES, np.eye(6)[TARGET]),
        (SCORES, np.eye(6, dtype=np.int32)[TARGET]),
        (SCORES, TARGET[:, None]),
        (SCORES, TARGET.astype(np.uint8)),
        (SCORES.astype(np.float16).astype(np.float64), TARGET),
        (SCORES[:, :, None], TARGET[:, None]),
        (PREDICTED, TARGET),
        (PREDICTED[:, None], TARGET[:, None]),
    ],
    ids=["one-hot-float", "one-hot-int", "column", "uint8", "half", "spatial", "ids", "id-column"],
)
def test_accuracy_takes_targets_in_any_usual_form(prediction, target):
    found = measured("top-k-accuracy", prediction=prediction, target=target)
    assert found.value == (PREDICTED == TARGET).mean()


@pytest.mark.parametrize("shape", [(6, 1, 1), (1, 6, 1), (1, 1, 6)])
def test_scores_may_have_axes_of_length_one(shape):
    args = {"k": 3, "class_axis": 1 + shape.index(6)}
    values = {"prediction": SCORES.reshape(-1, *shape), "target": TARGET.reshape(-1, 1, 1)}
    found = measured("top-k-accuracy", args, **values)
    plain = measured("top-k-accuracy", {"k": 3}, prediction=SCORES, target=TARGET)
    assert found.value == plain.value


def test_accuracy_against_another_network_is_agreement():
    other = SCORES + RNG.normal(size=SCORES.shape)
    found = measured("top-k-accuracy", prediction=SCORES, target=other)
    assert found.value == (other.argmax(1) == PREDICTED).mean()


def test_bfloat16_scores_are_ranked():
    import ml_dtypes

    found = measured(
        "top-k-accuracy", prediction=np.eye(4, dtype=ml_dtypes.bfloat16), target=range(4)
    )
    assert found.value == 1.0


def test_k_beyond_the_classes_is_refused():
    error = refused("top-k-accuracy", {"k": 7}, prediction=SCORES, target=TARGET)
    assert "k is 7" in error.message
    assert "(200, 6)" in error.found
    assert "Lower 'k'" in error.mend


@pytest.mark.parametrize("k", [2, 6])
def test_k_of_all_classes_is_refused_because_any_guess_is_right(k):
    error = refused("top-k-accuracy", {"k": k}, prediction=SCORES[:, :k], target=TARGET % k)
    assert "any guess is right" in error.message
    assert error.expected == f"more than {k} scores per item"


def test_k_of_class_ids_is_refused():
    assert "k is 2" in refused("top-k-accuracy", {"k": 2}, prediction=[1], target=[1]).message


def test_accuracy_of_many_positions_is_refused():
    error = refused("top-k-accuracy", prediction=np.zeros((3, 4, 5)), target=np.zeros((3, 5), int))
    assert "one class per item" in error.message
    assert "f1" in error.mend


def test_target_classes_that_do_not_exist_are_counted_and_placed():
    target = TARGET.copy()
    target[[5, 9]] = 6
    error = refused("top-k-accuracy", prediction=SCORES, target=target)
    assert error.where.element == "role target"
    assert error.expected == "ids from 0 to 5"
    assert "2 others, the first is 6 in item 5" in error.found


def test_a_single_score_is_not_a_choice_of_classes():
    error = refused("top-k-accuracy", prediction=np.ones((3, 1)), target=np.ones((3, 1), int))
    assert "does not count classes" in error.message


def test_several_classes_per_item_are_refused():
    error = refused("top-k-accuracy", prediction=np.ones((2, 3)), target=[[1, 1, 0], [0, 1, 0]])
    assert "not one-hot" in error.message


def test_float_targets_are_refused_as_ids():
    error = refused("top-k-accuracy", prediction=SCORES, target=TARGET.astype(float))
    assert "does not hold class ids" in error.message
    assert error.mend == "Store 'target' as int64."


def test_shapes_that_do_not_fit_are_both_named():
    error = refused("f1", prediction=np.zeros((4, 6, 3)), target=np.zeros((4, 2), int))
    assert "(4, 6, 3)" in error.expected
    assert "(4, 2)" in error.found


def test_exact_match_compares_whole_texts():
    found = measured("exact-match", prediction=["a b", "c", "é"], target=["a b", "C", "é"])
    assert found.value == pytest.approx(2 / 3)
    assert found.statistics.tolist() == [[1, 1], [0, 1], [1, 1]]


def test_exact_match_takes_bytes_as_utf8():
    prediction = np.array(["é".encode(), b"x"], dtype=object)
    assert measured("exact-match", prediction=prediction, target=["é", "y"]).value == 0.5


def test_exact_match_of_token_ids_needs_every_position():
    assert (
        measured("exact-match", prediction=[[1, 2], [3, 4]], target=[[1, 2], [3, 5]]).value == 0.5
    )


def test_exact_match_refuses_floats_and_bytes_that_are_no_text():
    assert "floating-point" in refused("exact-match", prediction=[1.0], target=[1.0]).message
    bad = np.array([b"\xff"], dtype=object)
    assert "does not hold text" in refused("exact-match", prediction=bad, target=["a"]).message


@pytest.mark.parametrize(
    ("prediction", "target", "role"),
    [([1, 2], ["1", "2"], "prediction"), (["1", "2"], [1, 2], "target")],
    ids=["numbers-against-texts", "texts-against-numbers"],
)
def test_exact_match_does_not_compare_numbers_with_texts(prediction, target, role):
    error = refused("exact-match", prediction=prediction, target=target)
    assert error.message == f"{role} does not hold text"


@pytest.mark.parametrize(("target", "answers"), [(["a", "a"], 1), (["a", "b"], 2), (["b"], 1)])
def test_exact_match_needs_two_answers_that_differ(target, answers):
    (least,) = metric_class("exact-match").counts
    assert least.least == 2
    found = measured("exact-match", prediction=target, target=target)
    assert found.counted == {least.noun: answers}


def test_only_metrics_of_right_and_wrong_are_binary():
    kinds = ("top-k-accuracy", "exact-match", "f1", "mse")
    assert [metric_class(kind).binary for kind in kinds] == [True, True, False, False]


SKLEARN = {
    "precision": sklearn_metrics.precision_score,
    "recall": sklearn_metrics.recall_score,
    "f1": sklearn_metrics.f1_score,
}


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("kind", SKLEARN)
@settings(max_examples=25, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30),
)
def test_averages_agree_with_scikit_learn(kind, average, pairs):
    prediction, target = np.array(pairs).T
    expected = SKLEARN[kind](target, prediction, average=average, zero_division=0)
    found = measured(
        kind, {"average": average, "num_classes": 5}, prediction=prediction, target=target
    )
    assert found.value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize("kind", SKLEARN)
def test_averages_agree_with_torchmetrics(kind, average):
    import torch
    from torchmetrics.functional import classification

    name = f"multiclass_{'f1_score' if kind == 'f1' else kind}"
    expected = getattr(classification, name)(
        torch.tensor(PREDICTED), torch.tensor(TARGET), 6, average=average, ignore_index=2
    )
    args = {"average": average, "ignore_index": 2}
    found = measured(kind, args, prediction=SCORES, target=TARGET)
    assert found.value == pytest.approx(float(expected), abs=1e-6)


@pytest.mark.parametrize("kind", SKLEARN)
def test_binary_average_judges_class_one_from_a_threshold(kind):
    scores, target = RNG.uniform(size=90), RNG.integers(0, 2, 90)
    expected = SKLEARN[kind](target, scores >= 0.3)
    found = measured(
        kind, {"average": "binary", "threshold": 0.3}, prediction=scores, target=target
    )
    assert found.value == pytest.approx(expected)
    column = measured(
        kind,
        {"average": "binary", "threshold": 0.3},
        prediction=scores[:, None],
        target=target[:, None],
    )
    assert column.value == found.value


def test_binary_average_takes_two_scores():
    scores = np.array([[0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    found = measured("precision", {"average": "binary"}, prediction=scores, target=[1, 0, 0])
    assert found.value == 0.5


def test_nothing_predicted_counts_as_zero_precision():
    found = measured("precision", {"average": "binary"}, prediction=[0, 0], target=[1, 0])
    assert found.value == 0.0


def test_details_give_each_class_and_none_for_absent_ones():
    found = measured("recall", {"num_classes": 3}, prediction=[0, 0, 1], target=[0, 1, 1])
    assert found.details == {"per_class": [1.0, 0.5, None], "support": [1, 2, 0]}
    assert found.value == 0.75


def test_class_ids_need_the_number_of_classes():
    error = refused("f1", prediction=[0, 1], target=[0, 1])
    assert error.where.element == "args.num_classes"
    assert "Add 'num_classes'" in error.mend


def test_a_class_axis_of_another_length_is_refused():
    error = refused("f1", {"num_classes": 5}, prediction=SCORES, target=TARGET)
    assert error.expected.startswith("5 classes")
    assert error.found == "6 classes"


def test_the_class_axis_can_be_the_last():
    scores = RNG.normal(size=(8, 4, 3))
    ids = RNG.integers(0, 3, (8, 4))
    last = measured("f1", {"class_axis": -1}, prediction=scores, target=ids)
    second = measured("f1", prediction=scores.transpose(0, 2, 1), target=ids)
    assert last.value == second.value


def test_the_class_axis_cannot_be_the_items():
    error = refused("f1", {"class_axis": 0}, prediction=SCORES, target=TARGET)
    assert "axis 0 of prediction does not count classes" in error.message


def test_a_worked_confusion_matrix():
    found = measured(
        "confusion-matrix", {"num_classes": 3}, prediction=[0, 0, 2, 1, 2], target=[0, 1, 2, 1, 0]
    )
    assert found.details["matrix"] == [[1, 0, 1], [1, 1, 0], [0, 0, 1]]
    assert found.value == 3 / 5


def test_confusion_matrix_agrees_with_scikit_learn_over_batches():
    made = metric("confusion-matrix", {})
    for part in (slice(0, 70), slice(70, 200)):
        made.update({"prediction": SCORES[part], "target": TARGET[part]})
    expected = sklearn_metrics.confusion_matrix(TARGET, PREDICTED)
    assert made.result().details["matrix"] == expected.tolist()


def test_a_huge_confusion_matrix_is_left_out():
    found = measured("confusion-matrix", {"num_classes": 5000}, prediction=[4999], target=[4999])
    assert found.value == 1.0
    assert found.details == {}


def test_mean_iou_of_a_worked_segmentation():
    target = np.array([[[0, 0], [1, 1]]])
    prediction = np.array([[[0, 1], [1, 1]]])
    found = measured("mean-iou", {"num_classes": 3}, prediction=prediction, target=target)
    assert found.value == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_mean_iou_agrees_with_torchmetrics():
    import torch
    from torchmetrics.functional.classification import multiclass_jaccard_index

    scores = RNG.normal(size=(5, 4, 9, 7)).astype(np.float32)
    target = RNG.integers(0, 4, (5, 9, 7))
    target[:, :2] = 255
    expected = multiclass_jaccard_index(
        torch.tensor(scores.argmax(1)), torch.tensor(target), 4, ignore_index=255
    )
    found = measured("mean-iou", {"ignore_index": 255}, prediction=scores, target=target)
    assert found.value == pytest.approx(float(expected), abs=1e-6)


def test_everything_ignored_is_no_value():
    found = measured(
        "mean-iou", {"ignore_index": 1, "num_classes": 2}, prediction=[[0]], target=[[1]]
    )
    assert np.isnan(found.value)


def test_predicted_ids_that_do_not_exist_are_refused():
    error = refused("mean-iou", {"num_classes": 2}, prediction=[[0, 2]], target=[[0, 1]])
    assert error.where.element == "role prediction"
    assert error.expected == "ids from 0 to 1"
