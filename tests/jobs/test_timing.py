"""Run time and memory of a sample that is a network, beside the original's."""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conformance.plan.case import Case
from conformance.plan.dependencies import prerequisites
from onnx import TensorProto, helper, numpy_helper

from conformance.jobs import compressed_run
from conformance.jobs.context import Networks
from conformance.jobs.memory import peak, release, reset_peak
from conformance.jobs.vectors import ShardArrays
from conformance.submission import load
from conformance.verdicts import UnsupportedError
from tests import tiny_submission
from tests.jobs.in_process import Evaluation

RUN = Case("compressed-run", "linear", sample="half-onnx", vectors="test")
MIB = 1 << 20


@pytest.fixture
def bench(tmp_path: Path) -> Evaluation:
    tiny_submission.write(tmp_path / "submission")
    return Evaluation(tmp_path / "submission")


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not change how many rounds are run."""
    monkeypatch.setattr(compressed_run, "BUDGET_SECONDS", 1e9)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is opened, in order; to hold two networks at once fails."""
    order: list[str] = []
    held: list[str] = []

    def noting(form: str, open_network):
        @contextmanager
        def hold(*given):
            assert held == []
            held.append(form)
            order.append(form)
            with open_network(*given) as network:
                yield network
            held.remove(form)

        return hold

    monkeypatch.setattr(Networks, "open", noting("original", Networks.open))
    sample = noting("compressed", compressed_run.sample_network)
    monkeypatch.setattr(compressed_run, "sample_network", sample)
    return order


def test_both_are_told_with_their_spread(bench: Evaluation) -> None:
    measured, _ = bench.at_the_desk(RUN)
    assert (measured["items"], measured["rounds"]) == (32, 7)
    for form in ("original", "compressed"):
        for unit in ("seconds", "peak_bytes"):
            spread = measured[form][unit]
            assert 0 <= spread["low"] <= spread["median"] <= spread["high"]
        assert measured[form]["seconds"]["low"] > 0


def test_they_take_turns_and_swap_their_order(
    bench: Evaluation, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    # The original is opened once more to read the vectors by its ports, which is no round.
    inputs = dict(np.load(bench.root / "inputs.npz"))
    shard = ShardArrays(0, tiny_submission.ITEMS, inputs, {}, {}, {})
    monkeypatch.setattr(compressed_run, "_first_items", lambda work: shard)
    bench.at_the_desk(RUN)
    pairs = [tuple(opened[i : i + 2]) for i in range(0, len(opened), 2)]
    one, other = ("original", "compressed"), ("compressed", "original")
    assert pairs == [one, one, other, one, other, one, other, one]


@dataclass
class Clock:
    """Tells the time that opening and running were said to take."""

    opening: float
    item: float
    now: float = 0.0

    def perf_counter(self) -> float:
        return self.now

    def open(self, opened):
        def slow(*given):
            self.now += self.opening
            return opened(*given)

        return slow

    def run(self, runner, vectors, shard) -> None:
        self.now += self.item * shard.items


@pytest.mark.parametrize(
    ("opening", "item", "items", "rounds"),
    [
        (0.01, 0.0001, 32, 7),
        (0.01, 0.01, 17, 7),
        (0.375, 2**-7, 24, 2),
        (0.6, 0.5, 1, 1),
        (9.0, 9.0, 1, 1),
    ],
    ids=lambda value: f"{value:g}",
)
def test_rounds_end_within_their_time(
    bench: Evaluation,
    monkeypatch: pytest.MonkeyPatch,
    opening: float,
    item: float,
    items: int,
    rounds: int,
) -> None:
    clock = Clock(opening, item)
    monkeypatch.setattr(compressed_run, "BUDGET_SECONDS", 5.0)
    monkeypatch.setattr(compressed_run, "time", clock)
    monkeypatch.setattr(compressed_run, "run_shard", clock.run)
    monkeypatch.setattr(Networks, "open", clock.open(Networks.open))
    slow = clock.open(compressed_run.sample_network)
    monkeypatch.setattr(compressed_run, "sample_network", slow)
    measured, _ = bench.at_the_desk(RUN)
    assert (measured["items"], measured["rounds"]) == (items, rounds)
    # The original is opened once more to read the vectors by its ports, which is no round.
    least = opening + 2 * (opening + 2 * item)
    assert clock.now <= max(least, opening + 5.0)


def test_no_more_than_the_first_items_are_run(
    bench: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed_run, "MOST_ITEMS", 8)
    measured, _ = bench.at_the_desk(RUN)
    assert measured["items"] == 8


def test_vectors_without_batches_are_one_item(tmp_path: Path) -> None:
    root = tmp_path / "submission"
    metadata = tiny_submission.write(root)
    np.savez(root / "one.npz", x=np.ones((1, tiny_submission.FEATURES), np.float32))
    shard = {"items": 1, "targets": [], "outputs": []}
    shard["inputs"] = [tiny_submission.entry(root, "one.npz")]
    metadata["vectors"][0] |= {"batched": False, "shards": [shard]}
    tiny_submission.save(root, metadata)
    measured, _ = Evaluation(root).at_the_desk(RUN)
    assert measured["items"] == 1


def test_a_sample_of_tensors_is_refused(bench: Evaluation) -> None:
    case = Case("compressed-run", "linear", sample="half", vectors="test")
    with pytest.raises(UnsupportedError, match="does not run by itself"):
        bench.at_the_desk(case)


def test_it_is_run_once_the_sample_is_known_to_run(bench: Evaluation) -> None:
    submission = load(bench.root).submission
    assert submission is not None
    needed = Case("reconstruction", "linear", "half-onnx", "test")
    assert prerequisites(RUN, submission) == (needed,)


def test_the_peak_is_that_since_the_last_reset() -> None:
    release()
    reset_peak()
    before = peak()
    block = np.ones(64 * MIB, np.uint8)
    highest = peak()
    del block
    release()
    assert highest - before > 60 * MIB
    reset_peak()
    assert peak() < highest - 60 * MIB


def wide(inner: int) -> bytes:
    """A network with the ports of the tiny one, and inner * inner parameters in between."""
    rng = np.random.default_rng(3)
    sizes = [tiny_submission.FEATURES, inner, inner, tiny_submission.CLASSES]
    shapes = list(itertools.pairwise(sizes))
    values = ["x", "first", "second", "logits"]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", [values[i], f"w{i}"], [values[i + 1]])
            for i in range(len(shapes))
        ],
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", sizes[0]])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", sizes[-1]])],
        [
            numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), f"w{i}")
            for i, shape in enumerate(shapes)
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def test_a_larger_network_takes_more_memory_and_time(tmp_path: Path) -> None:
    root = tmp_path / "submission"
    metadata = tiny_submission.write(root)
    (root / "model.onnx").write_bytes(wide(2048))
    (root / "half.onnx").write_bytes(wide(64))
    metadata["models"][0]["files"] = [tiny_submission.entry(root, "model.onnx")]
    metadata["samples"][1]["files"] = [tiny_submission.entry(root, "half.onnx")]
    tiny_submission.save(root, metadata)
    measured, _ = Evaluation(root).at_the_desk(RUN)
    original, compressed = measured["original"], measured["compressed"]
    assert original["peak_bytes"]["low"] > 2048 * 2048 * 4 > compressed["peak_bytes"]["high"]
    assert original["seconds"]["median"] > compressed["seconds"]["median"]
