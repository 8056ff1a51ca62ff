"""Every operation that turns a good submission into a rejected one."""

import hashlib
import json

import mutate
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from safetensors.numpy import load_file, save_file

TENSORS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array([7, 8], dtype=np.int64),
    "c": np.array([0.5], dtype=np.float16),
}


def describe(path, root):
    data = path.read_bytes()
    return {
        "rel_filepath": path.relative_to(root).as_posix(),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "submission"
    root.mkdir()
    (root / "model.bin").write_bytes(bytes(400))
    save_file(TENSORS, root / "sample.safetensors")
    np.savez(root / "labels.npz", label=np.arange(3), other=np.zeros(2))
    sample = {
        "id": "s",
        "model": "m",
        "files": [describe(root / "sample.safetensors", root)],
        "claims": {"compressed_size": 1, "compression_factor": 1.0, "compressed_percent": 1.0},
    }
    document = {
        "models": [
            {"id": "m", "files": [describe(root / "model.bin", root)]},
            {"id": "n", "files": []},
        ],
        "samples": [
            sample,
            {"id": "t", "model": "n", "files": [], "claims": {"compressed_size": 5}},
        ],
        "vectors": [{"id": "v", "shards": [{"targets": [describe(root / "labels.npz", root)]}]}],
    }
    (root / "submission.json").write_text(json.dumps(document))
    return root


def metadata(folder):
    return json.loads((folder / "submission.json").read_text())


def apply(folder, op, **arguments):
    mutate.apply(folder, {"op": op, **arguments})


def test_set_remove_and_copy_change_the_metadata(folder):
    apply(folder, "set", pointer="/samples/s/claims/compressed_size", value=9)
    apply(folder, "copy", source="/samples/s", pointer="/samples/-")
    apply(folder, "remove", pointer="/vectors")
    document = metadata(folder)
    assert document["samples"][2] == document["samples"][0]
    assert document["samples"][0]["claims"]["compressed_size"] == 9
    assert "vectors" not in document


def test_replace_text_replaces_once(folder):
    apply(folder, "write-file", file="note.txt", text="a b a")
    apply(folder, "replace-text", file="note.txt", find="a", replacement="c")
    assert (folder / "note.txt").read_text() == "c b a"


def test_replace_text_demands_the_text(folder):
    with pytest.raises(ValueError, match="unpack"):
        apply(folder, "replace-text", file="submission.json", find="no such", replacement="")


def test_delete_file_deletes(folder):
    apply(folder, "delete-file", file="model.bin")
    assert not (folder / "model.bin").exists()


def test_truncate_cuts_the_end(folder):
    before = (folder / "sample.safetensors").read_bytes()
    apply(folder, "truncate", file="sample.safetensors", cut=10)
    assert (folder / "sample.safetensors").read_bytes() == before[:-10]


@pytest.mark.parametrize("offset", [3, -1])
def test_flip_bit_changes_one_bit_and_back(folder, offset):
    before = (folder / "labels.npz").read_bytes()
    apply(folder, "flip-bit", file="labels.npz", offset=offset, bit=2)
    after = (folder / "labels.npz").read_bytes()
    changed = [a ^ b for a, b in zip(before, after, strict=True)]
    assert sum(changed) == 4
    assert changed[offset] == 4
    apply(folder, "flip-bit", file="labels.npz", offset=offset, bit=2)
    assert (folder / "labels.npz").read_bytes() == before


def test_symlink_out_leads_out_of_the_folder_to_the_same_bytes(folder):
    before = (folder / "model.bin").read_bytes()
    apply(folder, "symlink-out", file="model.bin")
    assert (folder / "model.bin").is_symlink()
    assert not (folder / "model.bin").resolve().is_relative_to(folder)
    assert (folder / "model.bin").read_bytes() == before


def test_hardlink_out_has_a_second_name_outside(folder):
    before = (folder / "model.bin").read_bytes()
    apply(folder, "hardlink-out", file="model.bin")
    assert (folder / "model.bin").stat().st_nlink == 2
    assert len([path for path in folder.iterdir() if path.name == "model.bin"]) == 1
    assert (folder / "model.bin").read_bytes() == before


def test_rehash_makes_hash_size_and_claims_true(folder):
    apply(folder, "truncate", file="sample.safetensors", cut=10)
    apply(folder, "rehash", file="sample.safetensors")
    sample, other = metadata(folder)["samples"]
    size = (folder / "sample.safetensors").stat().st_size
    assert sample["files"] == [describe(folder / "sample.safetensors", folder)]
    assert sample["claims"] == {
        "compressed_size": size,
        "compression_factor": 400 / size,
        "compressed_percent": size / 4,
    }
    assert other["claims"] == {"compressed_size": 5}


def test_rehash_of_an_original_changes_the_claims_of_all_its_samples(folder):
    size = (folder / "sample.safetensors").stat().st_size
    apply(folder, "truncate", file="model.bin", cut=100)
    apply(folder, "rehash", file="model.bin")
    document = metadata(folder)
    assert document["models"][0]["files"] == [describe(folder / "model.bin", folder)]
    assert document["samples"][0]["claims"]["compression_factor"] == 300 / size


def test_rehash_finds_files_at_any_depth_and_touches_no_other(folder):
    before = metadata(folder)
    apply(folder, "flip-bit", file="labels.npz", offset=0, bit=0)
    apply(folder, "rehash", file="labels.npz")
    after = metadata(folder)
    changed = after["vectors"][0]["shards"][0]["targets"][0]
    assert changed == describe(folder / "labels.npz", folder)
    assert after["samples"] == before["samples"]
    assert after["models"] == before["models"]


def test_redigest_claims_what_the_tensor_is_now(folder):
    apply(folder, "reshape-tensor", file="sample.safetensors", tensor="a", shape=[3, 2])
    apply(folder, "set", pointer="/samples/s/claims/tensor_digests", value={"a": "", "b": ""})
    apply(folder, "redigest", file="sample.safetensors", tensor="a")
    content = b"float32:3x2\n" + TENSORS["a"].tobytes()
    digests = metadata(folder)["samples"][0]["claims"]["tensor_digests"]
    assert digests == {"a": hashlib.sha256(content).hexdigest(), "b": ""}


@pytest.mark.parametrize("tensor", TENSORS)
def test_drop_tensor_leaves_the_others_as_they_were(folder, tensor):
    apply(folder, "drop-tensor", file="sample.safetensors", tensor=tensor)
    left = load_file(folder / "sample.safetensors")
    assert left.keys() == TENSORS.keys() - {tensor}
    assert all(np.array_equal(left[name], TENSORS[name]) for name in left)


def test_retype_tensor_keeps_the_bytes(folder):
    before = load_file(folder / "sample.safetensors")["a"]
    apply(folder, "retype-tensor", file="sample.safetensors", tensor="a", dtype="I32")
    after = load_file(folder / "sample.safetensors")["a"]
    assert after.dtype == np.int32
    assert after.tobytes() == before.tobytes()


def test_reshape_tensor_keeps_the_elements(folder):
    apply(folder, "reshape-tensor", file="sample.safetensors", tensor="a", shape=[3, 2])
    left = load_file(folder / "sample.safetensors")
    assert np.array_equal(left["a"], TENSORS["a"].reshape(3, 2))


@pytest.mark.parametrize(("tensor", "value"), [("a", "nan"), ("b", 4), ("c", "inf")])
def test_fill_tensor_sets_every_element(folder, tensor, value):
    apply(folder, "fill-tensor", file="sample.safetensors", tensor=tensor, value=value)
    left = load_file(folder / "sample.safetensors")
    wanted = np.full_like(TENSORS[tensor], float(value))
    assert np.array_equal(left[tensor], wanted, equal_nan=True)
    assert all(np.array_equal(left[name], TENSORS[name]) for name in TENSORS if name != tensor)


def test_pickle_array_needs_pickle_for_that_array_only(folder):
    apply(folder, "pickle-array", file="labels.npz", array="label")
    with np.load(folder / "labels.npz", allow_pickle=False) as archive:
        assert np.array_equal(archive["other"], np.zeros(2))
        with pytest.raises(ValueError, match="pickle"):
            archive["label"]


@pytest.fixture
def network(folder):
    """The path of a network that gives its only parameter, w, to its output."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["y"], "give")],
        "g",
        [],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])],
        [numpy_helper.from_array(np.ones(2, np.float32), "w")],
    )
    onnx.save(helper.make_model(graph), folder / "m.onnx")
    return folder / "m.onnx"


def test_set_external_data_points_at_the_location(folder, network):
    apply(folder, "set-external-data", file="m.onnx", tensor="w", location="../x")
    (tensor,) = onnx.load(network, load_external_data=False).graph.initializer
    assert tensor.data_location == onnx.TensorProto.EXTERNAL
    assert [(entry.key, entry.value) for entry in tensor.external_data] == [("location", "../x")]
    assert not tensor.raw_data


def test_set_operator_changes_one_node(folder, network):
    apply(folder, "set-operator", file="m.onnx", node="give", operator="Withhold")
    assert [node.op_type for node in onnx.load(network).graph.node] == ["Withhold"]


def test_set_attribute_takes_the_place_of_one(folder, network):
    for value in (2.0, 0.5):
        apply(folder, "set-attribute", file="m.onnx", node="give", name="alpha", value=value)
    (node,) = onnx.load(network).graph.node
    assert [(each.name, each.f) for each in node.attribute] == [("alpha", 0.5)]


def test_an_unknown_operation_is_named(folder):
    with pytest.raises(KeyError, match="shuffle"):
        apply(folder, "shuffle")


def test_the_command_line_writes_a_case(tmp_path, capsys):
    mutate.main("file-missing", str(tmp_path / "case"))
    assert "not there" in capsys.readouterr().out
    assert (tmp_path / "case" / "submission.json").is_file()
    assert not (tmp_path / "case" / "samples" / "fp16.onnx").exists()
