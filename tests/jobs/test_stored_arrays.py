"""What one job keeps comes back to the next as it was."""

from __future__ import annotations

import tempfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.jobs import stored_arrays as stored_arrays_module
from conformance.jobs.stored_arrays import (
    array_writer,
    store_arrays,
    store_outputs,
    stored_arrays,
    stored_outputs,
)
from tests.jobs.bench import LIMITS

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def round_trip(folder: Path, **outputs: np.ndarray) -> dict[str, np.ndarray]:
    store_outputs(folder, 0, outputs)
    return stored_outputs(folder, 0, LIMITS)


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, np.nan], [-0.0, np.inf]], np.float32),
        np.arange(3, dtype=np.int64),
        np.array([True, False]),
        np.array([1, 2], np.float16),
        np.array([1, 2], ml_dtypes.bfloat16),
        np.array([[1, -8]], ml_dtypes.int4),
        np.array([3], ml_dtypes.uint2),
        np.array([0.5], ml_dtypes.float8_e4m3fnuz),
        np.array([[1 + 2j, np.nan]], np.complex128),
        np.array(1j, np.complex128),
        np.zeros((0, 4), np.float32),
        np.float64(3.0)[...],
    ],
    ids=lambda array: f"{array.dtype.name}{list(array.shape)}",
)
def test_outputs_come_back_bit_by_bit(tmp_path: Path, array: np.ndarray) -> None:
    back = round_trip(tmp_path, y=array)["y"]
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=6))
def test_strings_come_back(texts: list[str]) -> None:
    # NumPy's strings of fixed width do not keep trailing NULs; neither do those of a network.
    texts = [text.rstrip("\0") for text in texts]
    with tempfile.TemporaryDirectory() as folder:
        back = round_trip(Path(folder), words=np.array(texts, dtype=np.str_))
    assert back["words"].tolist() == texts


def test_strings_and_numbers_share_a_shard(tmp_path: Path) -> None:
    words = np.array([["a", "né"], ["", "c"]])
    back = round_trip(tmp_path, words=words, ids=np.arange(2))
    assert back["words"].tolist() == words.tolist()
    assert back["ids"].tolist() == [0, 1]


@given(NAMES, NAMES)
def test_any_names_of_outputs_come_back(numbers: str, words: str) -> None:
    outputs = {words: np.array(["a"]), numbers: np.arange(2)}
    with tempfile.TemporaryDirectory() as folder:
        back = round_trip(Path(folder), **outputs)
    assert {n: a.tolist() for n, a in back.items()} == {n: a.tolist() for n, a in outputs.items()}


@pytest.mark.parametrize("name", ["text:ends:y", "text:", "text:a", "__metadata__", "array:y"])
def test_names_that_look_like_our_own_come_back(tmp_path: Path, name: str) -> None:
    assert round_trip(tmp_path, **{name: np.arange(3)})[name].tolist() == [0, 1, 2]


def test_shards_are_kept_apart(tmp_path: Path) -> None:
    for shard in (0, 1, 100_000):
        store_outputs(tmp_path, shard, {"y": np.full(2, shard)})
    for shard in (0, 1, 100_000):
        assert stored_outputs(tmp_path, shard, LIMITS)["y"].tolist() == [shard, shard]


def test_no_outputs_are_none(tmp_path: Path) -> None:
    store_outputs(tmp_path, 0, {})
    assert stored_outputs(tmp_path, 0, LIMITS) == {}


def test_arrays_beyond_the_size_of_a_file_are_divided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_arrays_module, "FILE_BYTES", 100)
    arrays = {f"t{k}": np.full(10 * k, k, np.float32) for k in range(6)}
    with array_writer(tmp_path, "tensors") as writer:
        for name, array in arrays.items():
            writer.add(name, array)
    assert len(list(tmp_path.glob("tensors.*.safetensors"))) == 4
    back = stored_arrays(tmp_path, "tensors", LIMITS)
    assert list(back) == list(arrays)
    assert all(np.array_equal(back[name], arrays[name]) for name in arrays)


def test_two_lists_share_a_folder(tmp_path: Path) -> None:
    for stem in ("one", "other"):
        store_arrays(tmp_path, stem, {"x": np.array([stem])})
    assert stored_arrays(tmp_path, "one", LIMITS)["x"].tolist() == ["one"]
