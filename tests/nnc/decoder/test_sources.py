from pathlib import Path

import numpy as np
import pytest

from conformance.nnc.decoder import read_source

DATA = b"\x00\x04\x02\x01"


@pytest.mark.parametrize(
    "source",
    [DATA, bytearray(DATA), memoryview(DATA), np.frombuffer(DATA, "<u2").data],
    ids=["bytes", "bytearray", "memoryview", "words"],
)
def test_bytes_are_taken_from_memory(source):
    assert bytes(read_source(source)) == DATA


@pytest.mark.parametrize("kind", [str, Path])
def test_files_are_read(tmp_path, kind):
    file = tmp_path / "stream.nnc"
    file.write_bytes(DATA)
    assert bytes(read_source(kind(file))) == DATA


def test_what_is_read_cannot_be_written():
    assert read_source(bytearray(DATA)).readonly


def test_an_empty_file_is_no_bytes(tmp_path):
    file = tmp_path / "empty.nnc"
    file.touch()
    assert bytes(read_source(file)) == b""


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_source(tmp_path / "missing.nnc")
    with pytest.raises(IsADirectoryError):
        read_source(tmp_path)
