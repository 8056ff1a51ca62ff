"""One network in two formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from conformance.evidence.evidence import Evidence
from conformance.plan.results import AgreementResult
from conformance.submission import load
from tests import tiny_submission
from tests.jobs.in_process import Evaluation
from tests.jobs.two_formats import ENTRY, OTHER, add_turned


def agreement(root: Path) -> Evidence:
    others = {"other_model": "linear", "other_vectors": "test"}
    return Evaluation(root).evidence("agreement", model=OTHER, vectors=OTHER, **others)


def found(root: Path) -> AgreementResult:
    return agreement(root).result_of(AgreementResult)


def test_outputs_are_compared_in_the_others_order_of_axes(tiny: Path) -> None:
    add_turned(tiny)
    output = found(tiny).outputs["scores"]
    assert (output.violations, output.values) == (0, 120)
    assert output.max_abs < 1e-5


def test_another_set_of_parameters_shows(tiny: Path) -> None:
    add_turned(tiny, change=0.25)
    output = found(tiny).outputs["scores"]
    assert output.violations == 120
    assert output.max_abs == pytest.approx(0.25, rel=1e-4)


@pytest.mark.parametrize("change", [0.0, 0.25])
def test_a_metric_that_compares_with_the_original_is_measured_between_formats(
    tiny: Path, change: float
) -> None:
    add_turned(tiny, change=change)
    (row,) = found(tiny).metrics.values()
    assert row.row.value == pytest.approx(change**2, rel=1e-4, abs=1e-12)


def test_a_metric_that_compares_with_targets_is_left_to_the_originals(tiny: Path) -> None:
    metadata = add_turned(tiny)
    metadata["metrics"][0] |= {"against": "targets"}
    tiny_submission.save(tiny, metadata)
    assert found(tiny).metrics == {}


def test_other_inputs_are_no_agreement(tiny: Path) -> None:
    metadata = add_turned(tiny)
    x = np.load(tiny / "inputs.npz")["x"]
    x[3, 2] += 1e-3
    np.savez(tiny / "turned-inputs.npz", columns=np.ascontiguousarray(x.T))
    entry = tiny_submission.entry(tiny, "turned-inputs.npz")
    metadata["vectors"][1]["shards"][0]["inputs"] = [entry]
    tiny_submission.save(tiny, metadata)
    error = agreement(tiny).error
    assert "input 'columns' does not hold the numbers of 'x'" in error.message
    assert error.where.pointer == "/vectors/1/equivalent_to"


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"vectors": "test"}, "does not hold the numbers"),
        ({**ENTRY, "outputs": [{"name": "scores", "of": "nothing"}]}, "has no counterpart"),
        (
            {**ENTRY, "inputs": [{"name": "columns", "of": "x", "transpose": [1, 2, 0]}]},
            "has no counterpart",
        ),
    ],
    ids=["no transpose", "unknown name", "transpose of another rank"],
)
def test_what_cannot_be_compared_is_an_error(tiny: Path, entry, text) -> None:
    add_turned(tiny, entry=entry)
    error = agreement(tiny).error
    assert text in error.message
    assert error.fix


def test_other_shards_are_an_error(tiny: Path) -> None:
    metadata = add_turned(tiny)
    shards = metadata["vectors"][1]["shards"]
    shards.append(shards[0])
    tiny_submission.save(tiny, metadata)
    assert "not divided like those" in agreement(tiny).error.message


def test_an_unknown_equivalent_is_a_dangling_reference(tiny: Path) -> None:
    add_turned(tiny, entry={"vectors": "nowhere"})
    (problem,) = load(tiny).problems
    assert problem.check == "SUBMISSION-REFERENCE-001"
    assert "nowhere" in json.dumps(problem.to_json())


def add_output(root: Path, metadata: dict, place: int) -> None:
    """Let a network give its output a second time, as ``more``."""
    model, (shard,) = metadata["models"][place], metadata["vectors"][place]["shards"]
    (file,), (outputs,) = model["files"], shard["outputs"]
    network = onnx.load(root / file["rel_filepath"])
    (output,) = network.graph.output
    network.graph.node.append(onnx.helper.make_node("Identity", [output.name], ["more"]))
    network.graph.output.add().CopyFrom(output)
    network.graph.output[1].name = "more"
    onnx.save(network, root / file["rel_filepath"])
    model["outputs"].append({**model["outputs"][0], "name": "more"})
    arrays = dict(np.load(root / outputs["rel_filepath"]))
    np.savez(root / outputs["rel_filepath"], **arrays, more=arrays[output.name])
    model["files"] = [tiny_submission.entry(root, file["rel_filepath"])]
    shard["outputs"] = [tiny_submission.entry(root, outputs["rel_filepath"])]
    tiny_submission.save(root, metadata)


AGAIN = {"name": "more", "of": "logits", "transpose": [1, 0]}


@pytest.mark.parametrize(
    ("outputs", "doubled", "text"),
    [
        ([*ENTRY["outputs"], AGAIN], [0, 1], "'more' has no counterpart"),
        (ENTRY["outputs"], [0], "'more' of the other format has no counterpart here"),
    ],
    ids=["two for one", "left out"],
)
def test_every_array_is_compared_with_one_of_its_own(tiny: Path, outputs, doubled, text) -> None:
    metadata = add_turned(tiny, entry={**ENTRY, "outputs": outputs})
    for place in doubled:
        add_output(tiny, metadata, place)
    error = agreement(tiny).error
    assert text in error.message
    assert error.where.pointer == "/vectors/1/equivalent_to"
    assert "counterpart" in error.fix
