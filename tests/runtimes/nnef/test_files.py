"""Folders of files, what ``init`` gets to know of them, and libraries that are not there."""

import os
import sys

import pytest

from conformance.runtimes import runtime
from conformance.verdicts import ConformanceError, LimitError, MalformedError, NotRunError
from tests.runtimes.nnef import models as m

W = {"w": m.floats(1, 3)}
TEXT = m.graph("y = mul(x, w);", {"x": (1, 3)}, ("y",), W)
LABELS = tuple(m.cnn_tensors())


def test_a_folder_is_described(tmp_path):
    m.cnn(tmp_path)
    found = runtime("nnef").describe(tmp_path / "graph.nnef")
    assert [(p.name, p.dtype, p.shape) for p in found.inputs] == [("x", "float32", (2, 1, 6, 6))]
    assert [(p.name, p.dtype, p.shape) for p in found.outputs] == [("y", "float32", (2, 5))]
    assert found.parameter_count == sum(array.size for array in m.cnn_tensors().values())
    assert found.external_files == tuple(f"{label}.dat" for label in LABELS)


def test_the_quantisation_file_belongs_to_it(tmp_path):
    quant = '"y": linear_quantize(min = 0.0, max = 1.0, bits = 8);'
    m.save(tmp_path, TEXT, W, quant=quant)
    found = runtime("nnef").describe(tmp_path / "graph.nnef")
    assert found.external_files == ("w.dat", "graph.quant")


def test_an_archive_is_described(tmp_path):
    m.cnn(tmp_path)
    found = runtime("nnef").describe(m.archive(tmp_path))
    assert found.parameter_count == sum(array.size for array in m.cnn_tensors().values())
    assert found.external_files == ()


def test_what_is_not_there_is_named_in_a_description(tmp_path):
    m.save(tmp_path, TEXT)
    with pytest.raises(MalformedError) as caught:
        runtime("nnef").describe(tmp_path / "graph.nnef")
    assert caught.value.where.file == "w.dat"


def test_a_label_is_confined_in_a_description(tmp_path):
    (tmp_path / "w.dat").write_bytes(m.tensor_bytes(W["w"]))
    m.save(tmp_path / "model", TEXT.replace("'w'", "'../w'"))
    with pytest.raises(MalformedError, match="leads out"):
        runtime("nnef").describe(tmp_path / "model" / "graph.nnef")


@pytest.mark.parametrize("name", ["more.dat", "deep/more.dat", "notes.txt", "other.quant"])
def test_files_of_no_use_are_named(tmp_path, name):
    m.save(tmp_path, TEXT, W)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(m.tensor_bytes(m.floats(9)))
    with m.opened(m.source(tmp_path, "graph.nnef", "w.dat", name)) as network:
        assert network.unused_files == (name,)


def test_a_file_beside_the_graph_that_is_not_listed_is_not_read(tmp_path):
    m.save(tmp_path, TEXT, W)
    with pytest.raises(ConformanceError) as caught:
        m.opened(m.source(tmp_path, "graph.nnef"))
    assert "list it" in caught.value.fix


def outside(tmp_path):
    """A model and a tensor file that is not in its folder."""
    m.save(tmp_path / "model", TEXT)
    (tmp_path / "w.dat").write_bytes(m.tensor_bytes(W["w"]))
    return tmp_path / "model"


def test_a_tensor_file_that_is_a_link_out_of_the_folder(tmp_path):
    folder = outside(tmp_path)
    (folder / "w.dat").symlink_to(tmp_path / "w.dat")
    with pytest.raises(ConformanceError, match="no tensor file among the files"):
        m.opened(m.source(folder, "graph.nnef", "w.dat"))


def test_a_graph_that_is_a_link_out_of_the_submission(tmp_path):
    m.save(tmp_path / "model", TEXT, W)
    (tmp_path / "submission").mkdir()
    (tmp_path / "submission" / "graph.nnef").symlink_to(tmp_path / "model" / "graph.nnef")
    with pytest.raises(MalformedError, match="lies outside"):
        m.opened(m.source(tmp_path / "submission", "graph.nnef"))


@pytest.mark.parametrize("name", ["graph.nnef", "w.dat", "graph.quant"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["a-pipe", "a-folder"])
def test_what_is_no_regular_file_is_not_waited_for(tmp_path, name, make):
    quant = '"y": linear_quantize(min = 0.0, max = 1.0, bits = 8);'
    m.save(tmp_path, TEXT, W, quant=quant)
    (tmp_path / name).unlink()
    make(tmp_path / name)
    with pytest.raises(MalformedError, match="cannot be opened") as caught:
        m.opened(m.source(tmp_path, "graph.nnef", "w.dat", "graph.quant"))
    m.check(caught.value, name)


def test_variables_beyond_the_limit_are_refused(tmp_path):
    with pytest.raises(LimitError) as caught:
        m.opened(m.cnn_with_limit(tmp_path, 800))
    m.check(caught.value, "graph.nnef")


@pytest.mark.parametrize("module", ["nnef", "torch", "nnef_tools.interpreter.pytorch"])
def test_a_missing_library_is_named_with_its_remedy(tmp_path, monkeypatch, module):
    made = m.save(tmp_path, TEXT, W)
    monkeypatch.setitem(sys.modules, module, None)
    if module.startswith("nnef_tools"):
        monkeypatch.setitem(sys.modules, f"{module}.nnef_operators", None)
    with pytest.raises(NotRunError) as caught:
        m.opened(made).bind().run({"x": m.floats(1, 3)})
    assert caught.value.fix == "Run: pip install 'nnr-conformance[nnef]'"
    assert module.partition(".")[0] in caught.value.message
