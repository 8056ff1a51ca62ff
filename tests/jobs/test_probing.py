"""Parameters that the graph reads and no output depends on are advice, within few runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper, numpy_helper

from conformance.jobs import probing
from conformance.jobs.probing import effect_of_parameters
from conformance.jobs.vectors import ShardArrays
from conformance.plan.results import Effect, IneffectiveTensor
from conformance.verdicts import Verdict
from tests import tiny_submission
from tests.jobs.in_process import findings
from tests.runtimes import models

PADDING = 400_000


def padded(model: ModelProto, output: str, sizes: list[int], factor: float = 0.0) -> ModelProto:
    """The model with ones, whose sum times a factor is added to an output."""
    names = [f"pad{index}" for index in range(len(sizes))]
    arrays = [np.ones(size, np.float32) for size in sizes]
    model.graph.initializer.extend(map(numpy_helper.from_array, arrays, names))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(factor), "zero"))
    last = next(node for node in model.graph.node if output in node.output)
    last.output[0] = "before"
    nodes = [helper.make_node("ReduceSum", [n], [f"{n}.sum"], keepdims=0) for n in names]
    nodes += [
        helper.make_node("Sum", [f"{n}.sum" for n in names], ["total"]),
        helper.make_node("Mul", ["total", "zero"], ["nothing"]),
        helper.make_node("Add", ["before", "nothing"], [output]),
    ]
    model.graph.node.extend(nodes)
    return model


def effect_in(folder: Path, model: ModelProto, items: int = 9, *, batched: bool = True) -> Effect:
    shard = ShardArrays(0, items, {"x": models.floats(items, 32)}, {}, {}, {})
    with models.opened(folder, model) as network:
        return effect_of_parameters(network, shard, batched=batched)


def names(found: Effect) -> list[str]:
    return [each.name for each in found.without_effect]


@pytest.mark.parametrize("batched", [True, False])
def test_ones_times_zero_have_no_effect(tmp_path: Path, batched: bool) -> None:
    found = effect_in(tmp_path, padded(models.dense(), "y", [PADDING]), batched=batched)
    assert found.without_effect == (IneffectiveTensor("pad0", 4 * PADDING),)
    assert found.items == (probing.ITEMS if batched else 9)


def test_ones_times_something_have_an_effect(tmp_path: Path) -> None:
    found = effect_in(tmp_path, padded(models.dense(), "y", [1000], factor=0.5))
    assert names(found) == []
    assert found.tried_bytes == found.bytes - 16 * 4  # the bias is too small to matter


def test_many_small_tensors_are_tried_together(tmp_path: Path) -> None:
    """None of 200 holds a 32nd of all; together they do, and take few runs."""
    found = effect_in(tmp_path, padded(models.dense(), "y", [50] * 200))
    assert sum(name.startswith("pad") for name in names(found)) > 150
    assert found.runs <= probing.MOST_RUNS + 1


def test_runs_are_bounded_by_the_bytes_that_they_bind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "MOST_BYTES", 2 * 4 * (PADDING + 544))
    found = effect_in(tmp_path, padded(models.dense(), "y", [PADDING // 2, PADDING // 2]))
    assert found.runs == 3
    assert names(found) == ["pad0", "pad1"]


def test_without_room_for_a_run_nothing_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "MOST_BYTES", 100)
    found = effect_in(tmp_path, models.dense())
    assert (found.runs, found.tried_bytes, names(found)) == (0, 0, [])


def test_outputs_that_are_no_numbers_say_nothing_of_parameters(tmp_path: Path) -> None:
    model = models.dense()
    model.graph.initializer[1].raw_data = np.full(16, np.nan, np.float32).tobytes()
    found = effect_in(tmp_path, model)
    assert (found.runs, found.tried_bytes, names(found)) == (1, 0, [])


def test_what_has_no_effect_is_advice(tmp_path: Path) -> None:
    root = tmp_path / "tiny"
    metadata = tiny_submission.write(root)
    made = ModelProto.FromString((root / "model.onnx").read_bytes())
    made = padded(made, "logits", [PADDING])
    (root / "model.onnx").write_bytes(made.SerializeToString())
    metadata["models"][0]["files"] = [tiny_submission.entry(root, "model.onnx")]
    (root / "submission.json").write_text(json.dumps(metadata), encoding="utf-8")
    used, effect_of = findings(root, "MODEL-FILES-001", "MODEL-EFFECT-001")
    assert (used.check, used.verdict) == ("MODEL-FILES-001", Verdict.PASS)
    assert effect_of.verdict is Verdict.FAIL
    assert "changing some parameters changes no output" in effect_of.message
    assert effect_of.found == (
        f"pad0 ({4 * PADDING} bytes); in all {4 * PADDING} of {4 * PADDING + 4 * 21} bytes of "
        "parameters; tried on 4 items"
    )
    assert (effect_of.where.file, effect_of.where.element) == ("model.onnx", "pad0")
    assert "this is advice" in effect_of.fix
