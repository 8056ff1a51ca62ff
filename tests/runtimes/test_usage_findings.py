"""What is measured of the parameters that a network holds and uses."""

import json

import numpy as np
from onnx import ModelProto, helper

from tests import tiny_submission
from tests.jobs.in_process import Evaluation
from tests.runtimes import models
from tests.runtimes.test_learned_attributes import LEARNED


def test_opening_a_model_measures_what_it_uses(tmp_path):
    root = tmp_path / "tiny"
    metadata = tiny_submission.write(root)
    parameters = tiny_submission.weights() | {"dead": models.floats(1000, 100)}
    (root / "model.onnx").write_bytes(tiny_submission.model_bytes(parameters))
    metadata["models"][0]["files"] = [tiny_submission.entry(root, "model.onnx")]
    (root / "submission.json").write_text(json.dumps(metadata), encoding="utf-8")
    measured = Evaluation(root).result("model")
    assert measured["unused_parameters"] == ["dead"]
    used = sum(array.nbytes for array in tiny_submission.weights().values())
    assert measured["used_parameter_bytes"] == used
    assert measured["parameter_bytes"] == used + 400_000


def in_constants(data: bytes) -> bytes:
    """The model with every initializer as a Constant node."""
    made = ModelProto.FromString(data)
    nodes = [
        helper.make_node("Constant", [], [tensor.name], value=tensor)
        for tensor in made.graph.initializer
    ]
    nodes += made.graph.node
    del made.graph.initializer[:], made.graph.node[:]
    made.graph.node.extend(nodes)
    return made.SerializeToString()


def test_weights_in_constant_nodes_are_used_parameters(tmp_path):
    root = tmp_path / "tiny"
    metadata = tiny_submission.write(root)
    before = Evaluation(root).result("model")
    (root / "model.onnx").write_bytes(in_constants((root / "model.onnx").read_bytes()))
    metadata["models"][0]["files"] = [tiny_submission.entry(root, "model.onnx")]
    (root / "submission.json").write_text(json.dumps(metadata), encoding="utf-8")
    after = Evaluation(root).result("model")
    for measured in ("counts", "used_parameter_bytes", "unused_parameters", "unreplaceable"):
        assert after[measured] == before[measured]
    assert after["counts"]["parameters"] > 0


def test_coefficients_in_attributes_are_used_parameters(tmp_path):
    """Its coefficients, and not nothing, are what its file holds."""
    weights = np.ones(100_000, np.float32)
    build, tensors = LEARNED["LinearRegressor"]
    made = build({**tensors, "coefficients": weights})
    with models.opened(tmp_path, made) as network:
        used = sum(array.nbytes for array in network.parameters.values())
        unused = network.unused_parameters
    assert (used, unused) == (400_000, ())
