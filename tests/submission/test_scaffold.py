"""A new submission holds what is known, and `load` lists exactly what is not."""

import json

import pytest

from conformance.submission import load
from conformance.submission.scaffold import ModelDescription, SampleFiles, ShardFiles, scaffold
from conformance.submission.values import Port
from conformance.verdicts import ConformanceError

DESCRIPTION = ModelDescription(
    format="onnx",
    inputs=(Port("x", "float32", ("N", 3, None)),),
    outputs=(Port("y", "float32", ("N", 2)),),
    parameter_count=12,
)


@pytest.fixture
def sources(tmp_path):
    """Files from which to start."""
    root = tmp_path / "sources"
    (root / "deep").mkdir(parents=True)
    for name in ("My Net (1).onnx", "deep/w.data", "in.npz", "out.npz", "label.npz", "s.npz"):
        (root / name).write_bytes(name.encode())
    return root


def start(folder, sources, **changes):
    arguments = {
        "model_file": sources / "My Net (1).onnx",
        "description": DESCRIPTION,
        "id": "fresh",
        "vectors": [
            ShardFiles(
                items=7,
                inputs=(sources / "in.npz",),
                targets=(sources / "label.npz",),
                outputs=(sources / "out.npz",),
            )
        ],
        "samples": [SampleFiles("int8", (sources / "s.npz",), "tensors")],
    }
    return scaffold(folder, **(arguments | changes))


def blanks(value):
    if isinstance(value, str):
        return int(value.startswith("<fill in"))
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(blanks, inner))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"samples": []},
        {"vectors": []},
        {"vectors": [], "samples": [], "contributor": "Me", "title": "T", "license": "MIT"},
        {"samples": [SampleFiles("a", ()), SampleFiles("b", ())]},
        {"vectors": [ShardFiles(1, ())]},
        {"batched": False, "vectors": [ShardFiles(1, ())]},
    ],
)
def test_load_lists_exactly_the_blanks(tmp_path, sources, changes):
    path = start(tmp_path / "new", sources, **changes)
    data = json.loads(path.read_text("utf-8"))
    problems = load(tmp_path / "new").problems
    assert len(problems) == blanks(data) > 10
    for problem in problems:
        assert problem.check == "SUBMISSION-SCHEMA-001"
        assert "is still to be filled in" in problem.message
        assert problem.expected in problem.found


def test_files_are_copied_under_tidy_names(tmp_path, sources):
    start(tmp_path / "new", sources, external_data=[sources / "deep/w.data"])
    files = {
        str(path.relative_to(tmp_path / "new")): path.read_bytes()
        for path in (tmp_path / "new").rglob("*")
        if path.is_file() and path.name != "submission.json"
    }
    assert files == {
        "models/My-Net-1-.onnx": b"My Net (1).onnx",
        "models/deep/w.data": b"deep/w.data",
        "vectors/in.npz": b"in.npz",
        "vectors/label.npz": b"label.npz",
        "vectors/out.npz": b"out.npz",
        "samples/s.npz": b"s.npz",
    }


def test_the_network_file_is_listed_first(tmp_path, sources):
    path = start(tmp_path / "new", sources, external_data=[sources / "deep/w.data"])
    files = json.loads(path.read_text())["models"][0]["files"]
    assert [each["rel_filepath"] for each in files] == [
        "models/My-Net-1-.onnx",
        "models/deep/w.data",
    ]


def test_what_is_known_is_filled_in(tmp_path, sources):
    data = json.loads(start(tmp_path / "new", sources, contributor="Me").read_text())
    model = data["models"][0]
    assert model["inputs"] == [{"name": "x", "dtype": "float32", "shape": ["N", 3, None]}]
    assert model["parameter_count"] == 12
    assert model["files"][0]["size"] == len("My Net (1).onnx")
    assert data["vectors"][0]["shards"][0]["items"] == 7
    assert data["samples"][0]["claims"]["compressed_size"] == len("s.npz")
    assert data["contributor"] == "Me"


def test_files_of_the_same_name_do_not_overwrite_each_other(tmp_path, sources):
    (sources / "deep/s.npz").write_bytes(b"another")
    twins = [
        SampleFiles("a", (sources / "s.npz",)),
        SampleFiles("b", (sources / "deep/s.npz",)),
    ]
    data = json.loads(start(tmp_path / "new", sources, samples=twins).read_text())
    paths = [each["files"][0]["rel_filepath"] for each in data["samples"]]
    assert paths == ["samples/s.npz", "samples/s-2.npz"]
    assert (tmp_path / "new/samples/s-2.npz").read_bytes() == b"another"


def test_filled_in_it_is_valid(tmp_path, sources):
    path = start(tmp_path / "new", sources)
    data = json.loads(path.read_text())

    def fill(value, key=""):
        if isinstance(value, dict):
            return {name: fill(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [fill(each) for each in value]
        if not blanks(value):
            return value
        known = {
            "license": "MIT",
            "url": "https://example.org",
            "direction": "higher",
            "retraining": False,
        }
        if key in {"items", "bound", "value"}:
            return 1
        if key in {"parameter_reduction", "quantisation", "entropy_coding"}:
            return []
        return known.get(key, "something")

    path.write_text(json.dumps(fill(data)))
    loaded = load(tmp_path / "new")
    assert loaded.problems == ()
    assert loaded.submission is not None


def test_an_empty_folder_is_taken(tmp_path, sources):
    (tmp_path / "new").mkdir()
    assert start(tmp_path / "new", sources).is_file()


def test_a_folder_with_files_is_refused(tmp_path, sources):
    (tmp_path / "new").mkdir()
    (tmp_path / "new/precious").write_text("x")
    with pytest.raises(ConformanceError, match="is not an empty folder") as caught:
        start(tmp_path / "new", sources)
    assert caught.value.found == "a folder with files"
    assert "another folder" in caught.value.fix
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["precious"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path, sources):
    with pytest.raises(ConformanceError, match="is not an empty folder") as caught:
        start(sources / "in.npz", sources)
    assert caught.value.found == "a file"


@pytest.mark.parametrize("id", ["", "Bad", "a b", "a" * 65, "../x", "a\n"])
def test_an_invalid_id_is_refused(tmp_path, sources, id):
    with pytest.raises(ConformanceError, match="cannot be an id") as caught:
        start(tmp_path / "new", sources, id=id)
    assert "lower-case" in caught.value.expected
    assert not (tmp_path / "new").exists()


def test_two_samples_of_one_id_are_refused(tmp_path, sources):
    with pytest.raises(ConformanceError, match="'a' cannot be an id"):
        start(tmp_path / "new", sources, samples=[SampleFiles("a", ()), SampleFiles("a", ())])


def test_a_missing_file_is_refused_before_anything_is_written(tmp_path, sources):
    with pytest.raises(ConformanceError, match="cannot be copied") as caught:
        start(tmp_path / "new", sources, samples=[SampleFiles("a", (sources / "absent",))])
    assert caught.value.found == "no such file"
    assert not (tmp_path / "new").exists()


def test_external_data_outside_the_models_folder_are_refused(tmp_path, sources):
    (tmp_path / "far.data").write_bytes(b"x")
    with pytest.raises(ConformanceError, match="outside the folder of the network") as caught:
        start(tmp_path / "new", sources, external_data=[tmp_path / "far.data"])
    assert "next to it" in caught.value.fix
