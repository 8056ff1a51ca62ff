"""Write the bundled submission ``digits-formats``, to the same bytes each time.

    python vectors/generate/digits_formats.py [FOLDER] [--evidence DIR]

FOLDER is ``vectors/submissions/digits-formats`` unless given; it is replaced. The network is that
of ``digits-cnn``, from the same committed weights, in every model format. One idea per module:

    digits_formats_models       the formats, and the name maps that lead to their parameters
    formats_onnx, formats_...   the files of a format, and how its own framework runs them
    formats_weights             the weights in the layouts of other frameworks
    digits_formats_vectors      the reference vectors
    digits_formats_samples      the samples
    digits_formats_networks     the sample that is itself a network
    digits_formats_description  texts, references, metrics
    measure                     claims, measured by this project's own evaluation

Every model is run in its own framework before anything is written about it, and held against the
network computed in float64.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from digits_data import load_digits_split
from digits_formats_description import DATASETS, HEAD, ID, METRICS, TEST, TRAINING
from digits_formats_models import FORMATS, ModelFormat, tensor_set
from digits_formats_networks import write_networks
from digits_formats_samples import write_samples
from digits_formats_vectors import Arrays, make_arrays, write_vectors
from file_entry import describe_file
from measure import fill_in_measured
from network import INPUT, OUTPUT, Weights
from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
WEIGHTS = HERE / "digits_cnn_weights.safetensors"
README = HERE / "digits_formats_readme.md"
TARGET = HERE.parent / "submissions" / ID
METADATA = "submission.json"
DECIMALS = 5
WITHIN = {"top1": 1e-5, "logits-mse": 1e-4, "digits-kl": 1e-5}
"""Tolerance of the values, so rounded: frameworks choose their arithmetic by the CPU."""
LARGEST_DIFFERENCE = 1e-4
"""Between a framework and float64, for logits of up to 25."""


def write_submission(root: Path, evidence: Path | None = None) -> None:
    """Write the whole submission to ``root``, which must be empty or not exist.

    The metadata are written twice: once with empty claims, for the evaluation to read, and once
    with what it measured, which the folder ``evidence`` keeps.
    """
    root.mkdir(parents=True, exist_ok=True)
    weights = load_file(WEIGHTS)
    arrays = make_arrays(weights, load_digits_split()[1])
    shutil.copyfile(README, root / "README.md")
    document = {
        **HEAD,
        "models": [_write_model(root, one, weights, arrays) for one in FORMATS],
        "datasets": DATASETS,
        "metrics": METRICS,
        "vectors": write_vectors(root, arrays),
        "samples": [*write_samples(root, weights), *write_networks(root, weights)],
        "associated_files": [describe_file(root, root / "README.md")],
    }
    _write_json(root, document)
    within = {owner["id"]: WITHIN for owner in (*document["models"], *document["samples"])}
    _write_json(root, fill_in_measured(root, document, within, DECIMALS, evidence))


def _write_model(root: Path, one: ModelFormat, weights: Weights, arrays: Arrays) -> dict[str, Any]:
    folder = root / "models" / one.model
    folder.mkdir(parents=True)
    files = one.write(folder, weights)
    _check(one, files, arrays)
    return {
        "id": one.model,
        "title": f"Two convolutions and two dense layers: {one.title}",
        "format": one.format,
        "network_type": "cnn",
        "files": [describe_file(root, path) for path in files],
        "inputs": [{"name": INPUT, "dtype": "float32", "shape": one.image_shape}],
        "outputs": [{"name": OUTPUT, "dtype": "float32", "shape": [one.batch, 10]}],
        "parameter_count": sum(np.size(v) for v in tensor_set(one.tensors, weights).values()),
        "use_cases": [use_case["id"] for use_case in HEAD["use_cases"]],
        "training_data": [TRAINING],
        "test_data": [TEST],
        "metric_values": [
            {"metric": metric["id"], "vectors": one.vectors, "value": 0} for metric in METRICS
        ],
    }


def _check(one: ModelFormat, files: list[Path], arrays: Arrays) -> None:
    """Raise AssertionError if the framework of ``one`` does not give the expected outputs."""
    logits = one.run(files, arrays.images(one))
    difference = float(np.abs(logits - arrays.logits).max())
    assert difference < LARGEST_DIFFERENCE, f"{one.format}: {difference}"


def _write_json(root: Path, document: dict[str, Any]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    (root / METADATA).write_text(text, "utf-8")


def main() -> None:
    """Replace the submission in FOLDER."""
    parser = argparse.ArgumentParser(description="Write the bundled submission digits-formats.")
    parser.add_argument("folder", type=Path, nargs="?", default=TARGET, metavar="FOLDER")
    parser.add_argument("--evidence", type=Path, metavar="DIR", help="keep what is measured there")
    arguments = parser.parse_args()
    if arguments.folder.exists():
        shutil.rmtree(arguments.folder)
    write_submission(arguments.folder, arguments.evidence)
    print(f"wrote {arguments.folder}")


if __name__ == "__main__":
    main()
