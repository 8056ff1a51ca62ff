"""Mean average precision against worked examples."""

import numpy as np
import pytest

from conformance.metrics import metric, metric_class
from conformance.metrics.uncertainty import paired_interval
from conformance.verdicts import ConformanceError
from tests.metrics.cases import boxes_case, measured

KIND = "mean-average-precision"
BOX = [0.0, 0.0, 10.0, 10.0]
FAR = [50.0, 50.0, 60.0, 60.0]
HALF = [0.0, 0.0, 10.0, 5.0]  # overlaps BOX by 1/2


def found(boxes, scores, labels, targets, target_labels, **args):
    return measured(
        KIND,
        args,
        boxes=[boxes],
        scores=[scores],
        labels=[labels],
        target_boxes=[targets],
        target_labels=[target_labels],
    )


def test_perfect_boxes_have_full_precision():
    result = found([BOX, FAR], [0.9, 0.8], [0, 1], [BOX, FAR], [0, 1])
    assert result.value == pytest.approx(1)
    assert result.details["per_class"] == {"0": pytest.approx(1), "1": pytest.approx(1)}


def test_a_wrong_box_ranked_first_halves_precision():
    assert found([FAR, BOX], [0.9, 0.8], [0, 0], [BOX], [0]).value == pytest.approx(0.5)


def test_a_wrong_box_ranked_last_costs_nothing():
    assert found([FAR, BOX], [0.1, 0.8], [0, 0], [BOX], [0]).value == pytest.approx(1)


def test_half_the_targets_found_is_about_half_of_the_recall_levels():
    value = found([BOX], [0.9], [0], [BOX, FAR], [0, 0]).value
    assert value == pytest.approx(51 / 101)  # recall 0, 0.01, ... 0.5


def test_a_box_counts_from_its_overlap_on():
    result = found([HALF], [0.9], [0], [BOX], [0])
    assert result.details["per_threshold"]["0.5"] == pytest.approx(1)
    assert result.details["per_threshold"]["0.55"] == 0
    assert result.value == pytest.approx(0.1)
    assert found([HALF], [0.9], [0], [BOX], [0], iou_thresholds=[0.4]).value == pytest.approx(1)


@pytest.mark.parametrize(
    ("box_format", "box", "target"),
    [
        ("xyxy", [3, 5, 15, 29], [2, 4, 12, 24]),
        ("xywh", [3, 5, 12, 24], [2, 4, 10, 20]),
        ("cxcywh", [9, 17, 12, 24], [7, 14, 10, 20]),
    ],
)
def test_box_formats_mean_the_same(box_format, box, target):
    result = found([box], [0.9], [0], [target], [0], box_format=box_format)
    assert result.value == pytest.approx(0.1)  # they overlap by 171 / 317


@pytest.mark.parametrize("thin", [[-1, 0], [0, -1], [0, 0], [5, 0], [0, 5]], ids=str)
def test_a_box_without_area_is_a_wrong_box(thin):
    boxes = [[20, 20, *thin], BOX]
    assert found(boxes, [0.9, 0.8], [0, 0], [BOX], [0], box_format="xywh").value == 0.5


def test_a_box_is_found_in_its_own_item_only():
    result = measured(
        KIND,
        boxes=[[BOX], [FAR], [BOX]],
        scores=[[0.9], [0.7], [0.8]],
        labels=[[3], [3], [3]],
        target_boxes=[[BOX], [BOX], [FAR]],
        target_labels=[[3], [3], [-1]],
    )
    # Right, wrong, wrong: precision 1 up to recall 0.5.
    assert result.value == pytest.approx(51 / 101)
    assert (result.details["boxes"], result.details["target_boxes"]) == (3, 2)
    assert result.counted == {"target boxes": 2}


@pytest.mark.parametrize(
    ("size", "value"), [([-0.5, 1], 1), ([1, -0.5], 1), ([-0.5, -0.5], 0.5)], ids=str
)
def test_a_box_of_negative_area_is_left_out_as_coco_does(size, value):
    boxes = [[20, 20, *size], BOX]
    result = found(boxes, [0.9, 0.8], [0, 0], [BOX], [0], box_format="xywh")
    assert result.value == pytest.approx(value)


@pytest.mark.parametrize(
    ("wrong", "args", "value"),
    [(99, {}, 1 / 100), (100, {}, 0), (1, {"max_detections": 1}, 0), (0, {"max_detections": 1}, 1)],
)
def test_only_so_many_boxes_count(wrong, args, value):
    boxes, scores = [FAR] * wrong + [BOX], [0.9] * wrong + [0.8]
    result = found(boxes, scores, [0] * len(boxes), [BOX], [0], **args)
    assert result.value == pytest.approx(value)


@pytest.mark.parametrize(
    "args", [{"iou_thresholds": [0]}, {"iou_thresholds": [1.01]}, {"max_detections": 0}], ids=str
)
def test_arguments_without_a_meaning_are_refused(args):
    with pytest.raises(ConformanceError, match="is not allowed"):
        metric(KIND, args)


