"""The tiny submission with its network twice: as it is, and with inputs and output transposed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from tests import tiny_submission

OTHER = "turned"
ENTRY = {
    "vectors": "test",
    "inputs": [{"name": "columns", "of": "x", "transpose": [1, 0]}],
    "outputs": [{"name": "scores", "of": "logits", "transpose": [1, 0]}],
}


def turned_model(change: float = 0.0) -> bytes:
    """The linear network that takes and gives one column an item, with a bias moved by change."""
    weights = tiny_submission.weights()
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["weight", "columns"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["scores"]),
        ],
        "turned",
        [helper.make_tensor_value_info("columns", TensorProto.FLOAT, [6, "N"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [3, "N"])],
        [
            numpy_helper.from_array(np.ascontiguousarray(weights["fc.weight"].T), "weight"),
            numpy_helper.from_array(weights["fc.bias"][:, None] + np.float32(change), "bias"),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def add_turned(root: Path, *, change: float = 0.0, entry: dict | None = None) -> dict[str, Any]:
    """Add the other format to the tiny submission in ``root``, and return the metadata."""
    metadata = json.loads((root / "submission.json").read_text("utf-8"))
    x = np.load(root / "inputs.npz")["x"]
    logits = np.load(root / "outputs.npz")["logits"]
    (root / "turned.onnx").write_bytes(turned_model(change))
    np.savez(root / "turned-inputs.npz", columns=np.ascontiguousarray(x.T))
    scores = np.ascontiguousarray((logits + np.float32(change)).T)
    np.savez(root / "turned-outputs.npz", scores=scores)
    model = json.loads(json.dumps(metadata["models"][0]))
    model |= {
        "id": OTHER,
        "files": [tiny_submission.entry(root, "turned.onnx")],
        "inputs": [{"name": "columns", "dtype": "float32", "shape": [6, "N"]}],
        "outputs": [{"name": "scores", "dtype": "float32", "shape": [3, "N"]}],
        "metric_values": [{"metric": "top1", "vectors": OTHER, "value": 0.9}],
    }
    vectors = json.loads(json.dumps(metadata["vectors"][0]))
    vectors |= {
        "id": OTHER,
        "model": OTHER,
        "batched": False,
        "shards": [
            {
                "items": 1,
                "inputs": [tiny_submission.entry(root, "turned-inputs.npz")],
                "targets": [tiny_submission.entry(root, "targets.npz")],
                "outputs": [tiny_submission.entry(root, "turned-outputs.npz")],
            }
        ],
        "equivalent_to": entry or ENTRY,
    }
    metadata["vectors"][0]["batched"] = False
    metadata["vectors"][0]["shards"][0]["items"] = 1
    metadata["models"].append(model)
    metadata["vectors"].append(vectors)
    # Top-1 counts rows: on columns it would need another axis, so that only the error is measured.
    metadata["metrics"] = [m for m in metadata["metrics"] if m["id"] != "top1"]
    for owner, vectors_id in zip(metadata["models"], ("test", OTHER), strict=True):
        owner["metric_values"] = [{"metric": "distance", "vectors": vectors_id, "value": 0}]
    for sample in metadata["samples"]:
        sample["metrics"] = [u for u in sample["metrics"] if u["metric"] != "top1"]
        claims = sample["claims"]
        claims["metric_values"] = [v for v in claims["metric_values"] if v["metric"] != "top1"]
    tiny_submission.save(root, metadata)
    return metadata


def add_noise(root: Path, metadata: dict[str, Any], noise: float) -> None:
    """Judge every sample by a metric whose targets differ by ``noise`` between the formats."""
    logits = np.load(root / "outputs.npz")["logits"]
    np.savez(root / "t.npz", t=logits)
    np.savez(root / "turned-t.npz", t=np.ascontiguousarray(logits.T) + np.float32(noise))
    metadata["metrics"].append(
        {
            "id": "error",
            "kind": "mae",
            "description": "Mean absolute error.",
            "direction": "lower",
            "bindings": {"target": "t"},
            "tolerance": {"type": "absolute", "bound": 0.01, "inclusive": True},
        }
    )
    for vectors, file in zip(metadata["vectors"], ("t.npz", "turned-t.npz"), strict=True):
        vectors["shards"][0]["targets"].append(tiny_submission.entry(root, file))
        owner = next(m for m in metadata["models"] if m["id"] == vectors["model"])
        value = noise if owner["id"] == OTHER else 0.0
        owner["metric_values"].append(
            {"metric": "error", "vectors": vectors["id"], "value": value, "tolerance": 1e-5}
        )
    for sample in metadata["samples"]:
        if not sample["lossless"]:
            sample["metrics"].append({"metric": "error", "vectors": "test"})
            value = {"metric": "error", "vectors": "test", "value": _error_of_half()}
            sample["claims"]["metric_values"].append(value)
    tiny_submission.save(root, metadata)


def _error_of_half() -> float:
    """Return the mean absolute error of the outputs with parameters rounded to float16."""
    weights, (x, _) = tiny_submission.weights(), tiny_submission.points()
    rounded = {name: array.astype(np.float16).astype(np.float32) for name, array in weights.items()}
    difference = tiny_submission.logits(rounded, x) - tiny_submission.logits(weights, x)
    return float(np.abs(difference).mean())
