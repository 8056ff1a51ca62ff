"""A small valid submission, written to a folder, for tests to damage."""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

CONTENTS = {
    "models/net.onnx": b"a network",
    "vectors/inputs.npz": b"inputs of the test",
    "vectors/targets.npz": b"targets",
    "vectors/outputs.npz": b"outputs of the original",
    "samples/int8.npz": b"int8",
    "samples/exact.xz": b"exactly the same",
    "README.txt": b"read me",
}


def entry(path: str, content: bytes | None = None) -> dict[str, Any]:
    """The entry that lists a file."""
    data = CONTENTS[path] if content is None else content
    return {
        "rel_filepath": path,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def dataset(id: str, split: str) -> dict[str, Any]:
    return {
        "id": id,
        "name": "Digits",
        "version": "1998",
        "url": "https://example.org/digits",
        "license": "CC-BY-4.0",
        "split": split,
        "items": 100,
    }


def sample(id: str, path: str, lossless: bool) -> dict[str, Any]:
    return {
        "id": id,
        "model": "net",
        "title": f"the sample {id}",
        "codec": {"id": "tensors", "params": {}},
        "files": [entry(path)],
        "lossless": lossless,
        "method": {
            "summary": "rounding",
            "parameter_reduction": [],
            "quantisation": ["int8"],
            "entropy_coding": [],
            "retraining": False,
            "software": [{"name": "numpy", "version": "2.4"}],
        },
        "features": [],
        "metrics": [] if lossless else [{"metric": "top1", "vectors": "test"}],
        "claims": {
            "compressed_size": len(CONTENTS[path]),
            "metric_values": [{"metric": "top1", "vectors": "test", "value": 0.96}],
            "tensor_digests": {"w": "0" * 64},
        },
    }


VALID: dict[str, Any] = {
    "schema_version": "1.0",
    "id": "tiny",
    "title": "A tiny submission",
    "description": "For tests.",
    "contributor": "Example Institute",
    "mdms_number": None,
    "conforms_to": ["ISO/IEC 15938-17:2024"],
    "license": "CC-BY-4.0",
    "version": "1.0.0",
    "published": False,
    "use_cases": [{"id": "digits", "title": "Digits", "description": "Read digits."}],
    "models": [
        {
            "id": "net",
            "title": "A net",
            "format": "onnx",
            "network_type": "cnn",
            "files": [entry("models/net.onnx")],
            "inputs": [{"name": "x", "dtype": "float32", "shape": ["N", 4, None]}],
            "outputs": [{"name": "y", "dtype": "float32", "shape": ["N", 2]}],
            "parameter_count": 10,
            "use_cases": ["digits"],
            "training_data": ["train-data"],
            "test_data": ["test-data"],
            "metric_values": [{"metric": "top1", "vectors": "test", "value": 0.97}],
        }
    ],
    "datasets": [dataset("train-data", "train"), dataset("test-data", "test")],
    "metrics": [
        {
            "id": "top1",
            "kind": "top-k-accuracy",
            "description": "Share of right answers.",
            "direction": "higher",
            "args": {"k": 1},
            "tolerance": {"type": "absolute", "bound": 0.02, "inclusive": True},
        }
    ],
    "vectors": [
        {
            "id": "test",
            "model": "net",
            "dataset": "test-data",
            "batched": True,
            "output_tolerance": {"atol": 1e-5, "rtol": 1e-4},
            "shards": [
                {
                    "items": 100,
                    "inputs": [entry("vectors/inputs.npz")],
                    "targets": [entry("vectors/targets.npz")],
                    "outputs": [entry("vectors/outputs.npz")],
                }
            ],
        }
    ],
    "samples": [
        sample("int8", "samples/int8.npz", lossless=False),
        sample("exact", "samples/exact.xz", lossless=True),
    ],
    "associated_files": [entry("README.txt")],
}


def valid() -> dict[str, Any]:
    """A fresh copy of the valid metadata."""
    return copy.deepcopy(VALID)


def second_model(data: dict[str, Any]) -> None:
    """Add a different model with its own vectors, made of the same files."""
    model = copy.deepcopy(data["models"][0])
    model["id"] = "net2"
    model["metric_values"][0]["vectors"] = "test2"
    vectors = copy.deepcopy(data["vectors"][0])
    vectors.update(id="test2", model="net2")
    data["models"].append(model)
    data["vectors"].append(vectors)


def write_files(folder: Path) -> None:
    for path, content in CONTENTS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def write_metadata(folder: Path, data: Any) -> None:
    text = data if isinstance(data, str) else json.dumps(data, indent=2)
    (folder / "submission.json").write_text(text, "utf-8")


def at(data: Any, pointer: str) -> Any:
    """The value at an RFC 6901 pointer."""
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        data = data[int(key)] if isinstance(data, list) else data[key]
    return data


def put(data: Any, pointer: str, value: Any) -> None:
    """Set the value at a pointer."""
    above, _, key = pointer.rpartition("/")
    owner = at(data, above)
    owner[int(key) if isinstance(owner, list) else key] = value


def drop(data: Any, pointer: str) -> None:
    """Delete the value at a pointer."""
    above, _, key = pointer.rpartition("/")
    owner = at(data, above)
    del owner[int(key) if isinstance(owner, list) else key]
