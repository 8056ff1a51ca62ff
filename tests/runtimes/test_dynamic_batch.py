"""Networks that take the ranges of their activations from the batch are run item by item."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from onnx import helper

from conformance.runtimes.running import DYNAMIC_BATCH, FREE_BATCH
from tests.runtimes import models


def dynamic(batch="N"):
    return models.model(
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]),
        ],
        [models.value("x", [batch, 3])],
        [models.value("y", [batch, 3])],
    )


def test_no_item_depends_on_those_next_to_it(tmp_path):
    x = np.float32([[0.1, 0.2, 0.3], [100, -50, 3]])
    with models.opened(tmp_path, dynamic()) as network:
        runner = network.bind()
        assert runner.batch_size == DYNAMIC_BATCH
        together = runner.run_batched({"x": x}, 2)["y"]
        np.testing.assert_array_equal(together[:1], runner.run({"x": x[:1]})["y"])
        assert np.abs(runner.run({"x": x})["y"] - together).max() > 0.05


def test_a_batch_that_the_file_prescribes_stays(tmp_path):
    with models.opened(tmp_path, dynamic(4)) as network:
        assert network.bind().batch_size == 4


def test_operators_of_functions_and_branches_count(tmp_path):
    function = helper.make_function(
        "mine",
        "Round",
        ["a"],
        ["b"],
        [
            helper.make_node("DynamicQuantizeLinear", ["a"], ["q", "s", "z"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["b"]),
        ],
        [helper.make_opsetid("", 17)],
    )
    made = models.model(
        [helper.make_node("Round", ["x"], ["y"], domain="mine")],
        [models.value("x", ["N", 3])],
        [models.value("y", ["N", 3])],
        domains=("mine",),
        functions=[function],
    )
    with models.opened(tmp_path, made) as network:
        assert network.bind().batch_size == DYNAMIC_BATCH


@pytest.mark.parametrize(
    ("version", "attr", "size"),
    [
        (2, {}, DYNAMIC_BATCH),
        (3, {}, FREE_BATCH),
        (4, {"range_given": SimpleNamespace(b=False)}, DYNAMIC_BATCH),
        (2, {"range_given": SimpleNamespace(b=True)}, FREE_BATCH),
    ],
)
def test_tensorflow_says_whether_a_range_is_given(version, attr, size):
    from conformance.runtimes.tensorflow.graphs import batch_of

    node = SimpleNamespace(op=f"QuantizeAndDequantizeV{version}", attr=attr)
    assert batch_of([("graph", node)]) == size
