"""Arguments that do not fit say so."""

import pytest

from conformance.metrics import METRICS, REQUIRED, Arg, Metric, metric, metric_class
from conformance.verdicts import ConformanceError


def refused(kind, args) -> ConformanceError:
    with pytest.raises(ConformanceError) as caught:
        metric(kind, args)
    return caught.value


def test_a_misspelt_argument_gets_the_nearest_name():
    error = refused("psnr", {"data_rnage": 1.0})
    assert "no argument 'data_rnage'" in error.message
    assert error.where.element == "args.data_rnage"
    assert error.expected == "only data_range"
    assert error.fix == "Rename it to 'data_range'."


def test_an_argument_like_no_other_is_to_be_removed():
    error = refused("top-k-accuracy", {"colour": "blue"})
    assert "k, class_axis" in error.expected
    assert error.fix.startswith("Remove 'colour'")


def test_a_kind_without_arguments_says_so():
    assert refused("mse", {"k": 1}).expected == "no arguments"


def test_a_missing_argument_is_named_with_its_meaning():
    error = refused("ssim", {})
    assert "needs the argument 'data_range'" in error.message
    assert error.expected == "data_range: a finite number, greater than 0"
    assert error.found == "nothing"
    assert "greatest possible value" in error.fix


@pytest.mark.parametrize(
    ("kind", "args", "expected"),
    [
        ("top-k-accuracy", {"k": 0}, "an integer, at least 1"),
        ("top-k-accuracy", {"k": 1.5}, "an integer, at least 1"),
        ("top-k-accuracy", {"k": True}, "an integer, at least 1"),
        ("top-k-accuracy", {"k": "1"}, "an integer, at least 1"),
        ("top-k-accuracy", {"k": None}, "an integer, at least 1"),
        ("psnr", {"data_range": 0}, "a finite number, greater than 0"),
        ("psnr", {"data_range": float("inf")}, "a finite number, greater than 0"),
        ("psnr", {"data_range": float("nan")}, "a finite number, greater than 0"),
        ("f1", {"average": "mean"}, "one of macro, micro, weighted, binary"),
        ("f1", {"num_classes": 1}, "an integer, at least 2 and at most 65536"),
        ("bleu", {"smooth": 1}, "true or false"),
        ("kl-divergence", {"inputs": 3}, "one of logits, probabilities"),
        ("mean-average-precision", {"iou_thresholds": []}, "a list of at least one finite number"),
        ("mean-average-precision", {"iou_thresholds": [0.5, 1.5]}, "greater than 0 and at most 1"),
        ("mean-average-precision", {"iou_thresholds": 0.5}, "a list"),
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_refused(kind, args, expected):
    error = refused(kind, args)
    (name,) = args
    assert f"argument {name!r} of metric kind {kind!r}" in error.message
    assert expected in error.expected
    assert error.found == repr(args[name])
    assert expected in error.fix


@pytest.mark.parametrize(
    ("kind", "args"),
    [("f1", {"num_classes": 2}), ("f1", {"num_classes": 65536}), ("top-k-accuracy", {"k": 1})],
)
def test_a_least_or_greatest_value_is_itself_allowed(kind, args):
    metric(kind, args)


@pytest.mark.parametrize(
    ("kind", "argument"),
    [("top-k-accuracy", "k"), ("f1", "num_classes"), ("mean-iou", "num_classes")],
)
def test_an_integer_may_be_written_with_a_point(kind, argument):
    metric(kind, {argument: 2.0})


class Noting(Metric):
    """Keeps what it is configured with."""

    kind = "noting"
    arguments = (Arg("whole", "integer", ""),)

    def __init__(self, **given):
        self.given = given

    def update(self, values): ...

    def result(self): ...


def test_an_integer_that_is_written_with_a_point_is_an_integer():
    (whole,) = Noting.configure({"whole": 2.0}).given.values()
    assert (whole, type(whole)) == (2, int)


def test_an_optional_argument_may_be_null():
    metric("mean-iou", {"num_classes": None, "ignore_index": None})


@pytest.mark.parametrize("kind", METRICS.names())
def test_every_default_is_acceptable(kind):
    for argument in metric_class(kind).arguments:
        assert isinstance(argument, Arg)
        assert argument.default in (None, REQUIRED) or argument.accepts(argument.default)


@pytest.mark.parametrize("kind", METRICS.names())
def test_a_kind_is_registered_under_its_own_name(kind):
    assert metric_class(kind).kind == kind
