"""``init`` proposes the output tolerance that the given outputs need, and says why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from conformance.cli.asking import limits_for
from conformance.cli.commands import init_submission
from conformance.cli.output_spread import proposed_tolerance
from conformance.judging.framework_defaults import DEFAULTS, unlike_defaults
from conformance.runtimes import RUNTIMES
from conformance.tensorfiles import write_tensors
from tests import tiny_submission
from tests.runtimes import models


@pytest.fixture
def material(tmp_path: Path) -> Path:
    weights = tiny_submission.weights()
    (tmp_path / "m.onnx").write_bytes(tiny_submission.model_bytes(weights))
    x = models.floats(8, tiny_submission.FEATURES)
    write_tensors(tmp_path / "in.npz", {"x": x})
    write_tensors(tmp_path / "out.npz", {"logits": tiny_submission.logits(weights, x)})
    return tmp_path


def give(material: Path, difference: float) -> None:
    weights, x = tiny_submission.weights(), models.floats(8, tiny_submission.FEATURES)
    outputs = tiny_submission.logits(weights, x)
    outputs[3, 0] = np.float32(outputs[3, 0] + difference)
    write_tensors(material / "out.npz", {"logits": outputs})


def started(material: Path) -> tuple[dict, str]:
    files = [material / "in.npz"], [], [material / "out.npz"], []
    said = init_submission(material / "new", material / "m.onnx", *files, None, limits_for())
    return metadata_of(material)["vectors"][0]["output_tolerance"], said


def metadata_of(material: Path) -> dict:
    return json.loads((material / "new" / "submission.json").read_text(encoding="utf-8"))


def test_outputs_of_the_same_settings_need_no_more_than_the_usual(material: Path) -> None:
    tolerance, said = started(material)
    assert tolerance == {"atol": 1e-5, "rtol": 1e-4}
    assert "proposed as output_tolerance are atol 1e-05 and rtol 0.0001." in said


def test_tolerance_covers_the_spread_and_the_setting_is_named(material: Path) -> None:
    give(material, 0.004)
    tolerance, said = started(material)
    assert 0.004 < tolerance["atol"] <= 0.01
    assert "differ by at most 0.004 from those that this tool computes" in said
    assert "ORT_ENABLE_BASIC" in said
    assert "add_session_config_entry('session.disable_quant_qdq', '1')" in said


@pytest.mark.parametrize("difference", [50.0, float("nan"), float("inf")])
def test_other_outputs_are_not_covered_by_a_tolerance(material: Path, difference: float) -> None:
    give(material, difference)
    tolerance, said = started(material)
    assert tolerance == {"atol": 1e-5, "rtol": 1e-4}
    assert "more than a tolerance may allow" in said


def test_outputs_of_another_shape_are_told(material: Path) -> None:
    write_tensors(material / "out.npz", {"logits": np.zeros((8, 99), np.float32)})
    tolerance, said = started(material)
    assert tolerance["atol"] == 1e-5
    assert "The outputs could not be compared: output 'logits' has the shape [8, 99]" in said


def recurrent(*, rate: bool) -> ModelProto:
    """Like voice detectors: a state [layers, N, 4] in and out, and perhaps a sampling rate []."""
    nodes = [
        helper.make_node("MatMul", ["state", "W"], ["next"]),
        helper.make_node("ReduceSum", ["next", "axis"], ["summed"], keepdims=0),
        helper.make_node("Add", ["x", "summed"], ["y"]),
    ]
    inputs = [models.value("x", ["N", 4]), models.value("state", [2, "N", 4])]
    outputs = [models.value("next", [2, "N", 4]), models.value("y", ["N", 4])]
    if rate:
        nodes[2].output[0] = "sum"
        nodes.append(helper.make_node("Cast", ["rate"], ["real"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", ["sum", "real"], ["y"]))
        inputs.append(models.value("rate", [], TensorProto.INT64))
    tensors = {"W": models.floats(4, 4), "axis": np.array([0], np.int64)}
    return models.model(nodes, inputs, outputs, tensors)


@pytest.mark.parametrize(
    ("rate", "reason"),
    [
        (True, "input 'rate' is a single number"),
        (False, "axis 0 has 2 entries in input 'state', 3 in input 'x'"),
    ],
)
def test_arrays_without_a_common_axis_of_items_are_one_run(
    tmp_path: Path, rate: bool, reason: str
) -> None:
    made = recurrent(rate=rate)
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    given = {"x": models.floats(3, 4), "state": models.floats(2, 3, 4)}
    given |= {"rate": np.array(2)} if rate else {}
    theirs = models.plain_run(made, given)
    write_tensors(tmp_path / "in.npz", given)
    write_tensors(tmp_path / "out.npz", dict(zip(["next", "y"], theirs, strict=True)))
    tolerance, said = started(tmp_path)
    vectors = metadata_of(tmp_path)["vectors"][0]
    assert (vectors["batched"], vectors["shards"][0]["items"]) == (False, 1)
    assert f'declared as one run ("batched": false): {reason}.' in said
    assert "The given outputs differ by at most 0 from" in said
    assert tolerance == {"atol": 1e-5, "rtol": 1e-4}


def test_targets_of_another_length_do_not_make_the_vectors_one_run(material: Path) -> None:
    write_tensors(material / "targets.npz", {"label": np.arange(7)})
    files = [material / "in.npz"], [material / "targets.npz"], [material / "out.npz"], []
    init_submission(material / "new", material / "m.onnx", *files, None, limits_for())
    vectors = metadata_of(material)["vectors"][0]
    assert (vectors["batched"], vectors["shards"][0]["items"]) == (True, 8)


def test_without_vectors_the_network_says_whether_it_takes_batches(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(recurrent(rate=True).SerializeToString())
    said = init_submission(
        tmp_path / "new", tmp_path / "m.onnx", [], [], [], [], None, limits_for()
    )
    assert metadata_of(tmp_path)["vectors"][0]["batched"] is False
    assert "input 'rate' is a single number" in said


def test_framework_defaults_of_a_quantised_network_are_measured(tmp_path: Path) -> None:
    """ONNX Runtime as it comes fuses quantised operators: the spread is that of its rounding."""
    import onnxruntime

    folder = Path(__file__).parents[2] / "vectors" / "submissions" / "digits-cnn"
    file = folder / "samples" / "int8-qdq.onnx"
    session = onnxruntime.InferenceSession(file)
    (port,) = session.get_inputs()
    shape = [size if isinstance(size, int) else 16 for size in port.shape]
    x = models.floats(*shape)
    names = [output.name for output in session.get_outputs()]
    write_tensors(tmp_path / "in.npz", {port.name: x})
    theirs = session.run(names, {port.name: x})
    write_tensors(tmp_path / "out.npz", dict(zip(names, theirs, strict=True)))
    question = {"format": "onnx", "files": [str(file)], "inputs": [str(tmp_path / "in.npz")]}
    question["items"] = len(x)
    limits = limits_for()
    made = proposed_tolerance({**question, "outputs": [str(tmp_path / "out.npz")]}, limits)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    ours = onnxruntime.InferenceSession(file, options).run(names, {port.name: x})
    write_tensors(tmp_path / "ours.npz", dict(zip(names, ours, strict=True)))
    same = proposed_tolerance({**question, "outputs": [str(tmp_path / "ours.npz")]}, limits)
    assert same.tolerance == (1e-5, 1e-4)
    assert made.tolerance[0] >= same.tolerance[0]


@pytest.mark.parametrize("name", sorted(RUNTIMES.names()))
def test_every_format_names_its_setting_or_has_none(name: str) -> None:
    said = unlike_defaults(name)
    assert bool(said) == (name not in {"caffe", "nnef"})
    if said:
        compile(DEFAULTS[name][1], name, "exec")
