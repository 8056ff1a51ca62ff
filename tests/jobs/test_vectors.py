"""Reference vectors as submitted: files of several kinds, shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from conformance.jobs.vectors import ShardArrays, read_shards
from conformance.plan.requests import (
    FileRef,
    ShardSpec,
    VectorsRequest,
    VectorsSpec,
    error_spelled,
    files_in,
    spelled,
)
from conformance.tensorfiles import write_tensors
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.jobs.made import a_task

X = np.arange(12, dtype=np.float32).reshape(4, 3)
MASK = np.ones((4, 2), np.int64)


class Folder:
    """Vector files in a folder, listed shard by shard."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.shards: list[ShardSpec] = []

    def npz(self, name: str, **arrays: np.ndarray) -> FileRef:
        np.savez(self.root / name, **arrays)
        return FileRef(name, name, 0, "")

    def safetensors(self, name: str, **arrays: np.ndarray) -> FileRef:
        write_tensors(self.root / name, arrays)
        return FileRef(name, name, 0, "")

    def pb(self, name: str, array: np.ndarray, tensor: str = "") -> FileRef:
        message = numpy_helper.from_array(array, tensor)
        (self.root / name).write_bytes(message.SerializeToString())
        return FileRef(name, name, 0, "")

    def shard(self, inputs=(), targets=(), outputs=(), items: int = 4) -> Folder:
        self.shards.append(ShardSpec(items, tuple(inputs), tuple(targets), tuple(outputs)))
        return self

    def shards_in_turn(
        self, inputs=("x",), outputs=("y",), *, batched: bool = True, **limits: int
    ) -> Iterator[ShardArrays]:
        """Yield each shard as it is read, with files by their names."""
        asked = VectorsRequest(vectors=VectorsSpec(batched, tuple(self.shards)), inputs=())
        files = {ref.role: self.root / ref.role for ref in files_in(asked)}
        task = a_task(asked, files)
        task = replace(task, limits=replace(task.limits, **limits))
        try:
            for shard in read_shards(task, asked.vectors, inputs, outputs):
                yield replace(shard, sources=spelled(dict(shard.sources), _name_of))
        except ConformanceError as error:
            raise error_spelled(error, _name_of) from error

    def read(self, *names: tuple[str, ...], **more: Any) -> list[ShardArrays]:
        return list(self.shards_in_turn(*names, **more))


def _name_of(_: str, name: str) -> str:
    return {"id.vectors": "test"}.get(name, name.removeprefix("file."))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_arrays_come_by_name_with_the_file_of_each_output(folder: Folder) -> None:
    inputs = [folder.npz("in.npz", x=X)]
    targets = [folder.npz("t.npz", label=np.arange(4))]
    outputs = [folder.npz("out.npz", y=X * 2)]
    (shard,) = folder.shard(inputs, targets, outputs).read()
    assert (shard.index, shard.items) == (0, 4)
    np.testing.assert_array_equal(shard.inputs["x"], X)
    np.testing.assert_array_equal(shard.targets["label"], np.arange(4))
    np.testing.assert_array_equal(shard.outputs["y"], X * 2)
    assert shard.sources == {"y": "out.npz"}


def test_shards_come_in_turn_with_items_of_their_own(folder: Folder) -> None:
    for index, items in enumerate((4, 1, 3)):
        folder.shard([folder.npz(f"in{index}.npz", x=X[:items] + index)], items=items)
    shards = folder.read()
    assert [(shard.index, shard.items) for shard in shards] == [(0, 4), (1, 1), (2, 3)]
    assert [float(shard.inputs["x"][0, 0]) for shard in shards] == [0.0, 1.0, 2.0]


def test_second_shard_is_not_read_before_the_first_is_used(folder: Folder) -> None:
    folder.shard([folder.npz("in.npz", x=X)]).shard([FileRef("missing.npz", "", 0, "")])
    shards = folder.shards_in_turn()
    assert next(shards).index == 0
    with pytest.raises(MalformedError, match="cannot be opened"):
        next(shards)


