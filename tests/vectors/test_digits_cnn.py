"""The bundled submission: it can be written again to the same bytes, and it holds what it says."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

ROOT = Path(__file__).parents[2]
SUBMISSION = ROOT / "vectors" / "submissions" / "digits-cnn"
DOCUMENT = json.loads((SUBMISSION / "submission.json").read_text("utf-8"))
SAMPLES = {sample["id"]: sample for sample in DOCUMENT["samples"]}
ENTERING = ("numpy", "onnx", "onnxruntime", "safetensors", "scikit-learn", "zstandard")
"""Distributions whose version may change the bytes that are written."""


def unlocked():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", lock, re.MULTILINE))
    found = {name: importlib.metadata.version(name) for name in ENTERING}
    return {n: (v, pinned[n]) for n, v in found.items() if n in pinned and v != pinned[n]}


@pytest.fixture(scope="module")
def rewritten(tmp_path_factory):
    differing = unlocked()
    if differing:
        pytest.skip(f"installed and locked versions differ: {differing}")
    target = tmp_path_factory.mktemp("again") / "digits-cnn"
    script = ROOT / "vectors" / "generate" / "digits_cnn.py"
    subprocess.run([sys.executable, str(script), str(target)], check=True)
    return target


def files(folder):
    return {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}


def test_writing_it_again_gives_the_same_bytes(rewritten):
    committed, again = files(SUBMISSION), files(rewritten)
    assert committed.keys() == again.keys()
    different = [n for n in committed if committed[n].read_bytes() != again[n].read_bytes()]
    assert different == []


def test_it_stays_small_enough_for_a_repository():
    assert sum(path.stat().st_size for path in files(SUBMISSION).values()) < 3_000_000


def test_it_holds_the_samples_the_documentation_names():
    assert list(SAMPLES) == [
        *("fp16", "int8-qdq", "int8-weights-onnx", "int8-tensors", "int4-tensors"),
        *("pruned-sparse", "codebook", "lossless-xz"),
        *("nnc-qp-38", "nnc-qp-30-uniform", "nnc-qp-24", "nnc-codebook", "nnc-rows", "nnc-blocks"),
    ]
    page = (ROOT / "docs" / "vectors.md").read_text("utf-8")
    assert [name for name in SAMPLES if f"| `{name}` |" not in page] == []


def test_the_original_keeps_batch_normalisation_and_its_names():
    model = onnx.load(SUBMISSION / "models" / "digits-cnn.onnx")
    assert [node.op_type for node in model.graph.node].count("BatchNormalization") == 2
    names = {tensor.name for tensor in model.graph.initializer}
    assert {"conv1.weight", "bn1.weight", "bn2.running_var", "fc2.bias"} <= names
    elements = sum(np.prod(tensor.dims) for tensor in model.graph.initializer)
    assert elements == DOCUMENT["models"][0]["parameter_count"] == 38474


def test_the_network_has_learnt():
    declared = {v["metric"]: v["value"] for v in DOCUMENT["models"][0]["metric_values"]}
    assert 0.97 < declared["top1"] < 1


def test_the_vectors_are_the_test_scans_in_order():
    from digits_data import load_digits_split
    from safetensors.numpy import load_file

    _, test = load_digits_split()
    with np.load(SUBMISSION / "vectors" / "test-0-image.npz") as first:
        images = [
            first["image"],
            load_file(SUBMISSION / "vectors/test-1-image.safetensors")["image"],
        ]
    assert np.array_equal(np.concatenate(images), test.images)
    assert DOCUMENT["datasets"][1]["items"] == len(test) == 720


def test_training_and_test_scans_are_disjoint_rows_of_one_set():
    from digits_data import load_digits_split

    training, test = load_digits_split()
    assert len(training) + len(test) == 1797
    shares = np.bincount(test.labels) / np.bincount(np.concatenate([training.labels, test.labels]))
    assert np.all(np.abs(shares - 720 / 1797) < 0.01)


@pytest.mark.parametrize("id", SAMPLES)
def test_a_lossy_sample_loses_and_a_lossless_one_does_not_measure(id):
    sample = SAMPLES[id]
    values = {v["metric"]: v["value"] for v in sample["claims"]["metric_values"]}
    if sample["lossless"]:
        assert sample["metrics"] == []
    else:
        assert values["logits-mse"] > 0
        assert 0.99 < values["logits-cosine"] <= 1


def test_some_sample_changes_the_accuracy():
    original = DOCUMENT["models"][0]["metric_values"][0]["value"]
    claimed = [s["claims"]["metric_values"] for s in SAMPLES.values() if not s["lossless"]]
    assert any(values[0]["value"] < original for values in claimed)


@pytest.mark.parametrize("id", SAMPLES)
def test_a_sample_is_smaller_than_the_original(id):
    (original,) = DOCUMENT["models"][0]["files"]
    assert SAMPLES[id]["claims"]["compressed_size"] < original["size"]


@pytest.mark.parametrize("id", SAMPLES)
def test_a_method_is_described(id):
    method = SAMPLES[id]["method"]
    steps = (*method["parameter_reduction"], *method["quantisation"], *method["entropy_coding"])
    assert method["summary"].endswith(".")
    assert steps
    assert all(software["version"] for software in method["software"])
