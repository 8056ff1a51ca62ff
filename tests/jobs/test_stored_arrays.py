"""What one case keeps comes back to the next as it was."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.evidence.store import EVIDENCE
from conformance.jobs.stored_arrays import (
    keep_outputs,
    keep_statistics,
    kept_metrics,
    kept_outputs,
    kept_statistics,
)
from conformance.metrics import Measurement
from tests.jobs.bench import LIMITS

NAMES = st.text(min_size=1, max_size=12).filter(str.isprintable)


def round_trip(folder: Path, **outputs: np.ndarray) -> dict[str, np.ndarray]:
    keep_outputs(folder, 0, outputs)
    return kept_outputs(folder, 0, LIMITS)


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1.5, np.nan], [-0.0, np.inf]], np.float32),
        np.arange(3, dtype=np.int64),
        np.array([True, False]),
        np.array([1, 2], np.float16),
        np.array([1, 2], ml_dtypes.bfloat16),
        np.zeros((0, 4), np.float32),
        np.float64(3.0)[...],
    ],
    ids=["float", "int64", "bool", "float16", "bfloat16", "empty", "scalar"],
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
        keep_outputs(tmp_path, shard, {"y": np.full(2, shard)})
    for shard in (0, 1, 100_000):
        assert kept_outputs(tmp_path, shard, LIMITS)["y"].tolist() == [shard, shard]


def test_nothing_kept_is_nothing_found(tmp_path: Path) -> None:
    assert kept_outputs(tmp_path, 0, LIMITS) == {}


def test_statistics_come_back_where_there_are_some(tmp_path: Path) -> None:
    table = np.array([[1.0, 1.0], [0.0, 1.0]])
    measured = {"top1": Measurement(0.5, 2, table), "map": Measurement(0.5, 2, None)}
    keep_statistics(tmp_path, measured)
    back = kept_statistics(tmp_path, LIMITS)
    assert list(back) == ["top1"]
    np.testing.assert_array_equal(back["top1"], table)


def test_no_statistics_at_all_are_none(tmp_path: Path) -> None:
    keep_statistics(tmp_path, {})
    assert kept_statistics(tmp_path, LIMITS) == {}


def test_metric_rows_are_those_of_the_evidence(tmp_path: Path) -> None:
    rows = {"top1": {"value": 0.5}}
    evidence = {"result": {"metrics": rows}}
    (tmp_path / EVIDENCE).write_text(json.dumps(evidence), encoding="utf-8")
    assert kept_metrics(tmp_path) == rows