def test_files_of_all_kinds_may_be_mixed(folder: Folder) -> None:
    files = [
        folder.npz("a.npz", a=X),
        folder.safetensors("b.safetensors", b=X + 1),
        folder.pb("c.pb", X + 2, "c"),
    ]
    (shard,) = folder.shard(files).read(inputs=("a", "b", "c"))
    for offset, name in enumerate("abc"):
        np.testing.assert_array_equal(shard.inputs[name], X + offset)


def test_every_shard_may_be_another_kind_of_file(folder: Folder) -> None:
    folder.shard([folder.npz("0.npz", x=X)])
    folder.shard([folder.safetensors("1.safetensors", x=X)])
    folder.shard([folder.pb("2.pb", X)])
    for shard in folder.read():
        np.testing.assert_array_equal(shard.inputs["x"], X)


def test_unnamed_pb_files_take_the_names_of_the_ports_in_order(folder: Folder) -> None:
    inputs = [folder.pb("input-0.pb", X), folder.pb("input-1.pb", MASK)]
    outputs = [folder.pb("output-0.pb", X), folder.pb("output-1.pb", MASK)]
    (shard,) = folder.shard(inputs, outputs=outputs).read(("ids", "mask"), ("first", "second"))
    np.testing.assert_array_equal(shard.inputs["mask"], MASK)
    np.testing.assert_array_equal(shard.outputs["second"], MASK)
    assert shard.sources == {"first": "output-0.pb", "second": "output-1.pb"}


def test_name_in_a_pb_file_goes_before_its_position(folder: Folder) -> None:
    files = [folder.pb("0.pb", MASK, "mask"), folder.pb("1.pb", X, "x")]
    (shard,) = folder.shard(files).read(inputs=("x", "mask"))
    np.testing.assert_array_equal(shard.inputs["x"], X)


def test_unnamed_pb_beyond_the_ports_is_no_input(folder: Folder) -> None:
    files = [folder.pb("0.pb", X), folder.pb("1.pb", X)]
    with pytest.raises(ConformanceError) as caught:
        folder.shard(files).read()
    assert caught.value.found == "#1, x"


def test_unnamed_targets_are_numbered(folder: Folder) -> None:
    targets = [folder.pb("t0.pb", X), folder.pb("t1.pb", X)]
    (shard,) = folder.shard([folder.npz("in.npz", x=X)], targets).read()
    assert list(shard.targets) == ["#0", "#1"]


@pytest.mark.parametrize(
    ("arrays", "found"),
    [({"image": X}, "image"), ({"x": X, "more": X}, "more, x"), ({}, "no arrays")],
    ids=["misspelt", "too-many", "none"],
)
def test_inputs_are_exactly_those_of_the_network(folder: Folder, arrays, found: str) -> None:
    with pytest.raises(ConformanceError, match="does not hold the network's inputs") as caught:
        folder.shard([folder.npz("in.npz", **arrays)]).read()
    error = caught.value
    assert "shard 0 of vectors 'test'" in error.message
    assert error.where is not None
    assert error.where.file == "in.npz"
    assert (error.expected, error.found) == ("x", found)
    assert "like the inputs of the network" in error.fix


def test_broken_shard_is_named_by_its_number(folder: Folder) -> None:
    folder.shard([folder.npz("0.npz", x=X)]).shard([folder.npz("1.npz", y=X)])
    with pytest.raises(ConformanceError, match="shard 1 of"):
        folder.read()


def test_outputs_may_be_left_out_but_not_invented(folder: Folder) -> None:
    inputs = [folder.npz("in.npz", x=X)]
    assert folder.shard(inputs).read(outputs=("y", "z"))[0].outputs == {}
    folder.shard(inputs, outputs=[folder.npz("out.npz", z=X, score=X)])
    with pytest.raises(ConformanceError, match="outputs that the network lacks") as caught:
        folder.read(outputs=("y", "z"))
    error = caught.value
    assert error.where is not None
    assert (error.where.file, error.where.element) == ("out.npz", "score")
    assert (error.expected, error.found) == ("some of y, z", "score")


