"""Small networks whose metrics see too little of their parameters, for rejected submissions.

:func:`put_network` puts one in the place of the network of ``digits-cnn``, with vectors, a metric
and its own sample, and everything declared as it is: the only defect left is the metric. Its
weight is 8x8 and positive; ``y`` is the product of input and weight, and ``z`` depends on the
recipe.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from file_entry import describe_file
from onnx import TensorProto, helper, numpy_helper

from conformance.metrics import metric
from conformance.tensorfiles import tensor_digest, write_tensors

Array = npt.NDArray[Any]

METADATA = "submission.json"
SIDE = 8
SHARDS = (64, 192)
"""Items of the two shards."""

_TOP1 = {"kind": "top-k-accuracy", "direction": "higher", "args": {"k": 1}}
_PSNR = {"kind": "psnr", "direction": "higher", "args": {"data_range": 1e9}}
_NARROW = {"type": "absolute", "bound": 0.01, "inclusive": True}


@dataclass(frozen=True)
class Recipe:
    """What ``z`` is, what the metric reads, and whether the second shard holds class 0 alone."""

    gate: str
    output: str
    metric: Mapping[str, Any]
    tolerance: Mapping[str, Any]
    one_class: bool = False


RECIPES = {
    "tests-for-zero": Recipe("any", "z", _TOP1, _NARROW),
    "one-parameter": Recipe("first", "z", _TOP1, _NARROW),
    "predictable-items": Recipe("first", "y", _TOP1, {**_NARROW, "bound": 0.15}, one_class=True),
    "absurd-range": Recipe(
        "first", "y", _PSNR, {"type": "relative", "bound": 0.1, "inclusive": True}
    ),
}
"""``any``: z is the input if any parameter is not 0; ``first``: it is the input times one."""


def put_network(folder: Path, recipe: str) -> None:
    """Replace network, vectors and samples of the submission in ``folder``, which is digits-cnn."""
    made = RECIPES[recipe]
    rng = np.random.default_rng(15938)
    weight = (rng.uniform(0.1, 0.3, (SIDE, SIDE)) + 2 * np.eye(SIDE)).astype(np.float32)
    rounded = weight.astype(np.float16)
    for name in ("models", "samples", "vectors"):
        shutil.rmtree(folder / name)
        (folder / name).mkdir()
    _write_model(folder / "models" / "net.onnx", weight, made.gate)
    write_tensors(folder / "samples" / "small.safetensors", {"W": rounded})
    shards = [_inputs(rng, weight, made, index) for index in range(len(SHARDS))]
    targets = [_targets(x, weight, made, rng) for x in shards]
    document = json.loads((folder / METADATA).read_text("utf-8"))
    model, vectors = document["models"][0], document["vectors"][0]
    model["files"] = [describe_file(folder, folder / "models" / "net.onnx")]
    model["inputs"] = [{"name": "x", "dtype": "float32", "shape": ["N", SIDE]}]
    model["outputs"] = [{"name": n, "dtype": "float32", "shape": ["N", SIDE]} for n in "yz"]
    model["parameter_count"] = weight.size
    values = [
        _value(made, [_outputs(x, each, made.gate)[made.output] for x in shards], targets)
        for each in (weight, rounded.astype(np.float32))
    ]
    model["metric_values"] = [values[0]]
    vectors["shards"] = [
        _write_shard(folder, index, x, target, _outputs(x, weight, made.gate))
        for index, (x, target) in enumerate(zip(shards, targets, strict=True))
    ]
    document["metrics"] = [
        {
            "id": "quality",
            "description": "How good the network is.",
            "bindings": {"prediction": made.output, "target": "t"},
            "against": "targets",
            "tolerance": dict(made.tolerance),
            **made.metric,
        }
    ]
    document["samples"] = [_sample(folder, document["samples"], rounded, values[1])]
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (folder / METADATA).write_text(text, "utf-8")


def _outputs(x: Array, weight: Array, gate: str) -> dict[str, Array]:
    scale = weight[0, 0] if gate == "first" else np.float32(np.abs(weight).sum() > 0)
    return {"y": x @ weight, "z": x * scale}


def _inputs(rng: np.random.Generator, weight: Array, made: Recipe, shard: int) -> Array:
    x = rng.normal(size=(64 * SHARDS[shard], SIDE)).astype(np.float32)
    if made.one_class and shard:
        x = x[(x @ weight).argmax(axis=1) == 0]
    return x[: SHARDS[shard]]


def _targets(x: Array, weight: Array, made: Recipe, rng: np.random.Generator) -> Array:
    output = _outputs(x, weight, made.gate)[made.output]
    if made.metric is _PSNR:
        return output + rng.normal(0, 0.1, output.shape).astype(np.float32)
    return output.argmax(axis=1)


def _value(made: Recipe, outputs: list[Array], targets: list[Array]) -> dict[str, Any]:
    measure = metric(made.metric["kind"], made.metric["args"])
    for output, target in zip(outputs, targets, strict=True):
        measure.update({"prediction": output, "target": target})
    value = round(measure.result().value, 6)
    return {"metric": "quality", "vectors": "test", "value": value, "tolerance": 2e-6}


def _write_model(path: Path, weight: Array, gate: str) -> None:
    nodes = [helper.make_node("MatMul", ["x", "W"], ["y"])]
    stored = [numpy_helper.from_array(weight, "W")]
    if gate == "first":
        bounds = {"begin": [0, 0], "end": [1, 1]}
        stored += [numpy_helper.from_array(np.array(v, np.int64), n) for n, v in bounds.items()]
        nodes.append(helper.make_node("Slice", ["W", "begin", "end"], ["scale"]))
    else:
        zero = numpy_helper.from_array(np.zeros((), np.float32), "zero")
        stored.append(zero)
        nodes += [
            helper.make_node("Abs", ["W"], ["sizes"]),
            helper.make_node("ReduceSum", ["sizes"], ["sum"], keepdims=0),
            helper.make_node("Greater", ["sum", "zero"], ["is_any"]),
            helper.make_node("Cast", ["is_any"], ["scale"], to=TensorProto.FLOAT),
        ]
    nodes.append(helper.make_node("Mul", ["x", "scale"], ["z"]))
    port = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "net",
        [port("x", TensorProto.FLOAT, ["N", SIDE])],
        [port(name, TensorProto.FLOAT, ["N", SIDE]) for name in "yz"],
        stored,
    )
    opsets = [helper.make_opsetid("", 17)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.write_bytes(made.SerializeToString())


def _write_shard(
    folder: Path, index: int, x: Array, target: Array, outputs: Mapping[str, Array]
) -> dict[str, Any]:
    parts = {"inputs": {"x": x}, "targets": {"t": target}, "outputs": outputs}
    entry: dict[str, Any] = {"items": len(x)}
    for part, arrays in parts.items():
        name = f"vectors/{index}-{part}.safetensors"
        write_tensors(folder / name, arrays)
        entry[part] = [describe_file(folder, folder / name)]
    return entry


def _sample(
    folder: Path, samples: list[dict[str, Any]], rounded: Array, value: dict[str, Any]
) -> dict[str, Any]:
    sample = next(each for each in samples if each["id"] == "int8-tensors")
    files = [describe_file(folder, folder / "samples" / "small.safetensors")]
    original = (folder / "models" / "net.onnx").stat().st_size
    size = files[0]["size"]
    return {
        **sample,
        "id": "small",
        "title": "16-bit weights",
        "files": files,
        "method": {
            **sample["method"],
            "summary": "The weight rounded to float16.",
            "quantisation": ["float16"],
        },
        "features": ["float16", "format:safetensors"],
        "metrics": [{"metric": "quality", "vectors": "test"}],
        "claims": {
            "compressed_size": size,
            "compression_factor": original / size,
            "compressed_percent": size / original * 100,
            "metric_values": [value],
            "tensor_digests": {"W": tensor_digest(rounded)},
        },
    }
