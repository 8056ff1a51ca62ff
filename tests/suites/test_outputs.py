"""MODEL-OUTPUT-001: what the declared outputs of an original, and their tolerance, have to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from conformance.verdicts import Finding, Verdict
from tests import tiny_submission
from tests.jobs.bench import edit
from tests.jobs.in_process import findings
from tests.runtimes import models

ATOL = "/vectors/0/output_tolerance/atol"
LOGITS = tiny_submission.logits(tiny_submission.weights(), tiny_submission.points()[0])


def judged(tiny: Path) -> Finding:
    (finding,) = findings(tiny, "MODEL-OUTPUT-001")
    return finding


def with_outputs(tiny: Path, atol: float, outputs: np.ndarray, *, batched: bool = True) -> Path:
    np.savez(tiny / "outputs.npz", logits=outputs)

    def change(metadata: dict) -> None:
        vectors = metadata["vectors"][0]
        vectors["output_tolerance"]["atol"] = atol
        vectors["batched"] = batched
        vectors["shards"][0]["outputs"] = [tiny_submission.entry(tiny, "outputs.npz")]
        vectors["shards"][0]["items"] = tiny_submission.ITEMS if batched else 1

    return edit(tiny, change)


@pytest.mark.parametrize("batched", [True, False])
def test_atol_is_bounded_by_what_was_measured(tiny: Path, batched: bool) -> None:
    sizes = np.sqrt(np.square(LOGITS.astype(np.float64)).mean(axis=1 if batched else None))
    widest = 0.05 * float(np.median(sizes))
    inside = judged(with_outputs(tiny, widest * 0.9999, LOGITS, batched=batched))
    assert inside.verdict is Verdict.PASS
    outside = judged(with_outputs(tiny, widest * 1.0001, LOGITS, batched=batched))
    assert (outside.verdict, outside.where.pointer) == (Verdict.FAIL, ATOL)
    assert "'logits'" in outside.message
    stated = outside.expected.removeprefix("atol at most ").partition(":")[0]
    assert float(stated) == pytest.approx(widest, rel=1e-5)
    assert "or less" in outside.fix


@pytest.mark.parametrize("declared", ["zero", "outlier"])
def test_declared_outputs_widen_nothing(tiny: Path, declared: str) -> None:
    outputs = np.zeros_like(LOGITS)
    if declared == "outlier":
        outputs[0, 0] = 1e6
    found = list(findings(with_outputs(tiny, 1e7, outputs), "MODEL-OUTPUT-001"))
    assert [finding.where.pointer for finding in found] == [ATOL]


def network() -> ModelProto:
    """The tiny network with three more outputs; ``same`` is the input."""
    weights = tiny_submission.weights()
    nodes = [
        helper.make_node("MatMul", ["x", "fc.weight"], ["product"]),
        helper.make_node("Add", ["product", "fc.bias"], ["logits"]),
        helper.make_node("Relu", ["logits"], ["positive"]),
        helper.make_node("ArgMax", ["logits"], ["class"], axis=1, keepdims=0),
        helper.make_node("Identity", ["x"], ["same"]),
    ]
    outputs = [models.value(name, ["N", 3]) for name in ("logits", "positive")]
    outputs.append(models.value("class", ["N"], TensorProto.INT64))
    outputs.append(models.value("same", ["N", 6]))
    return models.model(nodes, [models.value("x", ["N", 6])], outputs, weights)


@pytest.mark.parametrize(
    ("left_out", "missed"),
    [
        ([], []),
        (["same"], []),
        (["positive"], ["positive (parameters change it)"]),
        (["class", "same"], ["class (parameters change it)"]),
        (["logits", "same"], ["logits (read by top1)"]),
        (["logits", "positive", "class", "same"], ["class", "logits", "positive"]),
    ],
)
def test_outputs_that_matter_are_declared(
    tiny: Path, left_out: list[str], missed: list[str]
) -> None:
    (tiny / "model.onnx").write_bytes(network().SerializeToString())
    outputs = {
        "logits": LOGITS,
        "positive": np.maximum(LOGITS, 0),
        "class": LOGITS.argmax(axis=1),
        "same": tiny_submission.points()[0],
    }
    np.savez(tiny / "outputs.npz", **{n: a for n, a in outputs.items() if n not in left_out})

    def change(metadata: dict) -> None:
        metadata["models"][0]["files"] = [tiny_submission.entry(tiny, "model.onnx")]
        shard = metadata["vectors"][0]["shards"][0]
        shard["outputs"] = [tiny_submission.entry(tiny, "outputs.npz")]
        metadata["metrics"] = metadata["metrics"][:1]
        metadata["metrics"][0]["bindings"] = {"prediction": "logits", "target": "label"}
        for owner in (*metadata["models"], *(each["claims"] for each in metadata["samples"])):
            owner["metric_values"] = owner["metric_values"][:1]
        for sample in metadata["samples"]:
            sample["metrics"] = sample["metrics"][:1]

    finding = judged(edit(tiny, change))
    assert finding.verdict is (Verdict.FAIL if missed else Verdict.PASS)
    if missed:
        assert finding.where.pointer == "/vectors/0/shards"
        assert "outputs of every shard" in finding.fix
        for each in missed:
            assert each in finding.found
            assert each.partition(" ")[0] in finding.message
        assert "same" not in finding.found
