"""Submissions around any network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto

from conformance.sandbox.limits import GIB, Limits
from conformance.tensorfiles import write_tensors
from tests import tiny_submission

LIMITS = Limits(60.0, 60, memory_bytes=8 * GIB, file_bytes=GIB, tensor_bytes=GIB)

MAE = {
    "id": "error",
    "kind": "mae",
    "description": "Mean absolute error.",
    "direction": "lower",
    "tolerance": {"type": "absolute", "bound": 1.0, "inclusive": True},
}
"""Against targets."""

SHIFT = {**MAE, "id": "shift", "against": "original"}
"""How far the outputs lie from the original's."""


def edit(root: Path, change: Any) -> Path:
    """Change the metadata with ``change`` and return the folder."""
    metadata = json.loads((root / "submission.json").read_text(encoding="utf-8"))
    change(metadata)
    tiny_submission.save(root, metadata)
    return root


def with_digests(root: Path) -> Path:
    """List every file with the size and digest that it has now, and return the folder."""

    def renew(value: Any) -> None:
        if isinstance(value, dict) and "sha256" in value:
            value.update(tiny_submission.entry(root, value["rel_filepath"]))
        elif isinstance(value, dict | list):
            for each in value.values() if isinstance(value, dict) else value:
                renew(each)

    return edit(root, renew)


def write_around(
    root: Path,
    made: ModelProto,
    shards: Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]],
    *,
    batched: bool = True,
    metrics: Sequence[Mapping[str, Any]] = (MAE, SHIFT),
) -> Path:
    """Write the tiny submission around another network; ``shards`` are inputs and targets."""
    metadata = tiny_submission.write(root)
    (root / "model.onnx").write_bytes(made.SerializeToString())
    metadata["models"][0].update(files=[tiny_submission.entry(root, "model.onnx")])
    metadata["models"][0].update(metric_values=[])
    metadata["metrics"] = list(metrics)
    listed = []
    for index, (inputs, targets) in enumerate(shards):
        write_tensors(root / f"inputs-{index}.npz", inputs)
        np.savez(root / f"targets-{index}.npz", **targets)
        listed.append(
            {
                "items": len(next(iter(inputs.values()))),
                "inputs": [tiny_submission.entry(root, f"inputs-{index}.npz")],
                "targets": [tiny_submission.entry(root, f"targets-{index}.npz")],
                "outputs": [],
            }
        )
    metadata["vectors"][0].update(shards=listed, batched=batched)
    metadata["samples"] = []
    tiny_submission.save(root, metadata)
    return root


def add_sample(
    root: Path, id: str, content: Mapping[str, np.ndarray] | ModelProto | bytes, **more: Any
) -> None:
    """List a sample of these tensors, network or NNC bitstream, judged by every metric."""
    if isinstance(content, ModelProto):
        name, codec = f"{id}.onnx", "onnx"
        (root / name).write_bytes(content.SerializeToString())
    elif isinstance(content, bytes):
        name, codec = f"{id}.nnc", "nnc"
        (root / name).write_bytes(content)
    else:
        name, codec = f"{id}.safetensors", "tensors"
        write_tensors(root / name, content)

    def change(metadata: dict) -> None:
        file = tiny_submission.entry(root, name)
        method = {"summary": "Trained anew.", "retraining": True}
        method["software"] = [{"name": "numpy", "version": np.__version__}]
        method |= {"parameter_reduction": [], "quantisation": [], "entropy_coding": []}
        metrics = [{"metric": m["id"], "vectors": "test"} for m in metadata["metrics"]]
        claims = {"compressed_size": file["size"], "metric_values": [], "tensor_digests": {}}
        metadata["samples"].append(
            {
                "id": id,
                "model": "linear",
                "title": id,
                "files": [file],
                "codec": {"id": codec, "params": {}},
                "lossless": False,
                "method": method,
                "features": [],
                "metrics": metrics,
                "claims": claims,
                **more,
            }
        )

    edit(root, change)
