"""Metrics of classes by worked examples."""

import numpy as np
import pytest

from conformance.metrics import metric, metric_class
from conformance.metrics.class_counts import ClassCounts
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


@pytest.mark.parametrize(("k", "value"), [(1, 0.5), (2, 1.0)])
def test_of_equal_scores_the_lower_class_comes_first(k, value):
    tie = np.array([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
    assert measured("top-k-accuracy", {"k": k}, prediction=tie, target=[0, 1]).value == value


@pytest.mark.parametrize(("k", "value"), [(1, 0.25), (2, 0.5), (3, 0.75)])
def test_the_class_may_be_among_the_k_highest(k, value):
    scores = [[0.4, 0.3, 0.2, 0.1]] * 4
    assert measured("top-k-accuracy", {"k": k}, prediction=scores, target=range(4)).value == value


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
    assert "Lower 'k'" in error.fix


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
    assert "f1" in error.fix


@pytest.mark.parametrize("absent", [-1, 6])
def test_target_classes_that_do_not_exist_are_counted_and_placed(absent):
    target = TARGET.copy()
    target[[5, 9]] = absent, 3 * absent
    error = refused("top-k-accuracy", prediction=SCORES, target=target)
    assert error.where.element == "role target"
    assert error.expected == "ids from 0 to 5"
    assert error.found == f"2 others, the first is {absent} in item 5"


def test_a_single_score_is_not_a_choice_of_classes():
    error = refused("top-k-accuracy", prediction=np.ones((3, 1)), target=np.ones((3, 1), int))
    assert "does not count classes" in error.message


@pytest.mark.parametrize(
    "target",
    [[[1, 1, 0], [0, 1, 0]], [[0, 0, 0], [0, 1, 0]], [[2, 0, 0], [0, 1, 0]], [[2, -1, 0]] * 2],
    ids=["two", "none", "twice", "negative"],
)
def test_a_target_that_is_not_one_class_per_item_is_refused(target):
    error = refused("top-k-accuracy", prediction=np.ones((2, 3)), target=target)
    assert "not one-hot" in error.message
    assert error.expected == "along axis 1 a single 1 and otherwise 0"
    assert error.found == "int64 of shape (2, 3)"


@pytest.mark.parametrize("dtype", [np.float32, np.bool_])
def test_ones_and_zeros_of_any_type_must_be_one_hot(dtype):
    target = np.array([[1, 1, 0], [0, 1, 0]], dtype)
    error = refused("f1", {"class_axis": -1}, prediction=np.ones((2, 3)), target=target)
    assert "not one-hot" in error.message
    one_hot = np.array([[1, 0, 0], [0, 1, 0]], dtype)
    assert measured("f1", prediction=np.eye(3)[:2], target=one_hot).value == 1


def test_float_targets_are_refused_as_ids():
    error = refused("top-k-accuracy", prediction=SCORES, target=TARGET.astype(float))
    assert "does not hold class ids" in error.message
    assert error.fix == "Store 'target' as int64."


@pytest.mark.parametrize("shape", [(4, 2), (4, 1), (4, 1, 3), (4, 3, 2)])
def test_shapes_that_do_not_fit_are_both_named(shape):
    error = refused("f1", prediction=np.zeros((4, 6, 3)), target=np.zeros(shape, int))
    assert error.where.element == "role target"
    assert error.expected.endswith("prediction is float64 of shape (4, 6, 3)")
    assert error.found == f"int64 of shape {shape}"


def test_class_ids_have_the_shape_of_their_targets():
    error = refused("f1", {"num_classes": 2}, prediction=[0, 1], target=[[0], [1]])
    assert error.where.element == "role target"
    assert error.message == "prediction and target do not fit together"


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 1)])
def test_targets_may_have_an_axis_of_length_one_at_the_end(shape):
    ids = RNG.integers(0, 6, (4, 3))
    scores = np.eye(6)[ids].transpose(0, 2, 1)
    found = measured("confusion-matrix", prediction=scores, target=ids.reshape(shape))
    assert found.statistics.tolist() == [[3, 3]] * 4


def test_numbers_that_no_class_axis_makes_scores_are_refused():
    error = refused("f1", {"num_classes": 2}, prediction=[0.2, 0.8], target=[0, 1])
    assert error.where.element == "role prediction"
    assert error.message == "prediction does not hold class ids"
    assert error.expected == "an integer dtype"
    assert error.found == "float64 of shape (2,)"


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


# Of classes 0, 1, 2 there are 1, 1, 2 true positives, 1, 0, 3 false positives and 2, 2, 0 false
# negatives; 3 does not occur.
PREDICTION, TRUE = [0, 0, 1, 2, 2, 2, 2, 2], [0, 1, 1, 2, 2, 0, 0, 1]
OF_EACH = {
    "precision": [1 / 2, 1, 2 / 5],
    "recall": [1 / 3, 1 / 3, 1],
    "f1": [2 / 5, 1 / 2, 4 / 7],
    "mean-iou": [1 / 4, 1 / 3, 2 / 5],
}
AVERAGES = ("precision", "recall", "f1")