@pytest.mark.parametrize("threshold", [1e-3, 1])
def test_an_overlap_may_be_asked_for_between_0_and_1(threshold):
    result = found([BOX], [0.9], [0], [BOX], [0], iou_thresholds=[threshold])
    assert result.value == pytest.approx(1)


def test_one_target_box_is_the_least():
    assert [(count.noun, count.least) for count in metric_class(KIND).counts] == [
        ("target boxes", 1)
    ]


@pytest.mark.parametrize(
    "box",
    [[0, 0, 0.5, 0.5], [-5, -6, -1, -2], [3, 3, 3, 5]],
    ids=["normalised", "negative-corner", "without-width"],
)
def test_a_target_box_may_be_small_or_outside(box):
    assert found([BOX], [0.9], [0], [BOX, box], [0, 0]).value == pytest.approx(51 / 101)


@pytest.mark.parametrize("size", [[-0.5, 9], [9, -0.5]], ids=["width", "height"])
def test_target_boxes_of_negative_size_are_counted_and_refused(size):
    targets = np.array([[[1, 1, *size]] * 3 + [[1, 1, 1, 1]]], float)
    with pytest.raises(ConformanceError, match="negative width or height") as caught:
        found([BOX], [0.9], [0], targets[0], [0] * 4, box_format="xywh")
    assert caught.value.expected == "boxes in the format xywh"
    assert caught.value.found == "3 such boxes"
    assert found([BOX], [0.9], [0], targets[0], [-1] * 3 + [0], box_format="xywh").value == 0


def test_padding_does_not_count():
    nan = [np.nan] * 4
    padded = found([BOX, nan], [0.9, np.nan], [0, -1], [BOX, [0] * 4], [0, -1])
    assert padded.value == pytest.approx(1)
    assert padded.details["boxes"] == padded.details["target_boxes"] == 1


def test_classes_without_targets_do_not_count():
    assert found([BOX, FAR], [0.9, 0.9], [0, 7], [BOX], [0]).value == pytest.approx(1)


def test_no_boxes_found_is_zero_and_nothing_to_find_is_no_value():
    assert found([BOX], [0.9], [-1], [BOX], [0]).value == 0
    nothing = found([BOX], [0.9], [0], [BOX], [-1])
    assert np.isnan(nothing.value)
    assert nothing.details["target_boxes"] == 0


def test_batches_may_be_padded_to_different_lengths():
    made = metric(KIND, {})
    for boxes in ([BOX], [BOX, FAR]):
        ids = np.arange(len(boxes))[None]
        array = np.array([boxes])
        made.update(
            {
                "boxes": array,
                "scores": np.ones(ids.shape),
                "labels": ids,
                "target_boxes": array,
                "target_labels": ids,
            }
        )
    assert made.result().items == 2
    assert made.result().value == pytest.approx(1)


def test_a_box_that_is_not_finite_makes_the_value_nan():
    result = found([[0, 0, np.inf, 1]], [np.nan], [0], [BOX], [0])
    assert np.isnan(result.value)
    assert result.details["non_finite_values"] == 2


def test_there_is_no_interval_and_the_details_say_why():
    result = found([BOX], [0.9], [0], [BOX], [0])
    assert result.statistics is None
    assert "not a sum over items" in result.details["no_interval"]
    rows = np.ones((30, 1))
    with pytest.raises(TypeError, match="not a function of sums"):
        paired_interval(metric(KIND, {}), rows, rows + np.arange(30)[:, None])


def test_nothing_is_printed(capsys):
    found([BOX], [0.9], [0], [BOX], [0])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("role", "array", "message"),
    [
        ("boxes", np.ones((2, 2, 5)), "boxes does not hold boxes"),
        ("boxes", np.ones((2, 2, 4, 4)), "boxes does not hold boxes"),
        ("target_boxes", np.ones((2, 4)), "target_boxes does not hold boxes"),
        ("scores", np.ones((2, 3)), "scores does not have one entry per box"),
        ("labels", np.ones((2, 2)), "labels does not have one entry per box"),
        ("target_labels", np.ones((2, 1), int), "target_labels does not have one entry per box"),
        ("target_boxes", np.full((2, 2, 4), np.nan), "target_boxes holds NaN"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(role, array, message):
    case = boxes_case()
    with pytest.raises(ConformanceError, match=message) as caught:
        metric(case.kind, case.args).update({**case.values, role: array})
    assert caught.value.where.element == f"role {role}"
    assert caught.value.found
    assert caught.value.fix


@pytest.mark.parametrize(
    ("role", "expected"),
    [("scores", "numbers"), ("labels", "integers"), ("target_labels", "integers")],
)
def test_each_box_needs_a_score_and_a_label(role, expected):
    case = boxes_case()
    values = {**case.values, role: np.ones((2, 3), int)}
    with pytest.raises(ConformanceError) as caught:
        metric(case.kind, case.args).update(values)
    assert caught.value.expected == f"{expected} of shape (2, 2)"
    assert caught.value.found.endswith("of shape (2, 3)")
