"""One number for each run: outputs of rank 0, in every format and every metric of numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from conformance.jobs.measuring import Measured, Measuring
from conformance.jobs.replacing import shuffled
from conformance.metrics import Measurement
from conformance.plan.requests import MetricSpec
from conformance.runtimes import ModelSource, runtime
from conformance.tensorfiles import write_tensors
from tests import tiny_submission
from tests.jobs.bench import MAE, add_sample, edit, write_around
from tests.jobs.in_process import Bench
from tests.runtimes import models

RUNS = 6
ROWS = np.random.default_rng(3).normal(size=(RUNS, 3, 4)).astype(np.float32)
WEIGHT = models.floats(4, 2)


def means(weight: np.ndarray) -> list[np.ndarray]:
    return [np.mean(rows @ weight) for rows in ROWS]


# --- Metrics

NUMBERS = np.random.default_rng(4).uniform(0.1, 0.9, (2, RUNS))
CLASSES = np.array([[1, 0, 1, 1, 0, 1], [1, 0, 0, 1, 1, 1]])
TEXTS = np.array([["a cat sat on a mat"] * RUNS, ["a cat sat"] * RUNS])
METRICS = [
    ("mse", {}, NUMBERS),
    ("rmse", {}, NUMBERS),
    ("mae", {}, NUMBERS),
    ("cosine-similarity", {}, NUMBERS),
    ("psnr", {"data_range": 1}, NUMBERS),
    ("exact-match", {}, CLASSES),
    ("f1", {"average": "binary"}, np.array([NUMBERS[0], CLASSES[1]], object)),
    ("precision", {"average": "macro", "num_classes": 2}, CLASSES),
    ("recall", {"average": "macro", "num_classes": 2}, CLASSES),
    ("confusion-matrix", {"num_classes": 2}, CLASSES),
    ("wer", {}, TEXTS),
    ("bleu", {"n_gram": 2}, TEXTS),
]
"""The other kinds take scores of classes, images, signals or boxes: no single number is one."""


def measured(kind: str, args: dict, values: np.ndarray, shape: tuple[int, ...]) -> Measurement:
    metric = MetricSpec(kind, args, bindings={}, against="targets")
    measuring = Measuring({"m": metric})
    for pair in values.T:
        prediction, target = (np.asarray(each).reshape(shape) for each in pair.tolist())
        measuring.add({"y": prediction}, {"t": target}, {})
    ((_, outcome),) = measuring.results()
    assert isinstance(outcome, Measured), outcome
    return outcome.measurement


@pytest.mark.parametrize(("kind", "args", "values"), METRICS, ids=[each[0] for each in METRICS])
def test_a_run_is_an_item(kind: str, args: dict, values: np.ndarray) -> None:
    single, lists = (measured(kind, args, values, shape) for shape in ((), (1,)))
    assert single.items == RUNS
    assert single.value == lists.value
    assert (single.statistics is None) == (lists.statistics is None)
    if single.statistics is not None:
        np.testing.assert_array_equal(single.statistics, lists.statistics)
        assert len(single.statistics) == RUNS


# --- A submission


def test_original_and_sample_are_measured_run_by_run(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["p"]),
        helper.make_node("ReduceMean", ["p"], ["y"], keepdims=0),
    ]
    inputs, outputs = [models.value("x", [3, 4])], [models.value("y", [])]
    made = models.model(nodes, inputs, outputs, {"W": WEIGHT})
    shards = [({"x": rows}, {"t": np.float32(0)}) for rows in ROWS]
    root = write_around(tmp_path / "tiny", made, shards, batched=False, metrics=[MAE, AGAINST])

    def declare(metadata: dict) -> None:
        shards = metadata["vectors"][0]["shards"]
        for number, (shard, value) in enumerate(zip(shards, means(WEIGHT), strict=True)):
            write_tensors(root / f"out-{number}.safetensors", {"y": np.float32(value)})
            shard["items"] = 1
            shard["outputs"] = [tiny_submission.entry(root, f"out-{number}.safetensors")]

    edit(root, declare)
    add_sample(root, "doubled", {"W": 2 * WEIGHT})
    bench = Bench(root)
    original = bench.result("original")
    assert (original["items"], original["outputs"]["y"]["violations"]) == (RUNS, 0)
    assert original["outputs"]["y"]["values"] == RUNS
    assert original["metrics"]["error"]["items"] == RUNS
    assert original["metrics"]["error"]["value"] == pytest.approx(np.abs(means(WEIGHT)).mean())
    assert bench.result("control")["metrics"]["error"]["zeros"] == {"value": 0}
    row = bench.result("reconstruction", sample="doubled")["metrics"]
    assert row["error"]["value"] == pytest.approx(2 * np.abs(means(WEIGHT)).mean())
    assert row["error"]["items"] == row["error"]["no_interval"]["items"] == RUNS
    assert row["shift"]["value"] == pytest.approx(np.abs(means(WEIGHT)).mean())


AGAINST = {**MAE, "id": "shift", "against": "original"}

# --- Formats


def source(path: Path) -> ModelSource:
    return ModelSource((path,), (path.name,), path.parent, 1 << 30)


def torchscript(folder: Path) -> ModelSource:
    import torch

    torch.jit.save(torch.jit.script(_torch_network()), folder / "net.pt")
    return source(folder / "net.pt")


def torch_export(folder: Path) -> ModelSource:
    import torch

    program = torch.export.export(_torch_network(), (torch.from_numpy(ROWS[0]),))
    torch.export.save(program, folder / "net.pt2")
    return source(folder / "net.pt2")


def _torch_network():
    import torch

    class Mean(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.W = torch.nn.Parameter(torch.from_numpy(WEIGHT.copy()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x @ self.W).mean()

    return Mean().eval()


def nnef(folder: Path) -> ModelSource:
    from tests.runtimes.nnef import models as nnef_models

    body = "p = matmul(x, W); q = mean_reduce(p, axes = [0, 1]); y = squeeze(q, axes = [0, 1]);"
    text = nnef_models.graph(body, {"x": (3, 4)}, tensors={"W": WEIGHT})
    return nnef_models.save(folder, text, {"W": WEIGHT})


def caffe(folder: Path) -> ModelSource:
    from tests.runtimes.caffe import files

    text = """name: "net" input: "x" input_shape { dim: 3 dim: 4 }
    layer { name: "p" type: "InnerProduct" bottom: "x" top: "p"
            inner_product_param { num_output: 2 bias_term: false } }
    layer { name: "y" type: "Reduction" bottom: "p" top: "y"
            reduction_param { operation: MEAN } }"""
    return files.write(folder, text, files.caffemodel({"p": [WEIGHT.T]}))


def savedmodel(folder: Path) -> ModelSource:
    from tests.runtimes.tensorflow import nets

    return nets.source_of(nets.save(folder / "saved", _tensorflow_network()))


def tflite(folder: Path) -> ModelSource:
    import tensorflow as tf

    module = _tensorflow_network()
    concrete = [module.serve.get_concrete_function()]
    converter = tf.lite.TFLiteConverter.from_concrete_functions(concrete, module)
    (folder / "net.tflite").write_bytes(converter.convert())
    return source(folder / "net.tflite")


def _tensorflow_network():
    import tensorflow as tf

    class Mean(tf.Module):
        def __init__(self) -> None:
            super().__init__("net")
            self.weight = tf.Variable(WEIGHT, name="W")

        @tf.function(input_signature=[tf.TensorSpec((3, 4), tf.float32, name="x")])
        def serve(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": tf.reduce_mean(x @ self.weight)}

    return Mean()


def keras(folder: Path) -> ModelSource:
    from tests.runtimes.tensorflow import nets

    dense = nets.keras.layers.Dense(2, use_bias=False)
    given = nets.keras.Input((4,), batch_size=3, name="x")
    model = nets.keras.Model(given, nets.keras.ops.mean(dense(given)))
    dense.set_weights([WEIGHT])
    return nets.source_of(nets.save_keras(folder, model))


FORMATS = {
    "torchscript": torchscript,
    "torch-export": torch_export,
    "nnef": nnef,
    "caffe": caffe,
    "savedmodel": savedmodel,
    "keras": keras,
    "tflite": tflite,
}
"""ONNX is run above; a state dict is run by ONNX."""


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_gives_single_numbers(tmp_path: Path, format: str) -> None:
    write: Callable[[Path], ModelSource] = FORMATS[format]
    with runtime(format).open(write(tmp_path)) as network:
        (given,), (made,) = network.inputs, network.outputs
        output = network.bind().run({given.name: ROWS[0]})[made.name]
        changed = network.bind_changed(shuffled(1)).run({given.name: ROWS[0]})[made.name]
        (name, weight), *_ = network.parameters.items()
        permuted = shuffled(1)(name, weight)
    assert isinstance(output, np.ndarray)
    assert output.shape == ()
    assert output == pytest.approx(means(WEIGHT)[0], rel=1e-5)
    own = permuted if permuted.shape == WEIGHT.shape else permuted.T
    assert changed == pytest.approx(means(own)[0], rel=1e-5)
    assert json.dumps(list(made.shape)) in ("[]", '["..."]')
