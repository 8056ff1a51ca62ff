"""A tiny, whole submission for tests: one linear network, 40 items, three samples."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from conformance.tensorfiles import tensor_digest, write_tensors

ITEMS, FEATURES, CLASSES = 40, 6, 3


def weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {
        "fc.weight": rng.normal(size=(FEATURES, CLASSES)).astype(np.float32),
        "fc.bias": rng.normal(size=CLASSES).astype(np.float32),
    }


def model_bytes(parameters: dict[str, np.ndarray]) -> bytes:
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "fc.weight"], ["product"]),
            helper.make_node("Add", ["product", "fc.bias"], ["logits"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", FEATURES])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES])],
        [numpy_helper.from_array(array, name) for name, array in parameters.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def logits(parameters: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    return x @ parameters["fc.weight"].astype(np.float32) + parameters["fc.bias"]


def points() -> tuple[np.ndarray, np.ndarray]:
    """Return the inputs, and the labels: four of them are not what the original gives."""
    x = np.random.default_rng(8).normal(size=(ITEMS, FEATURES)).astype(np.float32)
    label = logits(weights(), x).argmax(axis=1).astype(np.int64)
    label[:4] = (label[:4] + 1) % CLASSES
    return x, label


def metric_values(parameters: Mapping[str, np.ndarray]) -> list[dict]:
    """Return what is to be claimed of a network with these parameters."""
    x, label = points()
    with np.errstate(over="ignore", invalid="ignore"):
        found = logits(dict(parameters), x)
        distance = float(np.square((found - logits(weights(), x)).astype(np.float64)).mean())
    values = {"top1": float((found.argmax(axis=1) == label).mean()), "distance": distance}
    return [
        {"metric": name, "vectors": "test", "value": value if np.isfinite(value) else 0.0}
        for name, value in values.items()
    ]


def entry(root: Path, name: str) -> dict[str, object]:
    data = (root / name).read_bytes()
    return {
        "rel_filepath": name,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def write(root: Path) -> dict:
    """Write the submission into ``root`` and return its metadata."""
    root.mkdir(parents=True, exist_ok=True)
    parameters = weights()
    rounded = {n: a.astype(np.float16) for n, a in parameters.items()}
    x, label = points()
    outputs = logits(parameters, x)
    (root / "model.onnx").write_bytes(model_bytes(parameters))
    as_float32 = {n: a.astype(np.float32) for n, a in rounded.items()}
    (root / "half.onnx").write_bytes(model_bytes(as_float32))
    write_tensors(root / "half.safetensors", rounded)
    write_tensors(root / "exact.safetensors", parameters)
    np.savez(root / "inputs.npz", x=x)
    np.savez(root / "targets.npz", label=label)
    np.savez(root / "outputs.npz", logits=outputs)
    metadata = _metadata(root, parameters, rounded, as_float32)
    save(root, metadata)
    return metadata


def save(root: Path, metadata: dict) -> None:
    """Write changed metadata back."""
    (root / "submission.json").write_text(json.dumps(metadata, indent=2), encoding="utf-8")


def _sample(root: Path, name: str, file: str, codec: str, digests: dict, **more: object) -> dict:
    compressed = entry(root, file)
    lossless = bool(more.pop("lossless", False))
    values = metric_values(more.pop("parameters", weights()))  # type: ignore[arg-type]
    return {
        "id": name,
        "model": "linear",
        "title": name,
        "codec": {"id": codec, "params": {}},
        "files": [compressed],
        "lossless": lossless,
        "method": {
            "summary": "Rounded to float16." if not lossless else "Stored as it is.",
            "parameter_reduction": [],
            "quantisation": [] if lossless else ["float16"],
            "entropy_coding": [],
            "retraining": False,
            "software": [{"name": "numpy", "version": np.__version__}],
        },
        "features": more.pop("features"),
        "metrics": []
        if lossless
        else [{"metric": m, "vectors": "test"} for m in ("top1", "distance")],
        "claims": {
            "compressed_size": compressed["size"],
            "metric_values": values[:1] if lossless else values,
            "tensor_digests": digests,
        },
    }


def _metadata(root: Path, parameters: dict, rounded: dict, as_float32: dict) -> dict:
    digests = [
        {n: tensor_digest(a) for n, a in arrays.items()}
        for arrays in (parameters, rounded, as_float32)
    ]
    dataset = {
        "name": "Random points",
        "version": "1",
        "url": "https://example.org/points",
        "license": "CC0-1.0",
        "items": ITEMS,
        "description": "Points drawn from a normal distribution.",
    }
    metric = {"description": "A metric.", "args": {}}
    return copy.deepcopy(
        {
            "schema_version": "1.0",
            "id": "tiny",
            "title": "A tiny network",
            "description": "One linear layer, for tests.",
            "contributor": "nnr-conformance project",
            "mdms_number": None,
            "conforms_to": ["ISO/IEC 15938-17:2024"],
            "license": "BSD-3-Clause",
            "version": "1.0.0",
            "published": False,
            "use_cases": [{"id": "points", "title": "Points", "description": "Sort points."}],
            "models": [
                {
                    "id": "linear",
                    "title": "Linear classifier",
                    "format": "onnx",
                    "network_type": "mlp",
                    "files": [entry(root, "model.onnx")],
                    "inputs": [{"name": "x", "dtype": "float32", "shape": ["N", FEATURES]}],
                    "outputs": [{"name": "logits", "dtype": "float32", "shape": ["N", CLASSES]}],
                    "parameter_count": FEATURES * CLASSES + CLASSES,
                    "use_cases": ["points"],
                    "training_data": ["train"],
                    "test_data": ["test"],
                    "metric_values": metric_values(parameters),
                }
            ],
            "datasets": [
                {"id": "train", "split": "train", **dataset},
                {"id": "test", "split": "test", **dataset},
            ],
            "metrics": [
                {
                    **metric,
                    "id": "top1",
                    "kind": "top-k-accuracy",
                    "direction": "higher",
                    "args": {"k": 1},
                    "tolerance": {"type": "absolute", "bound": 0.05, "inclusive": True},
                },
                {
                    **metric,
                    "id": "distance",
                    "kind": "mse",
                    "direction": "lower",
                    "against": "original",
                    "tolerance": {"type": "absolute", "bound": 1e-4, "inclusive": True},
                },
            ],
            "vectors": [
                {
                    "id": "test",
                    "model": "linear",
                    "dataset": "test",
                    "batched": True,
                    "output_tolerance": {"atol": 1e-5, "rtol": 1e-4},
                    "shards": [
                        {
                            "items": ITEMS,
                            "inputs": [entry(root, "inputs.npz")],
                            "targets": [entry(root, "targets.npz")],
                            "outputs": [entry(root, "outputs.npz")],
                        }
                    ],
                }
            ],
            "samples": [
                _sample(
                    root,
                    "half",
                    "half.safetensors",
                    "tensors",
                    digests[1],
                    features=["float16", "format:safetensors"],
                    parameters=as_float32,
                ),
                _sample(
                    root,
                    "half-onnx",
                    "half.onnx",
                    "onnx",
                    digests[2],
                    features=["format:onnx"],
                    parameters=as_float32,
                ),
                _sample(
                    root,
                    "exact",
                    "exact.safetensors",
                    "tensors",
                    digests[0],
                    lossless=True,
                    features=["float32", "format:safetensors"],
                ),
            ],
            "associated_files": [],
        }
    )
