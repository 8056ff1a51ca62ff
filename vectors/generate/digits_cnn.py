"""Write the bundled submission ``digits-cnn``, to the same bytes each time.

    python vectors/generate/digits_cnn.py [--nncodec PYTHON] [FOLDER]

FOLDER is ``vectors/submissions/digits-cnn`` unless given; it is replaced. Everything is made from
the committed weights (``train_digits_cnn.py`` wrote them) and scikit-learn's digits. The NNC
bitstreams are committed too; with ``--nncodec`` they are made again first, by NNCodec 2.1.3 in the
environment of the interpreter PYTHON. One idea per module:

    digits_data       the scans and how they are split
    network           the network as an ONNX model
    reference         its outputs in float64
    vector_files      the reference vectors
    onnx_samples      the samples that are ONNX models
    tensor_samples    the samples that are files of tensors
    stream_samples    the samples that are NNC bitstreams; encode_streams runs NNCodec for it
    description       texts, references, metrics
    measure           claims, measured by this project's own evaluation
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from description import DATASETS, HEAD, METRICS, MODEL, VECTOR_SET
from digits_data import load_digits_split
from file_entry import describe_file
from measure import fill_in_measured
from network import INPUT, OUTPUT, Weights, build_model
from onnx_samples import onnx_recipes
from safetensors.numpy import load_file
from samples import SampleRecipe
from stream_samples import encode_streams, stream_recipes
from tensor_samples import tensor_recipes
from vector_files import write_shards

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "digits_cnn_weights.safetensors"
README = HERE / "digits_cnn_readme.md"
TARGET = HERE.parent / "submissions" / MODEL
METADATA = "submission.json"


def write_submission(root: Path) -> None:
    """Write the whole submission to ``root``, which must be empty or not exist.

    The metadata are written twice: once with empty claims, for the evaluation to read, and once
    with what it measured.
    """
    root.mkdir(parents=True, exist_ok=True)
    weights = load_file(WEIGHTS)
    training, test = load_digits_split()
    model = build_model(weights)
    (root / "models").mkdir()
    (root / "models" / f"{MODEL}.onnx").write_bytes(model.SerializeToString())
    shutil.copyfile(README, root / "README.md")
    shards = write_shards(root, model, test)
    recipes = [
        *onnx_recipes(weights, training.images),
        *tensor_recipes(weights),
        *stream_recipes(),
    ]
    document = {
        **HEAD,
        "models": [_model_entry(root, weights)],
        "datasets": DATASETS,
        "metrics": METRICS,
        "vectors": [_vectors_entry(shards)],
        "samples": _write_samples(root, recipes),
        "associated_files": [describe_file(root, root / "README.md")],
    }
    _write_json(root, document)
    within = {recipe.id: recipe.claimed_within for recipe in recipes}
    _write_json(root, fill_in_measured(root, document, within))


def _model_entry(root: Path, weights: Weights) -> dict[str, Any]:
    return {
        "id": MODEL,
        "title": "Two convolutions with batch normalisation and two dense layers",
        "format": "onnx",
        "network_type": "cnn",
        "files": [describe_file(root, root / "models" / f"{MODEL}.onnx")],
        "inputs": [{"name": INPUT, "dtype": "float32", "shape": ["N", 1, 8, 8]}],
        "outputs": [{"name": OUTPUT, "dtype": "float32", "shape": ["N", 10]}],
        "parameter_count": int(sum(np.size(value) for value in weights.values())),
        "use_cases": [use_case["id"] for use_case in HEAD["use_cases"]],
        "training_data": [DATASETS[0]["id"]],
        "test_data": [DATASETS[1]["id"]],
        "metric_values": [
            {"metric": metric["id"], "vectors": VECTOR_SET, "value": 0} for metric in METRICS
        ],
    }


def _vectors_entry(shards: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": VECTOR_SET,
        "model": MODEL,
        "dataset": DATASETS[1]["id"],
        "batched": True,
        "output_tolerance": {"atol": 1e-4, "rtol": 1e-5},
        "shards": shards,
    }


def _write_samples(root: Path, recipes: Iterable[SampleRecipe]) -> list[dict[str, Any]]:
    (root / "samples").mkdir()
    return [_write_sample(root, recipe) for recipe in recipes]


def _write_sample(root: Path, recipe: SampleRecipe) -> dict[str, Any]:
    path = root / "samples" / recipe.file
    path.write_bytes(recipe.data)
    return {
        "id": recipe.id,
        "model": MODEL,
        "title": recipe.title,
        "codec": {"id": recipe.codec, "params": dict(recipe.params)},
        "files": [describe_file(root, path)],
        "lossless": recipe.lossless,
        "method": dict(recipe.method),
        "features": [],
        "metrics": [] if recipe.lossless else [_metric_use(recipe, one) for one in METRICS],
        "claims": {
            "compressed_size": len(recipe.data),
            "metric_values": [],
            "tensor_digests": {},
        },
    }


def _metric_use(recipe: SampleRecipe, metric: dict[str, Any]) -> dict[str, Any]:
    use = {"metric": metric["id"], "vectors": VECTOR_SET}
    if metric["id"] in recipe.bounds:
        use["tolerance"] = {**metric["tolerance"], "bound": recipe.bounds[metric["id"]]}
    return use


def _write_json(root: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (root / METADATA).write_text(text, "utf-8")


def main() -> None:
    """Replace the submission in FOLDER."""
    parser = argparse.ArgumentParser(description="Write the bundled submission digits-cnn.")
    parser.add_argument("folder", type=Path, nargs="?", default=TARGET, metavar="FOLDER")
    parser.add_argument("--nncodec", metavar="PYTHON", help="make the NNC bitstreams again")
    arguments = parser.parse_args()
    if arguments.nncodec:
        encode_streams(arguments.nncodec, load_file(WEIGHTS))
    if arguments.folder.exists():
        shutil.rmtree(arguments.folder)
    write_submission(arguments.folder)
    print(f"wrote {arguments.folder}")


if __name__ == "__main__":
    main()
