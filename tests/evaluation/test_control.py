"""The control finds metrics that would accept any network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from conformance.evaluation.tasks.control import ITEMS, Control
from conformance.evaluation.tasks.vectors import ShardArrays
from conformance.runtimes import ModelSource, runtime
from conformance.submission.values import Metric, OutputTolerance, Shard, Tolerance, VectorSet

WEIGHT = np.full((2, 2), 3.0, np.float32)


def opened(folder: Path, hidden: bool = False):
    """Return a network with one output of the weight and one that only repeats the input."""
    ports = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2])]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", 2]) for n in "yz"]
    nodes = [helper.make_node("MatMul", ["x", "W"], ["y"]), helper.make_node("Identity", "x", "z")]
    if hidden:
        constant = numpy_helper.from_array(np.ones((4, 8), np.float32))
        nodes.append(helper.make_node("Constant", [], ["table"], value=constant))
    graph = helper.make_graph(nodes, "g", ports, outputs, [numpy_helper.from_array(WEIGHT, "W")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return runtime("onnx").open(ModelSource((path,), ("model.onnx",), folder, 1 << 30))


def metric(output: str, **more: object) -> Metric:
    return Metric(
        f"distance-{output}",
        "mse",
        "",
        "lower",
        Tolerance("absolute", 0.1),
        bindings={"prediction": output},
        against="original",
        **more,  # type: ignore[arg-type]
    )


def rows(folder: Path, *metrics: Metric, items: int = 4, hidden: bool = False) -> dict:
    x = np.ones((items, 2), np.float32)
    vectors = VectorSet("test", "m", "d", True, (), OutputTolerance(1e-5, 1e-4))
    shard = ShardArrays(0, items, {"x": x}, {}, {}, {})
    with opened(folder, hidden) as network:
        outputs = network.bind().run_batched({"x": x}, items)
        control = Control(network, metrics, vectors)
        control.add(shard, outputs)
        return control.rows()


def test_output_of_the_parameters_changes_and_another_does_not(tmp_path: Path) -> None:
    found = rows(tmp_path, metric("y"), metric("z"))
    assert found["distance-y"] == {"items": 4, "reference": 0.0, "value": 36.0}
    assert found["distance-z"] == {"items": 4, "reference": 0.0, "value": 0.0}


def test_some_items_are_enough(tmp_path: Path) -> None:
    assert rows(tmp_path, metric("y"), items=ITEMS + 5)["distance-y"]["items"] == ITEMS


def test_items_of_a_sorted_data_set_are_taken_from_all_of_it(tmp_path: Path) -> None:
    items = 3 * ITEMS
    labels = np.repeat(np.arange(2), [2 * ITEMS, ITEMS])
    x = np.stack([1 - labels, labels], axis=1).astype(np.float32)
    vectors = VectorSet("test", "m", "d", True, (), OutputTolerance(1e-5, 1e-4))
    shard = ShardArrays(0, items, {"x": x}, {"label": labels}, {}, {})
    accuracy = Metric(
        "top1",
        "top-k-accuracy",
        "",
        "higher",
        Tolerance("absolute", 0.1),
        bindings={"prediction": "z", "target": "label"},
    )
    with opened(tmp_path) as network:
        outputs = network.bind().run_batched({"x": x}, items)
        outputs["z"] = np.where(labels[:, None] == [[0, 1]], 1, 0)
        control = Control(network, [accuracy], vectors)
        control.add(shard, outputs)
        found = control.rows()["top1"]
    assert found["items"] == ITEMS
    assert found["reference"] == 1.0


def test_runs_that_are_items_are_taken_from_all_shards(tmp_path: Path) -> None:
    """An empty network is right about a single item of its class; not about all of them."""
    shards = (Shard(1, (), (), ()),) * (2 * ITEMS)
    vectors = VectorSet("test", "m", "d", False, shards, OutputTolerance(1e-5, 1e-4))
    x = np.ones((1, 2), np.float32)
    with opened(tmp_path) as network:
        outputs = network.bind().run({"x": x})
        control = Control(network, [metric("y")], vectors)
        for index in range(len(shards)):
            # Only the second half differs from what the empty network gives.
            original = outputs if index >= ITEMS else {**outputs, "y": np.zeros((1, 2), np.float32)}
            control.add(ShardArrays(index, 1, {"x": x}, {}, {}, {}), original)
        found = control.rows()["distance-y"]
    assert found == {"items": ITEMS, "reference": 0.0, "value": 18.0}


def test_network_that_hides_weights_has_a_control_all_the_same(tmp_path: Path) -> None:
    assert rows(tmp_path, metric("y"), hidden=True)["distance-y"]["value"] == 36.0


def test_metric_that_cannot_be_measured_has_no_number(tmp_path: Path) -> None:
    assert rows(tmp_path, metric("absent"))["distance-absent"]["value"] == "nan"
