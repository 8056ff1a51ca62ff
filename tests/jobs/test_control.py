"""The controls: what is run, on what, and how often."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from conformance.jobs.replacing import shuffled, zeroed
from conformance.plan.jobs import CONTROLS, SHUFFLED
from conformance.verdicts import ConformanceError
from tests import tiny_submission
from tests.jobs.bench import edit, write_around
from tests.jobs.in_process import Bench, Evaluation, findings, told
from tests.runtimes import models

WEIGHT = np.array([[3.0, 1.0], [2.0, 5.0]], np.float32)
SEEDS = [int(change.rpartition("-")[2]) for change in SHUFFLED]
ONES = np.ones((4, 2), np.float32)


def network(*nodes: object, weight: np.ndarray = WEIGHT, **more: np.ndarray) -> ModelProto:
    made = nodes or (helper.make_node("MatMul", ["x", "W"], ["y"]),)
    ports = [models.value("x", ["N", 2])], [models.value("y", ["N", 2])]
    return models.model(list(made), *ports, {"W": weight, **more})


def controls(root: Path, made: ModelProto, *inputs: np.ndarray, **more: object) -> dict:
    """Return what two metrics say: of errors (all targets are 0), and against the original."""
    shards = [({"x": x}, {"t": np.zeros_like(x)}) for x in inputs]
    folder = write_around(root / "tiny", made, shards, **more)
    values = [{"metric": m, "vectors": "test", "value": 0.0} for m in ("error", "shift")]
    edit(folder, lambda metadata: metadata["models"][0].update(metric_values=values))
    return Bench(folder).result("control")


def test_all_items_of_all_shards_count(tmp_path: Path) -> None:
    """Were the first items enough, nobody would see that the others need no network."""
    found = controls(tmp_path, network(), ONES, np.zeros((12, 2), np.float32))
    assert found["items"] == 16
    assert found["metrics"]["shift"]["zeros"] == {"value": pytest.approx(5.5 * 4 / 16)}
    assert found["metrics"]["error"]["zeros"] == {"value": 0}


def test_all_runs_count_where_each_is_an_item(tmp_path: Path) -> None:
    one, none = ONES[:1], np.zeros((1, 2), np.float32)
    found = controls(tmp_path, network(), one, *[none] * 3, batched=False)
    assert found["metrics"]["shift"]["zeros"] == {"value": pytest.approx(5.5 / 4)}


def test_shuffled_networks_compute_with_permuted_parameters(tmp_path: Path) -> None:
    found = controls(tmp_path, network(), ONES)["metrics"]["error"]["shuffled"]
    permuted = [shuffled(seed)("W", WEIGHT) for seed in SEEDS]
    assert found == [{"value": pytest.approx(np.abs(ONES @ each).mean())} for each in permuted]


def test_shuffled_networks_are_the_same_in_every_version() -> None:
    """What a report says of controls does not change with a release."""
    assert [shuffled(seed)("w", np.arange(6)).tolist() for seed in SEEDS] == [
        [1, 3, 5, 2, 0, 4],
        [1, 0, 3, 5, 4, 2],
        [1, 5, 4, 3, 0, 2],
    ]


def test_one_value_that_differs_from_the_others_is_enough(tmp_path: Path) -> None:
    weight = np.array([[3.0, 1.0], [3.0, 3.0]], np.float32)
    found = controls(tmp_path, network(weight=weight), ONES)["metrics"]["error"]
    assert len(found["shuffled"]) == len(SEEDS)


@pytest.mark.parametrize("weight", [np.full((2, 2), 3.0), np.full((2, 2), 0.0)])
def test_nothing_is_shuffled_where_no_permutation_changes_anything(
    tmp_path: Path, weight: np.ndarray
) -> None:
    found = controls(tmp_path, network(weight=weight.astype(np.float32)), ONES)
    assert found["metrics"]["error"]["shuffled"] == []


def test_nothing_is_shuffled_in_a_single_number_that_is_none(tmp_path: Path) -> None:
    weight = np.array([np.nan], np.float32)
    made = network(helper.make_node("Mul", ["x", "W"], ["y"]), weight=weight)
    assert controls(tmp_path, made, ONES)["metrics"]["error"]["shuffled"] == []


def test_value_that_is_no_number_is_one(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceSum", ["W"], ["sum"], keepdims=0),
        helper.make_node("Sub", ["x", "x"], ["none"]),
        helper.make_node("Div", ["none", "sum"], ["y"]),
    ]
    found = controls(tmp_path, network(*nodes), ONES)["metrics"]["error"]
    assert found["zeros"] == {"value": "nan"}
    assert found["shuffled"] == [{"value": 0}] * 3


def test_network_that_does_not_run_without_its_parameters_has_an_error(tmp_path: Path) -> None:
    """Its size is a parameter: the reason is kept, for every metric, and the others go on."""
    nodes = [
        helper.make_node("ReduceMax", ["W"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["whole"], to=TensorProto.INT64),
        helper.make_node("Sub", ["whole", "three"], ["columns"]),
        helper.make_node("Reshape", ["columns", "one"], ["last"]),
        helper.make_node("Concat", ["rest", "last"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    numbers = {"three": 3, "one": [1], "rest": [-1]}
    more = {name: np.array(value, np.int64) for name, value in numbers.items()}
    found = controls(tmp_path, network(*nodes, **more), ONES)["metrics"]
    for metric in ("error", "shift"):
        assert found[metric]["zeros"].keys() == {"error"}
        assert found[metric]["shuffled"] == [{"value": pytest.approx(float(metric == "error"))}] * 3


# --- Changes

TYPES = [
    *(np.float32, np.float16, np.complex64, np.int8, np.uint8, np.int64),
    *(ml_dtypes.bfloat16, ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.float8_e4m3fn),
]


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_elements_are_permuted_as_they_are_stored(dtype: type) -> None:
    array = np.arange(1, 7).reshape(2, 3).astype(dtype)
    for seed in SEEDS:
        made = shuffled(seed)("w", array)
        assert (made.dtype, made.shape) == (array.dtype, array.shape)
        assert sorted(made.reshape(-1).astype(complex).real) == [1, 2, 3, 4, 5, 6]
        assert not np.array_equal(made, array)
        assert np.array_equal(made, shuffled(seed)("w", array))
    assert np.array_equal(zeroed("w", array), np.zeros((2, 3), dtype))


@pytest.mark.parametrize("seed", range(8))
def test_two_elements_change_places_whatever_the_seed(seed: int) -> None:
    array = np.array([1.0, 2.0])
    assert shuffled(seed)("w", array).tolist() == [2.0, 1.0]
    assert array.tolist() == [1.0, 2.0]


def test_tensors_of_one_shape_are_not_permuted_alike() -> None:
    array = np.arange(100)
    made = [shuffled(seed)(name, array).tolist() for seed in SEEDS for name in "ab"]
    assert len({tuple(each) for each in made}) == len(made)


def test_one_parameter_after_the_other_is_permuted(tmp_path: Path) -> None:
    side, count = 512, 8
    size = side * side * 4
    tensors = {f"w{k}": models.floats(side, side) for k in range(count)}
    nodes = [
        helper.make_node("MatMul", [f"h{k}" if k else "x", f"w{k}"], [f"h{k + 1}"])
        for k in range(count)
    ]
    nodes.append(helper.make_node("Identity", [f"h{count}"], ["y"]))
    ports = [models.value("x", ["N", side])], [models.value("y", ["N", side])]
    with models.opened(tmp_path, models.model(nodes, *ports, tensors)) as opened:
        tracemalloc.start()
        runner = opened.bind_changed(shuffled(1))
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert runner is not None
    assert held < (count + 0.5) * size
    assert peak < (count + 3) * size


# --- The job


def test_controls_are_run_once_for_all_samples(tiny: Path) -> None:
    """A sample, or another bound, that comes later does not run them again."""
    evaluation = Evaluation(tiny)
    evaluation.result("control", vectors="test")
    assert evaluation.done == ["model linear", "original linear@test", "control linear@test"]
    assert evaluation.asked.count("run") == 1 + len(CONTROLS)

    def change(metadata: dict) -> None:
        metadata["samples"].append({**metadata["samples"][0], "id": "again"})
        metadata["metrics"][0]["tolerance"]["bound"] = 0.04

    edit(tiny, change)
    again = Evaluation(tiny)
    again.result("control", vectors="test")
    assert again.asked == []


def test_vectors_that_no_sample_names_have_no_controls(tiny: Path) -> None:
    def change(metadata: dict) -> None:
        metadata["samples"] = metadata["samples"][2:]
        metadata["samples"][0]["claims"]["metric_values"] = []

    edit(tiny, change)
    assert list(findings(tiny, "METRIC-CONTROL-001")) == []


def put_inputs(root: Path, x: np.ndarray) -> None:
    np.savez(root / "inputs.npz", x=x.astype(np.float32))
    entry = tiny_submission.entry(root, "inputs.npz")
    edit(root, lambda metadata: metadata["vectors"][0]["shards"][0].update(inputs=[entry]))


def test_original_that_cannot_be_run_has_no_controls(tiny: Path) -> None:
    put_inputs(tiny, np.zeros((tiny_submission.ITEMS, 2)))
    with pytest.raises(ConformanceError, match="original linear@test must succeed first"):
        Evaluation(tiny).result("control", vectors="test")
    assert set(told(tiny, "METRIC-CONTROL-001").values()) == {"not-run"}


def test_metric_of_the_original_that_is_no_number_leaves_the_check_open(tiny: Path) -> None:
    put_inputs(tiny, np.full((tiny_submission.ITEMS, tiny_submission.FEATURES), np.nan))
    assert told(tiny, "METRIC-MEASURE-001", "METRIC-CONTROL-001") == {
        f"METRIC-{check}-001 tiny/linear@test/{metric}": verdict
        for check, verdict in (("MEASURE", "fail"), ("CONTROL", "not-run"))
        for metric in ("top1", "distance")
    }
