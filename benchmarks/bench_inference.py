"""How long timed inference takes on a large network, against seven rounds that keep no budget.

    python benchmarks/bench_inference.py [--width N] [--side N] [--repetitions N]

The network is a ResNet-50 for images of 224 x 224 pixels, the sample one of the same shape. One
side is the case that times both, as in a run. The other one opens either in turn and runs all
items twice, once to warm up and in seven rounds: so the suites did before they kept a budget. Both
in this process, in turn. Smaller networks (``--width 8 --side 64``) are timed in less than the
budget by either.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from large_submission import MODEL, SAMPLE, SEED, VECTORS, describe, entry
from measuring import Cost, interleaved, print_rounds, ratio
from onnx import TensorProto, helper, numpy_helper

from conformance.jobs.dispatch import Dispatcher
from conformance.plan.jobs import TimeSample
from conformance.plan.requests import request_json
from conformance.runtimes import ModelSource, runtime
from conformance.sandbox.limits import Limits
from conformance.submission.building import build_submission
from conformance.tensorfiles import write_tensors
from conformance.verdicts import Json

TARGET = 0.5
ITEMS, ROUNDS, CLASSES = 4, 7, 1000
BLOCKS = (3, 4, 6, 3)
"""Blocks of each stage of ResNet-50."""
MODELS = ("model.onnx", "sample.onnx")
TIMED, ALL = "timed inference", "seven rounds on all items"


class Layers:
    """The nodes and parameters of a network of convolutions."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.parameters: list[onnx.TensorProto] = []
        self._random = np.random.default_rng(seed)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = f"value{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def drawn(self, shape: tuple[int, ...], inputs: int) -> str:
        """Add a parameter that keeps the size of what passes through it; return its name."""
        array = self._random.normal(scale=(2 / inputs) ** 0.5, size=shape)
        return self._stored(array)

    def convolution(self, x: str, shape: tuple[int, int, int], stride: int = 1) -> str:
        """Add a convolution with its normalization; ``shape`` is outputs, inputs and side."""
        outputs, inputs, side = shape
        weight = self.drawn((outputs, inputs, side, side), inputs * side * side)
        x = self.add("Conv", x, weight, strides=[stride] * 2, pads=[side // 2] * 4)
        norms = [self._stored(np.full(outputs, value)) for value in (1, 0, 0, 1)]
        return self.add("BatchNormalization", x, *norms)

    def block(self, x: str, inputs: int, width: int, stride: int) -> str:
        """Add a bottleneck of three convolutions in parallel to a shortcut."""
        y = self.add("Relu", self.convolution(x, (width, inputs, 1)))
        y = self.add("Relu", self.convolution(y, (width, width, 3), stride))
        y = self.convolution(y, (4 * width, width, 1))
        if inputs != 4 * width:
            x = self.convolution(x, (4 * width, inputs, 1), stride)
        return self.add("Relu", self.add("Add", x, y))

    def _stored(self, array: np.ndarray) -> str:
        name = f"parameter{len(self.parameters)}"
        self.parameters.append(numpy_helper.from_array(array.astype(np.float32), name))
        return name


def residual_network(width: int, side: int, seed: int) -> onnx.ModelProto:
    """Return a ResNet-50 whose first stage has ``width`` channels (64), with drawn parameters."""
    layers, channels = Layers(seed), width
    x = layers.add("Relu", layers.convolution("x", (width, 3, 7), 2))
    x = layers.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for stage, blocks in enumerate(BLOCKS):
        for block in range(blocks):
            stride = 2 if stage and not block else 1
            x = layers.block(x, channels, width << stage, stride)
            channels = 4 * width << stage
    x = layers.add("Flatten", layers.add("GlobalAveragePool", x))
    x = layers.add("MatMul", x, layers.drawn((channels, CLASSES), channels))
    layers.nodes[-1].output[0] = "y"
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
        for name, shape in (("x", (3, side, side)), ("y", (CLASSES,)))
    ]
    graph = helper.make_graph(layers.nodes, MODEL, ports[:1], ports[1:], layers.parameters)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_submission(folder: Path, width: int, side: int) -> None:
    """Write two networks, and what a submission says of them as far as the case reads it."""
    for place, name in enumerate(MODELS):
        onnx.save(residual_network(width, side, SEED + place), folder / name)
    x = np.random.default_rng(SEED).standard_normal((ITEMS, 3, side, side), np.float32)
    for name in ("inputs", "targets", "outputs", "sample"):
        write_tensors(folder / f"{name}.safetensors", {"x": x} if name == "inputs" else {})
    claims: Json = {"compressed_size": 0, "metric_values": [], "tensor_digests": {}}
    metadata = describe(folder, width, {}, claims)
    (model,), (vectors,), (sample,) = (metadata[n] for n in ("models", "vectors", "samples"))
    model["inputs"][0]["shape"], model["outputs"][0]["shape"] = ["N", *x.shape[1:]], ["N", CLASSES]
    vectors["shards"] = [
        {"items": ITEMS, "inputs": [entry(folder, "inputs.safetensors")], "targets": []}
        | {"outputs": []}
    ]
    sample |= {"codec": {"id": "onnx"}, "files": [entry(folder, MODELS[1])]}
    (folder / "submission.json").write_text(json.dumps(metadata), encoding="utf-8")


def timed_inference(folder: Path) -> Json:
    """Return what the case measures that times both networks."""
    metadata = json.loads((folder / "submission.json").read_text("utf-8"))
    job = TimeSample(build_submission(folder, metadata), MODEL, VECTORS, SAMPLE)
    files = {role: str(folder / file.rel_filepath) for role, file in job.files().items()}
    request = json.loads(json.dumps(request_json(job.asks, job.request({}), {})))
    message = {"request": request, "files": files, "results": {}, "out": str(folder)}
    return Dispatcher(Limits.for_machine()).evaluate(message)


def all_rounds(folder: Path) -> None:
    """Open both networks in turn and run all items twice, in eight rounds."""
    x = np.random.default_rng(SEED).standard_normal(shape_of(folder), np.float32)
    limit = Limits.for_machine().tensor_bytes
    for _ in range(1 + ROUNDS):
        for name in MODELS:
            with runtime("onnx").open(ModelSource((folder / name,), (name,), folder, limit)) as it:
                runner = it.bind()
                for _ in range(2):
                    runner.run_batched({"x": x}, ITEMS)


def shape_of(folder: Path) -> tuple[int, ...]:
    """Return the shape of all items."""
    metadata = json.loads((folder / "submission.json").read_text("utf-8"))
    return (ITEMS, *metadata["models"][0]["inputs"][0]["shape"][1:])


def seconds(compute: Callable[[], object]) -> Cost:
    """Return what one call costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    compute()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=64, metavar="N")
    parser.add_argument("--side", type=int, default=224, metavar="N")
    parser.add_argument("--repetitions", type=int, default=2, metavar="N")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_submission(folder, options.width, options.side)
        rounds = interleaved(
            options.repetitions,
            lambda: {
                TIMED: seconds(lambda: timed_inference(folder)),
                ALL: seconds(lambda: all_rounds(folder)),
            },
        )
        found = timed_inference(folder)
    print_rounds(f"Timing {ITEMS} items of {options.side} x {options.side} pixels", rounds)
    print(f"  {found['rounds']} rounds of {found['items']} items were timed")
    print(f"  {TIMED} / {ALL}: {ratio(rounds, TIMED, ALL, TARGET)}")


if __name__ == "__main__":
    main()