@pytest.mark.parametrize("kind", OF_EACH)
def test_by_default_every_class_that_occurs_has_the_same_weight(kind):
    found = measured(kind, {"num_classes": 4}, prediction=PREDICTION, target=TRUE)
    assert found.value == pytest.approx(sum(OF_EACH[kind]) / 3)
    assert found.details["per_class"] == [*map(pytest.approx, OF_EACH[kind]), None]
    assert found.details["support"] == [3, 3, 2, 0]


def test_a_class_that_was_only_predicted_once_occurs():
    found = measured("recall", {"num_classes": 3}, prediction=[0, 1], target=[0, 0])
    assert found.details == {"per_class": [0.5, 0.0, None], "support": [2, 0, 0]}


def test_a_metric_of_counts_must_say_what_comes_of_them():
    with pytest.raises(TypeError, match="per_class"):
        ClassCounts(num_classes=2, class_axis=1, ignore_index=None)


@pytest.mark.parametrize("kind", AVERAGES)
def test_a_weighted_average_counts_a_class_as_often_as_it_is_the_target(kind):
    args = {"num_classes": 4, "average": "weighted"}
    found = measured(kind, args, prediction=PREDICTION, target=TRUE)
    assert found.value == pytest.approx(np.dot(OF_EACH[kind], [3, 3, 2]) / 8)


@pytest.mark.parametrize("kind", AVERAGES)
def test_a_micro_average_pools_all_classes(kind):
    args = {"num_classes": 4, "average": "micro"}
    assert measured(kind, args, prediction=PREDICTION, target=TRUE).value == 4 / 8


def test_outcomes_are_counted_for_each_item_and_class():
    found = measured(
        "f1",
        {"num_classes": 2, "ignore_index": 9},
        prediction=[[0, 1, 1], [1, 1, 0]],
        target=[[0, 1, 0], [0, 1, 9]],
    )
    assert found.statistics.tolist() == [[1, 1, 0, 1, 1, 0], [0, 1, 0, 1, 1, 0]]


@pytest.mark.parametrize("kind", [*OF_EACH, "confusion-matrix"])
def test_the_least_is_two_positions_of_two_classes(kind):
    assert {count.noun: count.least for count in metric_class(kind).counts} == {
        "positions": 2,
        "classes": 2,
    }
    args = {"num_classes": 3, "ignore_index": 9}
    found = measured(kind, args, prediction=[[0, 1], [2, 2]], target=[[0, 1], [9, 1]])
    assert found.counted == {"positions": 3, "classes": 2}


@pytest.mark.parametrize(("args", "positives"), [({}, 2), ({"threshold": 0.75}, 1)])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_a_single_score_is_of_class_one_from_the_threshold_on(args, positives, shape):
    found = measured(
        "precision",
        {"average": "binary", **args},
        prediction=np.reshape([0.25, 0.5, 0.75, 0.25], shape),
        target=np.reshape([0, 0, 1, 0], shape),
    )
    assert found.value == 1 / positives


def test_two_items_are_not_two_scores():
    found = measured("precision", {"average": "binary"}, prediction=[0.9, 0.8], target=[1, 0])
    assert found.value == 0.5


def test_scores_of_another_network_have_the_same_threshold():
    found = measured(
        "recall",
        {"average": "binary", "threshold": 0.75},
        prediction=[0.9, 0.1, 0.2, 0.9],
        target=[0.75, 0.7, 0.8, 0.9],
    )
    assert found.value == 2 / 3


def test_only_scores_have_a_threshold():
    args = {"average": "binary", "threshold": 0}
    assert measured("precision", args, prediction=[0, 1, 0], target=[0, 1, 1]).value == 1
    error = refused("precision", args, prediction=[0, 2, 0], target=[0, 1, 1])
    assert error.expected == "ids from 0 to 1"


def test_other_averages_know_no_threshold():
    error = refused("f1", {"num_classes": 2}, prediction=[0.9, 0.1], target=[1, 0])
    assert error.message == "prediction does not hold class ids"


def test_a_binary_average_is_of_two_classes():
    args = {"average": "binary", "num_classes": 2}
    assert measured("recall", args, prediction=[0, 1], target=[0, 1]).value == 1
    with pytest.raises(ConformanceError) as caught:
        metric("recall", {"average": "binary", "num_classes": 3})
    assert caught.value.expected.startswith("2 classes")
    assert caught.value.found == "3 classes"


