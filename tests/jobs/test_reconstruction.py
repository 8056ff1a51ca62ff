"""The reconstructed network is the sample's, never the original's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper
from onnx.reference import ReferenceEvaluator

from tests.jobs.bench import MAE, SHIFT, add_sample, edit, write_around
from tests.jobs.in_process import Bench
from tests.runtimes import models

ITEMS = 9
EXACT = 2e-4
"""Mean absolute error that two right implementations may have, for outputs of a hundred."""

TOP1 = {**MAE, "id": "top1", "kind": "top-k-accuracy", "direction": "higher", "args": {"k": 1}}
ACCURACY = {**TOP1, "bindings": {"target": "label"}}


def image(items: int = ITEMS, seed: int = 0) -> dict[str, np.ndarray]:
    return {"image": models.floats(items, 3, 8, 8, seed=seed)}


def parameters(made: ModelProto) -> dict[str, np.ndarray]:
    arrays = {t.name: numpy_helper.to_array(t) for t in made.graph.initializer}
    return {name: array for name, array in arrays.items() if array.dtype == np.float32}


def foreign(made: ModelProto, seed: int = 77) -> dict[str, np.ndarray]:
    """Parameters that have nothing to do with those of the network; variances stay positive."""
    rng = np.random.default_rng(seed)
    drawn = {n: rng.normal(size=a.shape) for n, a in sorted(parameters(made).items())}
    return {
        name: (np.abs(array) + 0.3 if name == "bn.v" else array).astype(np.float32)
        for name, array in drawn.items()
    }


def by_onnxruntime(made: ModelProto, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return models.plain_run(made, inputs)[0]


def by_onnx(made: ModelProto, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return ReferenceEvaluator(made).run(None, inputs)[0]


def cnn_bench(tmp_path: Path, target: np.ndarray) -> Bench:
    shards = [(image(), {"wanted": target})]
    return Bench(write_around(tmp_path / "cnn", models.cnn(), shards))


@pytest.mark.parametrize("run", [by_onnxruntime, by_onnx])
def test_outputs_are_those_of_the_rewritten_network(run, tmp_path: Path) -> None:
    made = models.cnn()
    sample = foreign(made)
    wanted = run(models.rewritten(made, sample), image())
    original = run(made, image())
    bench = cnn_bench(tmp_path, wanted)
    add_sample(bench.root, "foreign", sample)

    rows = bench.result("reconstruction", sample="foreign")["metrics"]

    apart = float(np.abs(wanted - original).mean())
    assert apart > 1.0
    assert rows["error"]["value"] < EXACT
    assert rows["error"]["reference"] == pytest.approx(apart, abs=EXACT)
    assert rows["shift"]["value"] == pytest.approx(apart, abs=EXACT)
    assert rows["shift"]["reference"] == 0.0


@pytest.mark.parametrize("name", sorted(parameters(models.cnn())))
def test_every_single_parameter_comes_from_the_sample(name: str, tmp_path: Path) -> None:
    made = models.cnn()
    own = parameters(made)
    sample = {**own, name: foreign(made)[name]}
    wanted = by_onnxruntime(models.rewritten(made, sample), image())
    bench = cnn_bench(tmp_path, wanted)
    add_sample(bench.root, "one", sample)

    rows = bench.result("reconstruction", sample="one")["metrics"]

    assert rows["error"]["value"] < EXACT
    assert rows["shift"]["value"] > 100 * EXACT


def test_sample_in_float16_is_run_with_its_rounded_values(tmp_path: Path) -> None:
    made = models.cnn()
    sample = {name: array.astype(np.float16) for name, array in foreign(made).items()}
    bench = cnn_bench(tmp_path, by_onnxruntime(models.rewritten(made, sample), image()))
    add_sample(bench.root, "half", sample)
    rows = bench.result("reconstruction", sample="half")["metrics"]
    assert rows["error"]["value"] < EXACT


def test_sample_that_is_a_network_is_run_as_it_is(tmp_path: Path) -> None:
    made = models.cnn()
    rewritten = models.rewritten(made, foreign(made))
    bench = cnn_bench(tmp_path, by_onnxruntime(rewritten, image()))
    add_sample(bench.root, "network", rewritten)
    rows = bench.result("reconstruction", sample="network")["metrics"]
    assert rows["error"]["value"] < EXACT
    assert rows["shift"]["value"] > 1.0


def test_names_of_the_sample_are_mapped_before_it_is_put_in(tmp_path: Path) -> None:
    made = models.dense(4, 4)
    sample = {"b": models.floats(4, seed=8), "W": models.floats(4, 4, seed=9)}
    x = {"x": models.floats(ITEMS, 4)}
    wanted = by_onnxruntime(models.rewritten(made, sample), x)
    bench = Bench(write_around(tmp_path / "dense", made, [(x, {"wanted": wanted})]))
    renamed = {"bias": sample["b"], "kernel": sample["W"]}
    names = [{"sample": "bias", "model": "b"}, {"sample": "kernel", "model": "W"}]
    add_sample(bench.root, "renamed", renamed, name_map=names)
    rows = bench.result("reconstruction", sample="renamed")["metrics"]
    assert rows["error"]["value"] < EXACT


def test_names_may_be_swapped(tmp_path: Path) -> None:
    nodes = [
        models.helper.make_node("MatMul", ["x", "first"], ["h"]),
        models.helper.make_node("MatMul", ["h", "second"], ["y"]),
    ]
    arrays = {"first": models.floats(4, 4, seed=1), "second": models.floats(4, 4, seed=2)}
    ports = [models.value("x", ["N", 4])], [models.value("y", ["N", 4])]
    made = models.model(nodes, *ports, arrays)
    x = {"x": models.floats(ITEMS, 4)}
    bench = Bench(write_around(tmp_path / "swap", made, [(x, {"y": by_onnxruntime(made, x)})]))
    swapped = {"first": arrays["second"], "second": arrays["first"]}
    names = [{"sample": "first", "model": "second"}, {"sample": "second", "model": "first"}]
    add_sample(bench.root, "swapped", swapped, name_map=names)
    rows = bench.result("reconstruction", sample="swapped")["metrics"]
    assert rows["error"]["value"] < EXACT


def test_one_sample_leaves_no_trace_in_the_next(tmp_path: Path) -> None:
    made = models.cnn()
    bench = cnn_bench(tmp_path, by_onnxruntime(made, image()))
    add_sample(bench.root, "foreign", foreign(made))
    add_sample(bench.root, "same", parameters(made))
    before = bench.result("original")
    first = bench.result("reconstruction", sample="foreign")["metrics"]
    same = bench.result("reconstruction", sample="same")["metrics"]
    assert bench.result("reconstruction", sample="foreign")["metrics"] == first
    assert same["shift"]["value"] == 0.0
    assert bench.result("original") == before


def test_constants_of_the_graph_may_be_in_the_sample(tmp_path: Path) -> None:
    made = models.cnn()
    sample = {**foreign(made), "shape": np.array([-1, 16 * 4 * 4], np.int64)}
    bench = cnn_bench(tmp_path, by_onnxruntime(models.rewritten(made, sample), image()))
    add_sample(bench.root, "whole", sample)
    assert bench.result("decode", sample="whole")["usable"]
    rows = bench.result("reconstruction", sample="whole")["metrics"]
    assert rows["error"]["value"] < EXACT


@pytest.mark.parametrize(
    ("batched", "sizes"), [(True, (1, 4, 2)), (False, (1, 1, 1))], ids=["batched", "unbatched"]
)
def test_items_of_all_shards_count_alike(
    batched: bool, sizes: tuple[int, ...], tmp_path: Path
) -> None:
    sizes = (1, 4, 2) if batched else (1, 1, 1)
    made = models.cnn()
    sample = foreign(made)
    inputs = [image(items, seed=seed) for seed, items in enumerate(sizes)]
    outputs = [by_onnxruntime(models.rewritten(made, sample), x) for x in inputs]
    originals = [by_onnxruntime(made, x) for x in inputs]
    shards = [(x, {"wanted": y}) for x, y in zip(inputs, outputs, strict=True)]
    bench = Bench(write_around(tmp_path / "shards", made, shards, batched=batched))
    add_sample(bench.root, "foreign", sample)

    measured = bench.result("reconstruction", sample="foreign")

    apart = np.abs(np.concatenate(outputs) - np.concatenate(originals)).mean()
    assert measured["items"] == measured["metrics"]["error"]["items"] == sum(sizes)
    assert measured["metrics"]["error"]["value"] < EXACT
    assert measured["metrics"]["shift"]["value"] == pytest.approx(apart, abs=EXACT)


def scaled_bench(tmp_path: Path, factor: float, *metrics: dict) -> Bench:
    """A network that gives its inputs back, and a sample that multiplies them by ``factor``."""
    nodes = [models.helper.make_node("Mul", ["x", "gain"], ["y"])]
    ports = [models.value("x", ["N", 3])], [models.value("y", ["N", 3])]
    made = models.model(nodes, *ports, {"gain": np.ones(3, np.float32)})
    x = models.floats(40, 3) * 2
    targets = {"wanted": x, "label": x.argmax(axis=1)}
    metrics = metrics or ({**MAE, "bindings": {"target": "wanted"}}, SHIFT, ACCURACY)
    shards = [({"x": x}, targets)]
    bench = Bench(write_around(tmp_path / "scaled", made, shards, metrics=metrics))
    add_sample(bench.root, "scaled", {"gain": np.full(3, factor, np.float32)})
    return bench


def test_interval_says_how_certain_a_loss_is_and_in_which_direction(tmp_path: Path) -> None:
    rows = scaled_bench(tmp_path, -1.0).result("reconstruction", sample="scaled")["metrics"]
    accuracy, error = rows["top1"], rows["error"]
    assert (accuracy["value"], accuracy["reference"]) == (0.0, 1.0)
    assert accuracy["interval"]["high"] < -0.8
    assert (accuracy["interval"]["gained"], accuracy["interval"]["lost"]) == (0, 40)
    assert error["reference"] == 0.0
    assert 0 < error["interval"]["low"] < error["value"] < error["interval"]["high"]
    assert {row["interval"]["level"] for row in rows.values()} == {0.95}


def test_interval_has_the_level_the_sample_asks_for(tmp_path: Path) -> None:
    bench = scaled_bench(tmp_path, 1.5)
    tolerance = {"type": "absolute", "bound": 1.0, "inclusive": True, "confidence": 0.5}
    edit(bench.root, lambda m: m["samples"][0]["metrics"][0].update(tolerance=tolerance))
    rows = bench.result("reconstruction", sample="scaled")["metrics"]
    assert (rows["error"]["interval"]["level"], rows["shift"]["interval"]["level"]) == (0.5, 0.95)


def test_network_that_does_not_differ_has_an_interval_around_nothing(tmp_path: Path) -> None:
    rows = scaled_bench(tmp_path, 1.0).result("reconstruction", sample="scaled")["metrics"]
    assert rows["error"]["interval"] is None
    assert rows["error"]["no_interval"]["items_needed"] == 50
    assert rows["top1"]["interval"]["low"] < 0 < rows["top1"]["interval"]["high"]
    assert rows["top1"]["no_interval"] is None


@pytest.mark.parametrize("batched", [True, False])
def test_repeated_items_count_once_for_every_interval(tmp_path: Path, batched: bool) -> None:
    """Also where a shard that is not batched is the item, of however many rows."""
    nodes = [models.helper.make_node("Mul", ["x", "gain"], ["y"])]
    ports = [models.value("x", ["N", 3])], [models.value("y", ["N", 3])]
    made = models.model(nodes, *ports, {"gain": np.ones(3, np.float32)})
    x = models.floats(50, 3) * 2
    arrays = [({"x": part}, {"label": part.argmax(axis=1)}) for part in np.split(x, 25)]
    metrics = (SHIFT, ACCURACY)
    rows = []
    for name, shards in (("once", arrays), ("often", [*arrays, *arrays, arrays[3]])):
        root = write_around(tmp_path / name, made, shards, metrics=metrics, batched=batched)
        if not batched:
            edit(root, lambda m: [s.update(items=1) for s in m["vectors"][0]["shards"]])
        add_sample(root, "scaled", {"gain": np.array([1.5, -1, 2], np.float32)})
        rows.append(Bench(root).result("reconstruction", sample="scaled")["metrics"])
    once, often = rows
    for metric in ("shift", "top1"):
        found, single = often[metric]["interval"], once[metric]["interval"]
        assert (found["low"], found["high"]) == (single["low"], single["high"])
        assert single["items"] == single["distinct_items"] == (50 if batched else 25)
        assert found["items"] == (102 if batched else 51)
        assert found["distinct_items"] == single["distinct_items"]


def test_outputs_that_are_not_finite_give_no_value(tmp_path: Path) -> None:
    """Weights that overflow on some items only: finite themselves, so that decoding passes."""
    bench = scaled_bench(tmp_path, 1e38)
    assert bench.result("decode", sample="scaled")["usable"]
    rows = bench.result("reconstruction", sample="scaled")["metrics"]
    for name in ("error", "shift"):
        assert rows[name]["value"] == "nan"
        assert rows[name]["interval"] is None
        assert 0 < rows[name]["details"]["non_finite_items"] < 40
    assert rows["error"]["reference"] == 0.0


def test_metric_the_original_was_not_measured_by_is_not_run(tmp_path: Path) -> None:
    unbound = {**MAE, "id": "unbound", "bindings": {"target": "nowhere"}}
    bench = scaled_bench(tmp_path, 2.0, unbound, ACCURACY)
    rows = bench.result("reconstruction", sample="scaled")["metrics"]
    error = rows["unbound"]["error"]
    assert error["verdict"] == "not-run"
    assert "METRIC-MEASURE-001" in error["fix"]
    assert rows["top1"]["value"] == 1.0


def test_metric_that_fails_on_the_sample_alone_leaves_the_others(tmp_path: Path) -> None:
    nodes = [models.helper.make_node("MatMul", ["x", "w"], ["y"])]
    ports = [models.value("x", ["N", 3])], [models.value("y", ["N", None])]
    made = models.model(nodes, *ports, {"w": np.eye(3, dtype=np.float32)})
    wider = models.model(nodes, *ports, {"w": np.eye(3, 5, dtype=np.float32)})
    x = models.floats(40, 3)
    recall = {**ACCURACY, "id": "recall", "kind": "recall", "args": {"average": "macro"}}
    shards = [({"x": x}, {"label": x.argmax(axis=1)})]
    metrics = [SHIFT, recall, ACCURACY]
    bench = Bench(write_around(tmp_path / "wide", made, shards, metrics=metrics))
    add_sample(bench.root, "wider", wider)
    rows = bench.result("reconstruction", sample="wider")["metrics"]
    assert "shape" in rows["shift"]["error"]["message"]
    assert rows["shift"]["error"]["verdict"] == "fail"
    assert "same items" in rows["recall"]["error"]["message"]
    assert "outputs have the original's shape" in rows["recall"]["error"]["fix"]
    assert rows["top1"]["value"] > 0.3


def test_conversions_of_inputs_are_told(tmp_path: Path) -> None:
    made = models.dense(4, 4)
    x = {"x": models.floats(ITEMS, 4).astype(np.float64)}
    bench = Bench(write_around(tmp_path / "casts", made, [(x, {"w": np.zeros((ITEMS, 4))})]))
    add_sample(bench.root, "same", parameters(made))
    casts = bench.result("reconstruction", sample="same")["casts"]
    assert casts == {"x": "float64 -> float32"}
