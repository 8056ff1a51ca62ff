"""The reference vectors: 720 test scans in two shards, one as .npz and one as .safetensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from digits_data import Part
from file_entry import describe_file
from network import INPUT, OUTPUT
from reference import evaluate

from conformance.tensorfiles import write_tensors

TARGET = "label"
SHARD_ITEMS = 360


def write_shards(root: Path, model: onnx.ModelProto, test: Part) -> list[dict[str, Any]]:
    """Write the vector files below ``root`` and return the metadata of the shards.

    Expected outputs are those of :mod:`reference`, rounded to float32.
    """
    logits = evaluate(model, test.images, [OUTPUT])[OUTPUT].astype(np.float32)
    (root / "vectors").mkdir()
    shards = []
    for number, (start, suffix) in enumerate(((0, ".npz"), (SHARD_ITEMS, ".safetensors"))):
        chosen = slice(start, start + SHARD_ITEMS)
        shard: dict[str, Any] = {"items": SHARD_ITEMS}
        for role, name, values in (
            ("inputs", INPUT, test.images),
            ("targets", TARGET, test.labels),
            ("outputs", OUTPUT, logits),
        ):
            path = root / "vectors" / f"test-{number}-{name}{suffix}"
            write_tensors(path, {name: values[chosen]})
            shard[role] = [describe_file(root, path)]
        shards.append(shard)
    return shards
