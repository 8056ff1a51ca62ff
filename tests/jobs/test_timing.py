"""Run time and memory of a sample that is a network, beside the original's."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from conformance.codecs import codec
from conformance.jobs import context, timing
from conformance.jobs.memory import peak, release, reset_peak
from conformance.jobs.vectors import ShardArrays
from conformance.runtimes import ModelSource, Network, runtime
from conformance.verdicts import UnsupportedError
from tests import tiny_submission
from tests.jobs.bench import edit
from tests.jobs.in_process import Bench, Evaluation

RUN = "compressed-run", "half-onnx"
MIB = 1 << 20


@pytest.fixture
def bench(tmp_path: Path) -> Evaluation:
    tiny_submission.write(tmp_path / "submission")
    return Evaluation(tmp_path / "submission")


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not change how many rounds are run."""
    monkeypatch.setattr(timing, "BUDGET_SECONDS", 1e9)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is opened, in order; to hold two networks at once fails."""
    order: list[str] = []
    held: list[str] = []

    def noting(open_network: Callable[[ModelSource], Network]) -> Any:
        @contextmanager
        def hold(source: ModelSource) -> Iterator[Network]:
            (name,) = {path.name for path in source.files}
            assert held == []
            held.append(name)
            order.append(name)
            with open_network(source) as network:
                yield network
            held.remove(name)

        return hold

    for_timing(monkeypatch, noting)
    return order


def for_timing(monkeypatch: pytest.MonkeyPatch, changed: Callable[[Any], Any]) -> None:
    """Let rounds open networks otherwise."""
    monkeypatch.setattr(
        timing, "runtime", lambda name: SimpleNamespace(open=changed(runtime(name).open))
    )


def test_both_are_told_with_their_spread(bench: Evaluation) -> None:
    measured = bench.alone(*RUN)
    assert (measured["items"], measured["rounds"]) == (32, 7)
    for form in ("original", "compressed"):
        for unit in ("seconds", "peak_bytes"):
            spread = measured[form][unit]
            assert 0 <= spread["low"] <= spread["median"] <= spread["high"]
        assert measured[form]["seconds"]["low"] > 0


def test_they_take_turns_and_swap_their_order(bench: Evaluation, opened: list[str]) -> None:
    bench.alone(*RUN)
    pairs = [tuple(opened[i : i + 2]) for i in range(0, len(opened), 2)]
    one, other = ("model.onnx", "half.onnx"), ("half.onnx", "model.onnx")
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

    def run(self, runner: object, shard: ShardArrays, *, batched: bool) -> None:
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
    monkeypatch.setattr(timing, "BUDGET_SECONDS", 5.0)
    monkeypatch.setattr(timing, "time", clock)
    monkeypatch.setattr(timing, "run_shard", clock.run)
    for_timing(monkeypatch, clock.open)
    measured = bench.alone(*RUN)
    assert (measured["items"], measured["rounds"]) == (items, rounds)
    assert clock.now <= max(2 * (opening + 2 * item), 5.0)


def test_no_more_than_the_first_items_are_run(
    bench: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "MOST_ITEMS", 8)
    measured = bench.alone(*RUN)
    assert measured["items"] == 8


def test_vectors_without_batches_are_one_item(tmp_path: Path) -> None:
    root = tmp_path / "submission"
    metadata = tiny_submission.write(root)
    np.savez(root / "one.npz", x=np.ones((1, tiny_submission.FEATURES), np.float32))
    shard = {"items": 1, "targets": [], "outputs": []}
    shard["inputs"] = [tiny_submission.entry(root, "one.npz")]
    metadata["vectors"][0] |= {"batched": False, "shards": [shard]}
    tiny_submission.save(root, metadata)
    measured = Bench(root).alone(*RUN)
    assert measured["items"] == 1


def test_a_codec_of_networks_that_gives_tensors_is_refused(
    bench: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "codec", lambda _: codec("tensors"))
    edit(
        bench.root,
        lambda metadata: metadata["samples"][1].update(files=metadata["samples"][0]["files"]),
    )
    with pytest.raises(UnsupportedError, match="something else than it is") as caught:
        bench.alone(*RUN)
    assert (caught.value.expected, caught.value.found) == ("a network", "tensors")


def test_it_is_run_once_the_sample_is_known_to_run(bench: Evaluation) -> None:
    bench.result(*RUN)
    assert bench.done[-2:] == ["reconstruction half-onnx@test", "compressed-run half-onnx@test"]


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
    measured = Evaluation(root).alone(*RUN)
    original, compressed = measured["original"], measured["compressed"]
    assert original["peak_bytes"]["low"] > 2048 * 2048 * 4 > compressed["peak_bytes"]["high"]
    assert original["seconds"]["median"] > compressed["seconds"]["median"]