def test_same_name_in_two_files_is_refused(folder: Folder) -> None:
    files = [folder.npz("a.npz", x=X), folder.safetensors("b.safetensors", x=X)]
    with pytest.raises(ConformanceError, match="'x' is there twice") as caught:
        folder.shard(files).read()
    error = caught.value
    assert error.where is not None
    assert error.where.file == "b.safetensors"
    assert error.found == "another one in a.npz"
    assert error.fix == "keep one of them"


def test_unnamed_file_may_not_take_the_name_of_another(folder: Folder) -> None:
    files = [folder.npz("a.npz", y=X, x=X), folder.pb("b.pb", X)]
    with pytest.raises(ConformanceError, match="'y' is there twice"):
        folder.shard(files).read(inputs=("x", "y"))


@pytest.mark.parametrize("group", ["inputs", "targets", "outputs"])
@pytest.mark.parametrize(
    "array", [X[:3], np.zeros((0, 3), np.float32), np.float32(1)], ids=["short", "empty", "scalar"]
)
def test_every_array_holds_the_declared_items(folder: Folder, group: str, array) -> None:
    files = {"inputs": {"x": X}, "targets": {"label": X}, "outputs": {"y": X}}
    name = next(iter(files[group]))
    files[group] = {name: array}
    listed = {g: [folder.npz(f"{g}.npz", **arrays)] for g, arrays in files.items()}
    with pytest.raises(ConformanceError, match="declared number of items") as caught:
        folder.shard(**listed).read()
    error = caught.value
    assert error.where is not None
    assert (error.where.file, error.where.element) == (f"{group}.npz", name)
    assert error.expected == "4 items along axis 0"
    assert error.found == f"shape {array.shape}"
    assert '"batched": false' in error.fix


def test_without_batches_axis_0_is_nobodys_business(folder: Folder) -> None:
    scalar = [folder.npz("t.npz", score=np.float32(0.5))]
    (shard,) = folder.shard([folder.npz("in.npz", x=X)], scalar, items=1).read(batched=False)
    assert shard.inputs["x"].shape == (4, 3)
    assert shard.targets["score"].shape == ()


def test_strings_are_read_from_npz_and_pb(folder: Folder) -> None:
    words = np.array(["née", "two words", "", "last"])
    targets = [folder.npz("t.npz", text=words), folder.pb("u.pb", words.astype(object), "other")]
    (shard,) = folder.shard([folder.npz("in.npz", x=X)], targets).read()
    assert shard.targets["text"].tolist() == words.tolist()
    assert shard.targets["other"].tolist() == words.tolist()


def test_pickled_arrays_are_refused_unread(folder: Folder, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self):
            return (Path(tmp_path / "sprung").touch, ())

    hostile = folder.npz("in.npz", x=np.array([Trap()] * 4, object))
    with pytest.raises(ConformanceError, match="object") as caught:
        folder.shard([hostile]).read()
    assert caught.value.where is not None
    assert caught.value.where.file == "in.npz"
    assert not (tmp_path / "sprung").exists()


def test_file_of_another_kind_is_unsupported(folder: Folder) -> None:
    (folder.root / "in.csv").write_text("1,2\n", encoding="utf-8")
    with pytest.raises(UnsupportedError, match="not read as arrays"):
        folder.shard([FileRef("in.csv", "", 0, "")]).read()


def test_array_beyond_the_limit_is_refused(folder: Folder) -> None:
    folder.shard([folder.npz("in.npz", x=X)])
    with pytest.raises(LimitError):
        folder.read(tensor_bytes=X.nbytes - 1)
