"""Strings packed into numbers and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.tensorfiles import open_tensors, pack_strings, unpack_strings, write_tensors
from conformance.verdicts import LimitError, MalformedError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(st.lists(TEXT, max_size=12))
def test_strings_come_back(texts: list[str]) -> None:
    assert unpack_strings(pack_strings(np.array(texts, dtype="U8"))).tolist() == texts


@pytest.mark.parametrize("shape", [(), (1, 1), (2, 3), (0, 2)])
def test_shapes_come_back(shape: tuple[int, ...]) -> None:
    array = np.full(shape, "né")
    assert unpack_strings(pack_strings(array)).shape == shape


def test_objects_and_bytes_are_strings_too() -> None:
    array = np.array(["a", "né".encode()], dtype=object)
    assert unpack_strings(pack_strings(array)).tolist() == ["a", "né"]
    assert unpack_strings(pack_strings(np.array([b"ab"]))).tolist() == ["ab"]


def test_other_objects_are_a_type_error() -> None:
    with pytest.raises(TypeError, match="int is not a string"):
        pack_strings(np.array([3], dtype=object))


def test_packed_strings_go_through_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, pack_strings(np.array(["a", "b"])))
    with open_tensors(path, display="a", limit_bytes=100) as file:
        assert unpack_strings(file).tolist() == ["a", "b"]


UTF8 = np.frombuffer(b"ab", np.uint8)
DAMAGED = {
    "ends-fall": (UTF8, np.array([2, 1, 2])),
    "ends-negative": (UTF8, np.array([-1, 2])),
    "ends-before-the-text": (UTF8, np.array([1])),
    "ends-after-the-text": (UTF8, np.array([3])),
    "ends-not-int64": (UTF8, np.array([2], np.int32)),
    "text-without-ends": (UTF8, np.array([], np.int64)),
    "not-utf8": (np.frombuffer(b"\xff", np.uint8), np.array([1])),
}


@pytest.mark.parametrize(("utf8", "ends"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_explained(utf8: np.ndarray, ends: np.ndarray) -> None:
    with pytest.raises(MalformedError, match="damaged") as caught:
        unpack_strings({"utf8": utf8, "ends": ends})
    assert caught.value.expected
    assert caught.value.found


def test_one_long_string_among_many_is_a_limit_error() -> None:
    packed = pack_strings(np.array(["x" * 1000] + [""] * 1000, dtype=object))
    with pytest.raises(LimitError) as caught:
        unpack_strings(packed, limit_bytes=10**6)
    assert "1001 strings, the longest of 1000" in caught.value.found
