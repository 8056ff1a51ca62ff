"""Choosing the reader by suffix, and what a missing or strange file gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from conformance.tensorfiles import open_tensors, read_tensors, write_tensors
from conformance.verdicts import MalformedError, UnsupportedError


@pytest.mark.parametrize("name", ["a.safetensors", "A.SAFETENSORS", "a.npz", "a.b.npz"])
def test_the_suffix_chooses_the_reader(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    written = tmp_path / name.lower()
    write_tensors(written, {"x": np.arange(2)})
    written.rename(path)
    with open_tensors(path, display=name, limit_bytes=100) as file:
        assert file["x"].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("name", "found"),
    [("a.pt", ".pt"), ("a.npy", ".npy"), ("a.pkl", ".pkl"), ("a", "without a suffix")],
)
def test_other_files_are_unsupported(tmp_path: Path, name: str, found: str) -> None:
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(UnsupportedError) as caught:
        open_tensors(tmp_path / name, display=name, limit_bytes=100)
    assert found in caught.value.found
    assert ".safetensors, .npz or .pb" in caught.value.expected
    assert caught.value.where is not None
    assert caught.value.where.file == name


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz", "a.pb"])
def test_a_missing_file_is_explained(tmp_path: Path, name: str) -> None:
    with pytest.raises(MalformedError) as caught:
        open_tensors(tmp_path / name, display=name, limit_bytes=100)
    assert caught.value.found == "No such file or directory"
    assert caught.value.fix


def test_a_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "a.npz").mkdir()
    with pytest.raises(MalformedError, match="cannot be opened"):
        open_tensors(tmp_path / "a.npz", display="a.npz", limit_bytes=100)


def test_a_file_that_cannot_be_read_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"nothing")
    file = path.open("rb")
    with pytest.raises(MalformedError):
        read_tensors(file, "npz", display="a.npz", limit_bytes=100)
    assert file.closed


def test_importing_the_readers_imports_no_runtime() -> None:
    code = "import sys, conformance.tensorfiles; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"onnx", "torch", "safetensors", "google.protobuf"} & set(modules)


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz", "a.pb"])
def test_a_pointer_of_git_lfs_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"
    )
    with pytest.raises(MalformedError, match="Git LFS pointer") as caught:
        open_tensors(tmp_path / name, display=name, limit_bytes=100)
    assert caught.value.where is not None
    assert (caught.value.where.file, caught.value.where.byte_offset) == (name, 0)
    assert "git lfs pull" in caught.value.fix
