"""The format of a network is implied by the name of its file, or asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.cli.model_format import ENDINGS, FIRST_FILES, first_file, format_of
from conformance.runtimes import RUNTIMES
from conformance.verdicts import ConformanceError

KNOWN = RUNTIMES.names()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("net.onnx", "onnx"),
        ("net.pt2", "torch-export"),
        ("weights.safetensors", "torch-state-dict"),
        ("folder/saved_model.pb", "savedmodel"),
        ("net.keras", "keras"),
        ("net.tflite", "tflite"),
        ("deploy.prototxt", "caffe"),
        ("graph.nnef", "nnef"),
        ("net.tgz", "nnef"),
        ("net.nnef.tar.gz", "nnef"),
    ],
)
def test_the_name_tells_the_format(name: str, expected: str) -> None:
    assert format_of(Path(name), None, KNOWN) == expected


def test_every_format_has_an_ending() -> None:
    assert {each for formats in ENDINGS.values() for each in formats} == set(KNOWN)


@pytest.mark.parametrize("name", ["net.pt", "net.pth"])
def test_a_name_that_two_formats_have_is_asked_about(name: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        format_of(Path(name), None, KNOWN)
    assert "--format" in str(caught.value)
    assert "torchscript" in str(caught.value)
    assert "torch-state-dict" in str(caught.value)


@pytest.mark.parametrize("name", ["net.pb", "net", "model.h5", "net.onnx.txt"])
def test_a_name_that_tells_nothing_is_asked_about(name: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        format_of(Path(name), None, KNOWN)
    assert "--format" in str(caught.value)
    assert name in str(caught.value)


def test_a_given_format_is_taken_whatever_the_name() -> None:
    assert format_of(Path("net.pt"), "torchscript", KNOWN) == "torchscript"
    assert format_of(Path("net.onnx"), "caffe", KNOWN) == "caffe"


def test_an_unknown_format_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConformanceError) as caught:
        format_of(Path("net.onnx"), "mindspore", KNOWN)
    assert "'mindspore'" in str(caught.value)
    assert "tflite" in str(caught.value)


@pytest.mark.parametrize("name", FIRST_FILES)
def test_a_folder_stands_for_its_first_file(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"")
    assert first_file(tmp_path) == tmp_path / name


def test_another_folder_stands_for_nothing(tmp_path: Path) -> None:
    assert first_file(tmp_path) == tmp_path


def test_a_file_stands_for_itself(tmp_path: Path) -> None:
    assert first_file(tmp_path / "net.onnx") == tmp_path / "net.onnx"
