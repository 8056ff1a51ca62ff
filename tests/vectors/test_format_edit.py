"""Damage to models of particular formats: what is left is a file of that format."""

import pickletools
import zipfile

import format_edit
import mutate
import pytest
from ai_edge_litert import schema_py_generated as schema
from tensorflow.core.protobuf import saved_model_pb2

MODELS = mutate.VECTORS / "submissions" / "digits-formats" / "models"


@pytest.fixture
def copy(tmp_path):
    def of(place):
        (tmp_path / "model").write_bytes((MODELS / place).read_bytes())
        return tmp_path / "model"

    return of


def members(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_patch_writes_over_and_keeps_the_size(tmp_path):
    (tmp_path / "model").write_bytes(b"abcdef")
    mutate.apply(tmp_path, {"op": "patch", "file": "model", "offset": 2, "data": "5859"})
    assert (tmp_path / "model").read_bytes() == b"abXYef"


def test_replace_in_member_leaves_the_others_as_they_were(copy, tmp_path):
    path = copy("digits-keras/digits.keras")
    before = members(path)
    change = {"find": '"class_name": "ReLU"', "replacement": '"class_name": "Lambda"'}
    mutate.apply(
        tmp_path, {"op": "replace-in-member", "file": "model", "member": "config.json", **change}
    )
    after = members(path)
    assert after["config.json"].count(b"Lambda") == 1
    assert {n for n in before if before[n] != after[n]} == {"config.json"}
    assert before.keys() == after.keys()


def test_replace_in_member_demands_the_text(copy, tmp_path):
    copy("digits-keras/digits.keras")
    with pytest.raises(ValueError, match="not enough values"):
        format_edit.replace_in_member(tmp_path, "model", "config.json", "no such text", "x")


def test_a_planted_pickle_would_run_a_command(copy, tmp_path):
    path = copy("digits-torch-state-dict/digits.pt")
    mutate.apply(tmp_path, {"op": "plant-pickle", "file": "model", "member": "digits/data.pkl"})
    content = members(path)["digits/data.pkl"]
    opcodes = [(code.name, argument) for code, argument, _ in pickletools.genops(content)]
    assert ("GLOBAL", "posix system") in opcodes
    assert "REDUCE" in [name for name, _ in opcodes]


def test_a_pickle_is_planted_in_place_of_a_member_only(copy, tmp_path):
    copy("digits-torch-state-dict/digits.pt")
    with pytest.raises(KeyError):
        format_edit.plant_pickle(tmp_path, "model", "nowhere.pkl")


def test_an_archive_of_a_pickle_holds_nothing_else(copy, tmp_path):
    path = copy("digits-torch-export/digits.pt2")
    mutate.apply(tmp_path, {"op": "archive-pickle", "file": "model", "member": "digits/data.pkl"})
    assert list(members(path)) == ["digits/data.pkl"]


def test_every_output_waits_for_an_operator_that_was_added(copy, tmp_path):
    path = copy("digits-savedmodel/saved_model.pb")
    mutate.apply(tmp_path, {"op": "add-graph-operator", "file": "model", "operator": "WriteFile"})
    graph = saved_model_pb2.SavedModel.FromString(path.read_bytes()).meta_graphs[0].graph_def
    assert [node.op for node in graph.node if node.name == "planted"] == ["WriteFile"]
    assert [node for node in graph.node if "^planted" in node.input]


@pytest.mark.parametrize(("operator", "code"), [(9999, ""), (32, "Mine")])
def test_the_first_operator_of_a_tflite_model_is_another(copy, tmp_path, operator, code):
    path = copy("digits-tflite/digits.tflite")
    mutate.apply(
        tmp_path,
        {"op": "set-tflite-operator", "file": "model", "operator": operator, "code": code},
    )
    model = schema.ModelT.InitFromPackedBuf(path.read_bytes(), 0)
    first = model.operatorCodes[model.subgraphs[0].operators[0].opcodeIndex]
    assert first.builtinCode == operator
    assert (first.customCode or b"").decode() == code
