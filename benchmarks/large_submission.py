"""A submission with a large network: true hashes, sizes and digests, few items, one float16 sample.

Used by ``bench_memory.py``. The network is a stack of square matrices with a ReLU after each, all
parameters in one ONNX file of float32; the sample holds them in float16, in a safetensors file.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from conformance.codecs.encoded import plain
from conformance.codecs.tensors_writer import write as write_sample
from conformance.tensorfiles import tensor_digest, write_tensors

LAYERS = 6
ITEMS = 4
SEED = 15938
MODEL, SAMPLE, VECTORS, METRIC = "stack", "float16", "random", "distance"

Array: TypeAlias = NDArray[Any]
Weights: TypeAlias = dict[str, Array]
Json: TypeAlias = dict[str, Any]


def write_submission(folder: Path, parameters: int) -> int:
    """Write a network of at least ``parameters`` parameters and all about it into ``folder``.

    Returns the size of the model file in bytes.
    """
    width = math.ceil(math.sqrt(parameters / LAYERS))
    weights = make_weights(width)
    rounded = {name: weight.astype(np.float16) for name, weight in weights.items()}
    items = np.random.default_rng(SEED + 1).standard_normal((ITEMS, width), np.float32)
    onnx.save(make_model(weights), folder / "model.onnx")
    params = write_sample(folder / "sample.safetensors", {n: plain(w) for n, w in rounded.items()})
    outputs, approximate = run(weights, items), run(rounded, items)
    value = float(np.square(approximate.astype(np.float64) - outputs).mean())
    arrays = {"inputs": {"x": items}, "outputs": {"y": outputs}}
    for name, named in arrays.items():
        write_tensors(folder / f"{name}.safetensors", named)
    write_tensors(folder / "targets.safetensors", {"target": np.zeros(ITEMS, np.int64)})
    claims = {
        "compressed_size": (folder / "sample.safetensors").stat().st_size,
        "metric_values": [{"metric": METRIC, "vectors": VECTORS, "value": value}],
        "tensor_digests": {name: tensor_digest(array) for name, array in rounded.items()},
    }
    metadata = describe(folder, width, params, claims)
    (folder / "submission.json").write_text(json.dumps(metadata, indent=2), encoding="utf-8")
    return (folder / "model.onnx").stat().st_size


def bytes_needed(parameters: int) -> int:
    """Return the room on disk that the submission takes, with some to spare."""
    return 7 * parameters + (16 << 20)


def make_weights(width: int) -> Weights:
    """Return square matrices that keep the size of what passes through them."""
    random = np.random.default_rng(SEED)
    scale = np.float32(math.sqrt(2 / width))
    return {
        f"layer{index}.weight": random.standard_normal((width, width), np.float32) * scale
        for index in range(LAYERS)
    }


def make_model(weights: Weights) -> onnx.ModelProto:
    """Return the network: ``y = relu(... relu(x W0) ...)``."""
    width = len(next(iter(weights.values())))
    nodes, given = [], "x"
    for index, name in enumerate(weights):
        result = "y" if index == len(weights) - 1 else f"out{index}"
        nodes.append(helper.make_node("MatMul", [given, name], [f"product{index}"]))
        nodes.append(helper.make_node("Relu", [f"product{index}"], [result]))
        given = result
    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", width]) for n in "xy"]
    initializers = [numpy_helper.from_array(weight, name) for name, weight in weights.items()]
    graph = helper.make_graph(nodes, MODEL, ports[:1], ports[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def run(weights: Weights, items: Array) -> Array:
    """Return the outputs of the network."""
    for weight in weights.values():
        items = np.maximum(items @ weight.astype(np.float32), 0)
    return items


def describe(folder: Path, width: int, params: Json, claims: Json) -> Json:
    """Return the metadata of the files in ``folder``."""
    use, tolerance = {"metric": METRIC, "vectors": VECTORS}, {"type": "absolute", "bound": 1e-3}
    shape = ["N", width]
    return {
        "schema_version": "1.0",
        "id": "large",
        "title": "A stack of large matrices",
        "description": "Random parameters: a network to measure memory with.",
        "contributor": "nnr-conformance project",
        "mdms_number": None,
        "conforms_to": ["ISO/IEC 15938-17:2024"],
        "license": "BSD-3-Clause",
        "version": "1.0.0",
        "published": False,
        "use_cases": [{"id": "memory", "title": "Memory", "description": "Measure memory."}],
        "models": [
            {
                "id": MODEL,
                "title": "Square matrices",
                "format": "onnx",
                "network_type": "mlp",
                "files": [entry(folder, "model.onnx")],
                "inputs": [{"name": "x", "dtype": "float32", "shape": shape}],
                "outputs": [{"name": "y", "dtype": "float32", "shape": shape}],
                "parameter_count": LAYERS * width * width,
                "use_cases": ["memory"],
                "training_data": ["none"],
                "test_data": ["points"],
                "metric_values": [{**use, "value": 0.0}],
            }
        ],
        "datasets": [dataset("none", "train"), dataset("points", "test")],
        "metrics": [
            {
                "id": METRIC,
                "kind": "mse",
                "description": "Squared difference to the original's outputs.",
                "direction": "lower",
                "against": "original",
                "tolerance": {**tolerance, "inclusive": True},
            }
        ],
        "vectors": [
            {
                "id": VECTORS,
                "model": MODEL,
                "dataset": "points",
                "batched": True,
                "output_tolerance": {"atol": 1e-3, "rtol": 1e-3},
                "shards": [
                    {
                        "items": ITEMS,
                        "inputs": [entry(folder, "inputs.safetensors")],
                        "targets": [entry(folder, "targets.safetensors")],
                        "outputs": [entry(folder, "outputs.safetensors")],
                    }
                ],
            }
        ],
        "samples": [sample(folder, params, claims)],
        "associated_files": [],
    }


def sample(folder: Path, params: Json, claims: Json) -> Json:
    """Return the metadata of the sample."""
    return {
        "id": SAMPLE,
        "model": MODEL,
        "title": "The network in half precision",
        "codec": {"id": "tensors", "params": params},
        "files": [entry(folder, "sample.safetensors")],
        "lossless": False,
        "method": {
            "summary": "Parameters rounded to float16.",
            "parameter_reduction": [],
            "quantisation": ["float16"],
            "entropy_coding": [],
            "retraining": False,
            "software": [{"name": "numpy", "version": np.__version__}],
        },
        "features": ["float16", "format:safetensors"],
        "metrics": [{"metric": METRIC, "vectors": VECTORS}],
        "claims": claims,
    }


def dataset(id: str, split: str) -> Json:
    """Return the metadata of a data set that was drawn at random."""
    return {
        "id": id,
        "name": "Random points",
        "version": "1",
        "url": "https://example.org/points",
        "license": "CC0-1.0",
        "split": split,
        "items": ITEMS,
        "description": "Points drawn from a normal distribution.",
    }


def entry(folder: Path, name: str) -> Json:
    """Return name, size and SHA-256 of a file."""
    with (folder / name).open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"rel_filepath": name, "size": (folder / name).stat().st_size, "sha256": digest}
