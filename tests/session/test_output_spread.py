"""``init`` proposes the output tolerance that the given outputs need, and says why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from conformance.runtimes import RUNTIMES
from conformance.session.asking import limits_for
from conformance.session.command import init_submission
from conformance.session.framework_defaults import DEFAULTS, unlike_defaults
from conformance.session.output_spread import proposed_tolerance
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
    metadata = json.loads((material / "new" / "submission.json").read_text(encoding="utf-8"))
    return metadata["vectors"][0]["output_tolerance"], said


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
