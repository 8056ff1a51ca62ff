"""What each stage holds in its process, and how often a bitstream is decoded and run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conformance.evidence.executor import Executor
from conformance.evidence.store import EvidenceStore
from conformance.sandbox.process import Worker
from conformance.sandbox.workers import Workers
from conformance.submission import load
from tests import tiny_submission
from tests.bitstreams import raw_stream
from tests.jobs.bench import LIMITS, SHIFT, add_sample, edit
from tests.jobs.in_process import Evaluation
from tests.jobs.made import a_job

FAMILIES = ("caffe", "nnef", "onnx", "pytorch", "tensorflow", "tflite")
RUNTIMES = {
    *(f"conformance.runtimes.{family}" for family in FAMILIES),
    *("onnx", "onnxruntime", "torch", "tensorflow", "keras", "ai_edge_litert"),
}

PROGRAM = """
import json, pathlib, sys
from conformance.jobs import worker
from conformance.jobs.dispatch import Dispatcher

class Watched(Dispatcher):
    def evaluate(self, message):
        try:
            return super().evaluate(message)
        finally:
            modules = json.dumps([message["request"]["kind"], list(sys.modules)])
            with pathlib.Path(sys.argv[1]).open("a") as stream:
                stream.write(modules + "\\n")

import conformance.jobs.dispatch
conformance.jobs.dispatch.Dispatcher = Watched
worker.main()
"""
"""The real worker; after each request it writes what it has imported."""


class WatchedWorkers(Workers):
    """One worker for each stage, which writes to a file named after it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(LIMITS)
        self.folder = folder
        self.by_stage: dict[str, Worker] = {}

    def of(self, stage: str, format: str = "", network: str = "") -> Worker:
        if stage not in self.by_stage:
            self.by_stage[stage] = Worker(LIMITS, ["-c", PROGRAM, str(self.folder / stage)])
        return self.by_stage[stage]

    def stop(self) -> None:
        for worker in self.by_stage.values():
            worker.stop()

    def answered(self, stage: str) -> tuple[set[str], set[str]]:
        """Return the kinds of requests that a stage has answered, and what it has imported."""
        lines = (self.folder / stage).read_text(encoding="utf-8").splitlines()
        kinds, modules = zip(*map(json.loads, lines), strict=True)
        return set(kinds), {name for each in modules for name in each}


@pytest.fixture
def streamed(tiny: Path) -> Path:
    """The tiny submission with a bitstream, and a second vector set."""
    add_sample(tiny, "stream", raw_stream(tiny_submission.weights()), metrics=USES)

    def change(metadata: dict) -> None:
        (vectors,) = metadata["vectors"]
        shard = {"items": FEW}
        for side in ("inputs", "targets", "outputs"):
            few = {name: array[:FEW] for name, array in np.load(tiny / f"{side}.npz").items()}
            np.savez(tiny / f"few-{side}.npz", **few)
            shard[side] = [tiny_submission.entry(tiny, f"few-{side}.npz")]
        metadata["vectors"].append({**vectors, "id": "few", "shards": [shard]})

    return edit(tiny, change)


FEW = 20
USES = [{"metric": m, "vectors": v} for m in ("top1", "distance") for v in ("test", "few")]


def test_only_what_opens_and_runs_networks_holds_a_runtime(streamed: Path) -> None:
    loaded = load(streamed)
    assert loaded.submission is not None, loaded.problems
    workers = WatchedWorkers(streamed.parent)
    executor = Executor(loaded, EvidenceStore(streamed.parent / "evidence"), workers)
    try:
        executor.warm_up()
        for kind, sample in (
            *(("reconstruction", "stream"), ("reconstruction", "half-onnx")),
            *(("access", "exact"), ("control", None)),
        ):
            evidence = executor.evidence(a_job(loaded.submission, kind, sample=sample))
            assert evidence.error is None, evidence.error
    finally:
        executor.close()
    kinds, modules = workers.answered("measure")
    assert kinds == {
        *("vectors", "measure", "original", "control"),
        *("decode", "decoded-network", "reconstruction"),
    }
    assert modules & RUNTIMES == set()
    kinds, modules = workers.answered("decode")
    assert kinds == {"tensors", "access"}
    assert modules & RUNTIMES == set()
    for stage in ("open", "run"):
        assert {"conformance.runtimes.onnx", "onnxruntime"} <= workers.answered(stage)[1]


# --- How often


def all_of_the_stream(evaluation: Evaluation) -> None:
    evaluation.result("decode", "stream")
    for vectors in ("test", "few"):
        evaluation.result("reconstruction", "stream", vectors=vectors)
        evaluation.result("control", vectors=vectors)


def with_a_new_metric(root: Path) -> Path:
    def change(metadata: dict) -> None:
        metadata["metrics"].append(SHIFT)
        for sample in metadata["samples"]:
            sample["metrics"].append({"metric": SHIFT["id"], "vectors": "test"})

    return edit(root, change)


@pytest.mark.parametrize("kept_bytes", [0, 1 << 20])
def test_a_bitstream_is_decoded_once_and_run_once_on_each_vector_set(
    streamed: Path, kept_bytes: int
) -> None:
    evaluation = Evaluation(streamed, kept_bytes=kept_bytes)
    all_of_the_stream(evaluation)
    networks = len(["original", "stream", "zeros", "shuffled", "shuffled", "shuffled"])
    assert evaluation.asked.count("tensors") == 1
    assert evaluation.asked.count("run") == 2 * networks
    assert evaluation.executor.take_repeated() == []


def test_a_new_metric_is_measured_on_outputs_that_were_kept(streamed: Path) -> None:
    first = Evaluation(streamed)
    all_of_the_stream(first)
    first.executor.close()
    again = Evaluation(with_a_new_metric(streamed))
    all_of_the_stream(again)
    assert set(again.asked) == {"measure", "original", "control", "reconstruction"}
    assert again.executor.take_repeated() == []
    assert "shift" in again.result("reconstruction", "stream")["metrics"]


def test_outputs_that_were_not_kept_are_computed_again_and_named(streamed: Path) -> None:
    first = Evaluation(streamed, kept_bytes=0)
    first.result("reconstruction", "stream")
    first.executor.close()
    again = Evaluation(with_a_new_metric(streamed), kept_bytes=0)
    again.result("reconstruction", "stream")
    assert again.asked.count("run") == 2
    assert again.asked.count("tensors") == 1
    assert again.executor.take_repeated() == ["run linear@test", "run stream@test"]
    assert again.executor.take_repeated() == []
