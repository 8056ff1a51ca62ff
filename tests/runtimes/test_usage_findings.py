"""What MODEL-FILES-001 says about a network that holds more than it uses."""

import json

import numpy as np
import pytest
from onnx import ModelProto, helper

from conformance.checks import BY_ID
from conformance.evaluation.evidence import Evidence
from conformance.evaluation.plan import Subject
from conformance.session.judge import Judge
from conformance.submission.values import File, Model
from conformance.test_originals import test_model_files as judge_files
from conformance.verdicts import Finding, Verdict
from tests import tiny_submission
from tests.evaluation.bench import Bench
from tests.runtimes import models
from tests.runtimes.test_learned_attributes import LEARNED

MIB = 1 << 20
ROOM = 1 << 18
SOUND = {
    "unused_files": [],
    "unused_parameters": [],
    "topology_bytes": 0,
    "used_parameter_bytes": 4 * MIB,
    "unread": {"bytes": 0, "count": 0, "largest": []},
}


def findings(folder, size: int = 5 * MIB, **measured) -> tuple[Finding, ...]:
    files = (File("models/net.onnx", size, "0" * 64),)
    model = Model("net", "", "onnx", "cnn", files, (), (), 1, (), (), (), ())
    subject = Subject("tiny/net", "tiny", "/models/net", model=model)
    evidence = Evidence("model net", "k", folder, {**SOUND, **measured}, None, {}, False)
    judge = Judge(BY_ID["MODEL-FILES-001"], subject, (), {}, lambda *_: evidence)
    judge_files(subject, judge)
    return judge.conclude()


def test_a_network_that_uses_all_it_holds_passes(tmp_path):
    (finding,) = findings(tmp_path)
    assert finding.verdict is Verdict.PASS


def test_unused_parameters_are_named_in_one_finding(tmp_path):
    (finding,) = findings(tmp_path, unused_parameters=["dead", "dead.too"])
    assert finding.verdict is Verdict.FAIL
    assert "none of its outputs depends on" in finding.message
    assert finding.found == "dead, dead.too"
    assert (finding.where.file, finding.where.element) == ("models/net.onnx", "dead")
    assert finding.mend.startswith("remove them from the network")


def test_the_call_that_saves_it_right_is_named_where_it_is_known(tmp_path):
    known = {"unused_parameters": ["optimizer/vars/2"], "unused_fix": "model.optimizer = None"}
    (finding,) = findings(tmp_path, **known)
    assert finding.mend == "model.optimizer = None"


@pytest.mark.parametrize(("count", "end"), [(8, "w7"), (9, "w7, and 1 more"), (99, "and 91 more")])
def test_many_unused_parameters_are_counted(tmp_path, count, end):
    (finding,) = findings(tmp_path, unused_parameters=[f"w{i}" for i in range(count)])
    assert finding.found.startswith("w0, w1, ")
    assert finding.found.endswith(end)


def test_files_may_be_twice_the_parameters_and_some_room(tmp_path):
    (finding,) = findings(tmp_path, 8 * MIB + ROOM)
    assert finding.verdict is Verdict.PASS


def test_files_that_hold_far_more_than_parameters_are_found(tmp_path):
    (finding,) = findings(tmp_path, 8 * MIB + ROOM + 1)
    assert finding.verdict is Verdict.FAIL
    assert "far more than its parameters" in finding.message
    assert str(8 * MIB + ROOM) in finding.expected
    assert f"{4 * MIB} bytes of parameters" in finding.expected
    assert finding.found == f"{8 * MIB + ROOM + 1} bytes"
    assert finding.where.file == "models/net.onnx"
    assert "documentation strings" in finding.mend


MOST_UNREAD = 4096 + 4 * MIB // 100


@pytest.mark.parametrize("spare", [0, 1])
def test_four_kib_and_a_hundredth_of_the_parameters_may_be_unread(tmp_path, spare):
    piece = {"file": "models/net.onnx", "piece": "documentation of model", "bytes": 40_000}
    unread = {"bytes": MOST_UNREAD + spare, "count": 9, "largest": [piece]}
    (finding,) = findings(tmp_path, unread=unread)
    if not spare:
        assert finding.verdict is Verdict.PASS
        assert finding.evidence["unread_bytes"] == MOST_UNREAD
        return
    assert finding.verdict is Verdict.FAIL
    assert "many bytes that nothing reads" in finding.message
    assert finding.expected.startswith(f"at most {MOST_UNREAD} such bytes")
    assert finding.found == (
        f"{MOST_UNREAD + 1} bytes; 40000 bytes in models/net.onnx (documentation of model); "
        "and 8 more"
    )
    assert (finding.where.file, finding.where.element) == (piece["file"], piece["piece"])
    assert finding.mend.startswith("remove them from the files")
    (finding,) = findings(tmp_path, unread=unread, unused_fix="save it so")
    assert finding.mend == "save it so"


def test_opening_a_model_measures_what_it_uses(tmp_path):
    root = tmp_path / "tiny"
    metadata = tiny_submission.write(root)
    parameters = tiny_submission.weights() | {"dead": models.floats(1000, 100)}
    (root / "model.onnx").write_bytes(tiny_submission.model_bytes(parameters))
    metadata["models"][0]["files"] = [tiny_submission.entry(root, "model.onnx")]
    (root / "submission.json").write_text(json.dumps(metadata), encoding="utf-8")
    measured = Bench(root).evaluate("model")
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
    before = Bench(root).evaluate("model")
    (root / "model.onnx").write_bytes(in_constants((root / "model.onnx").read_bytes()))
    metadata["models"][0]["files"] = [tiny_submission.entry(root, "model.onnx")]
    (root / "submission.json").write_text(json.dumps(metadata), encoding="utf-8")
    after = Bench(root).evaluate("model")
    for measured in ("counts", "used_parameter_bytes", "unused_parameters", "unreplaceable"):
        assert after[measured] == before[measured]
    assert after["counts"]["parameters"] > 0


def test_a_linear_classifier_of_attributes_passes(tmp_path):
    """Its coefficients, and not nothing, are what its file holds."""
    weights = np.ones(100_000, np.float32)
    build, tensors = LEARNED["LinearRegressor"]
    made = build({**tensors, "coefficients": weights})
    with models.opened(tmp_path, made) as network:
        used = sum(array.nbytes for array in network.parameters.values())
        unused = network.unused_parameters
    (finding,) = findings(tmp_path, made.ByteSize(), used_parameter_bytes=used)
    assert finding.verdict is Verdict.PASS
    assert (used, unused) == (400_000, ())
