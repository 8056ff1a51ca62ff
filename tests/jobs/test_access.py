"""Random access at the worker's desk: which tensors are decoded alone, and what is told of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from conformance.jobs.access import COUNTED, ReadCounter, evenly
from conformance.plan.subjects import subjects
from conformance.tensorfiles import tensor_digest, write_tensors
from conformance.verdicts import ConformanceError, UnsupportedError, Verdict
from tests import tiny_submission
from tests.jobs.in_process import Evaluation


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tiny_submission.write(tmp_path / "submission")
    return tmp_path / "submission"


def test_each_tensor_is_told_with_its_bytes(root: Path) -> None:
    measured = Evaluation(root).result("access", "exact")
    weights = tiny_submission.weights()
    size = (root / "exact.safetensors").stat().st_size
    payload = sum(array.nbytes for array in weights.values())
    assert (measured["file_bytes"], measured["payload_bytes"]) == (size, payload)
    assert measured["count"] == len(weights)
    assert measured["tensors"] == [
        {
            "tensor": name,
            "stored_bytes": weights[name].nbytes,
            "bytes_read": size - payload + weights[name].nbytes,
            "sha256": tensor_digest(weights[name]),
            "whole_sha256": tensor_digest(weights[name]),
        }
        for name in sorted(weights)
    ]


def test_what_else_the_process_reads_now_and_then_does_not_count(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library may look at the system, once, in the middle of a decoding."""
    quiet = Evaluation(root).result("access", "exact")
    counted = []

    class Disturbed(ReadCounter):
        def __init__(self) -> None:
            super().__init__()
            counted.append(self)
            if len(counted) % COUNTED:
                Path("/proc/self/status").read_bytes()

    monkeypatch.setattr("conformance.jobs.access.ReadCounter", Disturbed)
    disturbed = Evaluation(root, reuse=False).result("access", "exact")
    assert disturbed == quiet
    assert len(counted) == COUNTED * len(quiet["tensors"])


def test_of_many_tensors_some_are_chosen(root: Path) -> None:
    metadata = tiny_submission.write(root)
    many = {f"t{index:03}": np.full(4, index, np.float32) for index in range(100)}
    write_tensors(root / "exact.safetensors", many)
    metadata["samples"][2]["files"] = [tiny_submission.entry(root, "exact.safetensors")]
    tiny_submission.save(root, metadata)
    measured = Evaluation(root).alone("access", "exact")
    assert (measured["count"], len(measured["tensors"])) == (100, 32)


def test_names_are_chosen_evenly_from_the_first_to_the_last() -> None:
    names = [f"{index:03}" for index in range(200)]
    chosen = evenly(names, 32)
    assert (len(set(chosen)), chosen[0], chosen[-1]) == (32, "000", "199")
    steps = np.diff([int(name) for name in chosen])
    assert steps.max() - steps.min() <= 1
    assert evenly(names[:32], 32) == names[:32]
    assert evenly([], 32) == []


def test_a_sample_that_is_a_network_is_always_read_whole(root: Path) -> None:
    with pytest.raises(ConformanceError, match="as a whole") as caught:
        Evaluation(root).result("access", "half-onnx")
    assert caught.value.verdict is Verdict.FAIL


def test_an_update_is_not_judged(root: Path) -> None:
    metadata = tiny_submission.write(root)
    metadata["samples"][0]["update_of"] = {"model": "linear"}
    metadata["samples"][0]["claims"]["cumulative_size"] = 1
    tiny_submission.save(root, metadata)
    with pytest.raises(UnsupportedError, match="whole network"):
        Evaluation(root).result("access", "half")


def test_it_is_done_once_the_sample_is_decoded(root: Path) -> None:
    evaluation = Evaluation(root)
    evaluation.result("access", "half")
    assert evaluation.done == ["model linear", "decode half", "access half"]


def test_each_layer_has_files_and_tensors_of_its_own(root: Path) -> None:
    metadata = tiny_submission.write(root)
    weights = tiny_submission.weights()
    write_tensors(root / "finer.safetensors", {"fc.bias": weights["fc.bias"]})
    sample = metadata["samples"][2]
    sample["files"].append(tiny_submission.entry(root, "finer.safetensors"))
    claims = {"size": 0, "cumulative_size": 0, "metric_values": []}
    sample["layers"] = [
        {"id": "base", "files": ["exact.safetensors"], "claims": claims},
        {"id": "finer", "files": ["finer.safetensors"], "mode": "replace", "claims": claims},
    ]
    sample["claims"]["random_access"] = True
    tiny_submission.save(root, metadata)
    evaluation = Evaluation(root)
    found = subjects("tiny", evaluation.submission)["access"]
    assert [subject.id for subject in found] == ["tiny/exact/base", "tiny/exact/finer"]
    rows = [evaluation.result("access", "exact", part=each.part)["tensors"] for each in found]
    assert [[row["tensor"] for row in each] for each in rows] == [sorted(weights), ["fc.bias"]]