def test_binary_average_takes_two_scores():
    scores = np.array([[0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    found = measured("precision", {"average": "binary"}, prediction=scores, target=[1, 0, 0])
    assert found.value == 0.5
    other = np.array([[0.1, 0.9], [0.9, 0.1], [0.7, 0.3]])
    agreed = measured("precision", {"average": "binary"}, prediction=scores, target=other)
    assert agreed.value == 0.5


def test_nothing_predicted_counts_as_zero_precision():
    found = measured("precision", {"average": "binary"}, prediction=[0, 0], target=[1, 0])
    assert found.value == 0.0


@pytest.mark.parametrize(
    ("kind", "args", "values"),
    [
        ("precision", {"average": "macro"}, [3 / 4, 1 / 2, 3 / 4]),
        ("precision", {"average": "micro"}, [3 / 4, 2 / 4, 4 / 5]),
        ("recall", {"average": "micro"}, [3 / 4, 1, 4 / 5]),
        ("precision", {"average": "weighted"}, [(1 / 2 + 3) / 4, 1, (4 + 1 / 2) / 5]),
        ("precision", {"average": "binary"}, [1, 0, 1 / 2]),
        ("mean-iou", {}, [(1 / 2 + 2 / 3) / 2, 1 / 2, (3 / 4 + 1 / 2) / 2]),
    ],
    ids=["macro", "micro", "micro-recall", "weighted", "binary", "mean-iou"],
)
def test_many_sums_have_their_values_at_once(kind, args, values):
    # True positives of classes 0 and 1, false positives of both, false negatives of both.
    totals = np.array([[1.0, 2, 1, 0, 0, 1], [2, 0, 0, 2, 0, 0], [3, 1, 0, 1, 1, 0]])
    assert metric(kind, args).finish(totals).tolist() == pytest.approx(values)


def test_many_sums_of_a_confusion_matrix_have_their_values_at_once():
    assert metric("confusion-matrix", {}).finish(np.array([[3.0, 4], [1, 2]])).tolist() == [
        0.75,
        0.5,
    ]


def test_class_ids_need_the_number_of_classes():
    error = refused("f1", prediction=[0, 1], target=[0, 1])
    assert error.where.element == "args.num_classes"
    assert error.message == "metric kind 'f1' cannot know how many classes there are"
    assert "Add 'num_classes'" in error.fix


@pytest.mark.parametrize("classes", [2, 65536])
def test_there_may_be_two_to_65536_classes(classes):
    found = measured("precision", {"num_classes": classes}, prediction=[1], target=[1])
    assert len(found.details["support"]) == classes
    for beyond in (1, 65537):
        with pytest.raises(ConformanceError, match="'num_classes'"):
            metric("precision", {"num_classes": beyond})


def test_batches_must_have_the_same_number_of_classes():
    made = metric("f1", {})
    made.update({"prediction": SCORES, "target": TARGET})
    with pytest.raises(ConformanceError) as caught:
        made.update({"prediction": SCORES[:, :2], "target": TARGET % 2})
    assert (caught.value.expected[:9], caught.value.found) == ("6 classes", "2 classes")


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


@pytest.mark.parametrize("axis", [0, 2, -2, -3])
def test_the_class_axis_must_be_one_other_than_the_items(axis):
    error = refused("f1", {"class_axis": axis}, prediction=SCORES[:6], target=TARGET[:6])
    assert error.message == f"axis {axis} of prediction does not count classes"
    assert error.found == "float32 of shape (6, 6)"


def test_a_worked_confusion_matrix():
    found = measured(
        "confusion-matrix", {"num_classes": 3}, prediction=[0, 0, 2, 1, 2], target=[0, 1, 2, 1, 0]
    )
    assert found.details["matrix"] == [[1, 0, 1], [1, 1, 0], [0, 0, 1]]
    assert found.value == 3 / 5


def test_a_confusion_matrix_is_of_the_positions_that_count_in_all_batches():
    made = metric("confusion-matrix", {"num_classes": 2, "ignore_index": 9})
    made.update({"prediction": np.array([[0, 1], [1, 0]]), "target": np.array([[0, 0], [9, 0]])})
    made.update({"prediction": np.array([[1, 1]]), "target": np.array([[0, 1]])})
    found = made.result()
    assert found.details["matrix"] == [[2, 2], [0, 1]]
    assert found.statistics.tolist() == [[1, 2], [1, 1], [1, 2]]


@pytest.mark.parametrize(("classes", "shown"), [(1000, True), (1001, False)])
def test_a_confusion_matrix_of_more_than_1000_classes_is_left_out(classes, shown):
    found = measured("confusion-matrix", {"num_classes": classes}, prediction=[999], target=[999])
    assert found.value == 1.0
    assert ("matrix" in found.details) == shown


def test_mean_iou_of_a_worked_segmentation():
    target = np.array([[[0, 0], [1, 1]]])
    prediction = np.array([[[0, 1], [1, 1]]])
    found = measured("mean-iou", {"num_classes": 3}, prediction=prediction, target=target)
    assert found.value == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_everything_ignored_is_no_value():
    found = measured(
        "mean-iou", {"ignore_index": 1, "num_classes": 2}, prediction=[[0]], target=[[1]]
    )
    assert np.isnan(found.value)


def test_predicted_ids_that_do_not_exist_are_refused():
    error = refused("mean-iou", {"num_classes": 2}, prediction=[[0, 2]], target=[[0, 1]])
    assert error.where.element == "role prediction"
    assert error.expected == "ids from 0 to 1"
