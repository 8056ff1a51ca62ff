"""Leaving few samples of a submission, and making claimed sizes true again."""

import json

import chain_edit
import pytest


def file(name, size):
    return {"rel_filepath": name, "size": size, "sha256": ""}


@pytest.fixture
def folder(tmp_path):
    claims = {"compressed_size": 1, "compression_factor": 1.0, "compressed_percent": 1.0}
    update = {**claims, "cumulative_size": 1}
    layer = {"claims": {"size": 1, "cumulative_size": 1}}
    samples = [
        {"id": "base", "files": [file("base", 100)], "claims": {**claims}},
        {
            "id": "a",
            "update_of": {"sample": "base"},
            "files": [file("a", 10)],
            "claims": {**update},
        },
        {
            "id": "b",
            "update_of": {"sample": "base"},
            "files": [file("b", 20)],
            "claims": {**update},
        },
        {
            "id": "c",
            "update_of": {"sample": "a", "contexts_of": "b"},
            "files": [file("c", 4)],
            "claims": {**update},
        },
        {
            "id": "merged",
            "merge_of": [{"sample": "a", "weight": 1}, {"sample": "b", "weight": 2}],
            "claims": {"compressed_size": 3, "cumulative_size": 1},
        },
        {
            "id": "layered",
            "files": [file("x", 5), file("y", 7)],
            "layers": [{**layer, "files": ["x"]}, {**layer, "files": ["y"]}],
            "claims": {"compressed_size": 1},
        },
        {
            "id": "units",
            "files": [file("z", 9)],
            "layers": [{**layer, "units": [{"first": 0, "last": 2}]}],
            "claims": {"compressed_size": 9},
        },
    ]
    for sample in samples:
        sample["model"] = "m"
        for each in sample.get("files", []):
            (tmp_path / each["rel_filepath"]).touch()
    document = {"models": [{"id": "m", "files": [file("model", 1000)]}], "samples": samples}
    (tmp_path / "submission.json").write_text(json.dumps(document))
    return tmp_path


def recounted(folder):
    chain_edit.recount(folder)
    document = json.loads((folder / "submission.json").read_text())
    return {sample["id"]: sample for sample in document["samples"]}


def test_sizes_of_chains_count_every_file_once(folder):
    found = recounted(folder)
    cumulative = {
        name: sample["claims"]["cumulative_size"]
        for name, sample in found.items()
        if "cumulative_size" in sample["claims"]
    }
    assert cumulative == {"a": 110, "b": 120, "c": 134, "merged": 130}


def test_sizes_and_factors_of_samples_are_true(folder):
    found = recounted(folder)
    assert found["a"]["claims"]["compressed_size"] == 10
    assert found["a"]["claims"]["compression_factor"] == 100
    assert found["a"]["claims"]["compressed_percent"] == 1
    assert found["merged"]["claims"]["compressed_size"] == 0
    assert "cumulative_size" not in found["base"]["claims"]


def test_sizes_of_layers_are_those_of_their_files(folder):
    found = recounted(folder)
    claims = [layer["claims"] for layer in found["layered"]["layers"]]
    assert claims == [{"size": 5, "cumulative_size": 5}, {"size": 7, "cumulative_size": 12}]
    assert found["units"]["layers"][0]["claims"] == {"size": 1, "cumulative_size": 1}


def test_a_parent_that_is_gone_counts_nothing(folder):
    chain_edit.keep_samples(folder, ["a", "c"])
    assert recounted(folder)["c"]["claims"]["cumulative_size"] == 14


def test_files_of_dropped_samples_are_gone(folder):
    chain_edit.keep_samples(folder, ["b", "base"])
    document = json.loads((folder / "submission.json").read_text())
    assert [sample["id"] for sample in document["samples"]] == ["b", "base"]
    assert {path.name for path in folder.iterdir()} == {"b", "base", "submission.json"}


def test_a_sample_that_is_not_there_is_named(folder):
    with pytest.raises(KeyError, match="other"):
        chain_edit.keep_samples(folder, ["a", "other"])
