"""The reference implementation of ONNX, asked about a few items of networks that are small."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from conformance.jobs.probing import second_opinion
from conformance.jobs.vectors import ShardArrays
from conformance.runtimes import Referenced
from tests.runtimes import models


def opinion(tmp_path, made, items=4, *, batched=True):
    with models.opened(tmp_path, made) as network:
        inputs = models.inputs_of(made, items)
        shard = ShardArrays(0, items, inputs, {}, {}, {})
        return second_opinion(network.bind(), shard, batched=batched)


@pytest.mark.parametrize("items", [2, 6])
def test_four_items_at_most_are_compared(tmp_path, items):
    found = opinion(tmp_path, models.cnn(), items)
    assert found.items == min(items, 4)
    (deviation,) = found.outputs.values()
    assert 0 <= deviation < 1e-3


def test_a_batch_that_is_prescribed_is_filled_up(tmp_path):
    assert opinion(tmp_path, models.dense(batch=8), 3).items == 3


def test_what_is_not_a_batch_is_one_run(tmp_path):
    assert opinion(tmp_path, models.dense(), 3, batched=False).items == 1


def test_infinities_of_float16_are_reported(tmp_path):
    half, wide = TensorProto.FLOAT16, TensorProto.FLOAT
    made = models.model(
        [
            helper.make_node("Cast", ["x"], ["h"], to=half),
            helper.make_node("Mul", ["h", "k"], ["hh"]),
            helper.make_node("Div", ["hh", "k"], ["r"]),
            helper.make_node("Cast", ["r"], ["y"], to=wide),
        ],
        [models.value("x", ["N", 3])],
        [models.value("y", ["N", 3])],
        {"k": np.float16([60000, 60000, 60000])},
    )
    assert opinion(tmp_path, made).outputs == {"y": "inf"}


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (
            models.model(
                [
                    helper.make_node("Expand", ["x", "shape"], ["wide"]),
                    helper.make_node("ReduceMax", ["wide"], ["y"]),
                ],
                [models.value("x", ["N", 1])],
                [models.value("y", None)],
                {"shape": np.array([1, 1 << 24])},
            ),
            "bytes of values",
        ),
        (
            models.model(
                [helper.make_node("NonZero", ["x"], ["y"])],
                [models.value("x", ["N", 3])],
                [models.value("y", [2, None], TensorProto.INT64)],
            ),
            "operators that it may be slow at: NonZero",
        ),
        (
            models.model(
                [helper.make_node("Conv", ["x", "w"], ["y"])],
                [models.value("x", ["N", 64, 64, 64])],
                [models.value("y", None)],
                {"w": models.floats(256, 64, 3, 3)},
            ),
            "multiply-adds",
        ),
    ],
)
def test_what_may_take_long_is_not_asked(tmp_path, made, reason):
    assert reason in opinion(tmp_path, made).not_asked


def test_other_formats_have_no_reference():
    from conformance.runtimes.running import FunctionRunner

    assert not isinstance(FunctionRunner(dict, [], "net"), Referenced)
