"""Reading safetensors files: what is right comes back exactly, what is wrong is explained."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors.numpy import load_file, save_file

from conformance.tensorfiles import dtype_named, write_tensors
from conformance.tensorfiles.dtypes import SAFETENSORS_CODES
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.tensorfiles.hostile import entry, reopened, safetensors_bytes

SHARED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NAMES = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=20)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    dtype = dtype_named(draw(st.sampled_from(sorted(SAFETENSORS_CODES))))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    count = int(np.prod(shape, dtype=int)) * dtype.itemsize
    raw = draw(st.binary(min_size=count, max_size=count))
    if dtype == np.bool_:
        raw = bytes(byte & 1 for byte in raw)
    return np.frombuffer(raw, dtype).reshape(shape)


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


@SHARED
@given(st.dictionaries(NAMES.filter(lambda name: name != "__metadata__"), arrays(), max_size=5))
def test_every_dtype_and_shape_survives(tmp_path: Path, named: dict[str, np.ndarray]) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, named)
    with reopened(path) as file:
        assert set(file) == set(named)
        assert all(same(file[name], named[name]) for name in named)


def test_the_safetensors_library_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    named = {"w": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.array([True, False])}
    write_tensors(path, named, {"made by": "a test"})
    assert all(same(array, named[name]) for name, array in load_file(path).items())


def test_what_the_safetensors_library_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    named = {"w": np.arange(6.0).reshape(2, 3), "b": np.arange(3, dtype=np.int8)}
    save_file(named, path, {"format": "np"})
    with reopened(path) as file:
        assert all(same(file[name], named[name]) for name in named)
        assert file.metadata == {"format": "np"}


def test_the_same_arrays_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    a, b = np.zeros(3, np.int8), np.ones(2)
    write_tensors(tmp_path / "1.safetensors", {"a": a, "b": b}, {"x": "1", "y": "2"})
    write_tensors(tmp_path / "2.safetensors", {"b": b, "a": a}, {"y": "2", "x": "1"})
    assert (tmp_path / "1.safetensors").read_bytes() == (tmp_path / "2.safetensors").read_bytes()


def test_arrays_are_aligned_read_only_views(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": np.zeros(3, np.int8), "b": np.ones(2), "c": np.ones(1, np.int16)})
    with reopened(path) as file:
        for array in file.values():
            assert not array.flags.owndata
            assert not array.flags.writeable
            assert array.flags.aligned


def test_unaligned_arrays_are_copied_to_be_aligned(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    header = json.dumps({"a": entry("F64", [1], 0, 8)}).encode()
    header += b" " * (5 - len(header) % 8)
    path.write_bytes(safetensors_bytes(header, np.ones(1).tobytes()))
    with reopened(path) as file:
        assert file["a"].flags.aligned
        assert file["a"][0] == 1.0


def test_arrays_outlive_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": np.arange(4)})
    with reopened(path) as file:
        array = file["a"]
    assert not file
    assert array.tolist() == [0, 1, 2, 3]
    with pytest.raises(KeyError):
        file["a"]


def test_stored_tells_type_and_place_without_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"w": np.zeros((2, 3), ml_dtypes.bfloat16), "x": np.zeros(1)})
    with reopened(path) as file:
        stored = file.stored("w")
        assert str(stored) == "bfloat16 [2, 3]"
        assert stored.nbytes == 12
        assert stored.where.byte_offset == path.stat().st_size - 12
        assert stored.where.file == "shown/a.safetensors"


def test_an_empty_mapping_is_a_valid_file(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", {})
    with reopened(tmp_path / "a.safetensors") as file:
        assert len(file) == 0


def test_a_type_that_safetensors_lacks_is_a_value_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"safetensors cannot hold 's'"):
        write_tensors(tmp_path / "a.safetensors", {"s": np.array(["text"])})


ONE = {"a": entry("F32", [2], 0, 8)}
EIGHT = b"\0" * 8
DEEP = b'{"a":' + b"[" * 100_000
HOSTILE = {
    "empty-file": (b"", "too short", "at least 8 bytes", "0 bytes", 0),
    "seven-bytes": (b"\0" * 7, "too short", "at least 8 bytes", "7 bytes", 0),
    "header-beyond-the-file": (
        b"\xff" * 16,
        "longer than the file",
        "at most 8 bytes",
        str(2**64 - 1),
        0,
    ),
    "not-utf8": (safetensors_bytes(b'{"\xff"'), "cannot be read", "UTF-8", "0xff", 10),
    "not-json": (safetensors_bytes(b'{"a" 1}'), "cannot be read", "JSON", "':'", 13),
    "not-an-object": (safetensors_bytes(b"[1]"), "cannot be read", "object", "a list", 8),
    "nested-without-end": (safetensors_bytes(DEEP), "cannot be read", "JSON", "recursion", 8),
    "duplicate-key": (
        safetensors_bytes(b'{"a":1,"a":2}'),
        "cannot be read",
        "each key once",
        "'a' comes twice",
        8,
    ),
    "not-a-number": (safetensors_bytes(b'{"a":NaN}'), "cannot be read", "JSON", "NaN", 8),
    "number-of-5000-digits": (
        safetensors_bytes(b'{"a":' + b"1" * 5000 + b"}"),
        "cannot be read",
        "JSON",
        "digits",
        8,
    ),
    "metadata-not-texts": (
        safetensors_bytes({"__metadata__": {"a": 1}}),
        "not a map of strings",
        "strings",
        "{'a': 1}",
        8,
    ),
    "empty-name": (
        safetensors_bytes({"": entry("U8", [0], 0, 0)}),
        "name that cannot be used",
        "1024 printable",
        "an empty name",
        8,
    ),
    "name-with-line-feed": (
        safetensors_bytes({"a\nb": entry("U8", [0], 0, 0)}),
        "name that cannot be used",
        "printable",
        "a\\nb",
        8,
    ),
    "name-with-lone-surrogate": (
        safetensors_bytes(b'{"\\ud800":{}}'),
        "name that cannot be used",
        "printable",
        "\\ud800",
        8,
    ),
    "entry-without-offsets": (
        safetensors_bytes({"a": {"dtype": "F32", "shape": []}}),
        "not complete",
        "data_offsets",
        "'F32'",
        8,
    ),
    "entry-not-an-object": (
        safetensors_bytes({"a": 3}),
        "not complete",
        "dtype, shape and",
        "3",
        8,
    ),
    "offsets-fall": (
        safetensors_bytes({"a": entry("U8", [0], 8, 0)}, EIGHT),
        "not a range",
        "not above",
        "[8, 0]",
        8,
    ),
    "offsets-negative": (
        safetensors_bytes({"a": entry("U8", [1], -1, 0)}),
        "not a range",
        "integers",
        "[-1, 0]",
        8,
    ),
    "offsets-fractional": (
        safetensors_bytes({"a": entry("U8", [1], 0.0, 1.0)}, b"\0"),
        "not a range",
        "integers",
        "[0.0, 1.0]",
        8,
    ),
    "shape-negative": (
        safetensors_bytes({"a": entry("U8", [-1], 0, 1)}, b"\0"),
        "not a list of sizes",
        "none negative",
        "[-1]",
        8,
    ),
    "shape-boolean": (
        safetensors_bytes({"a": entry("U8", [True], 0, 1)}, b"\0"),
        "not a list of sizes",
        "integers",
        "[True]",
        8,
    ),
    "shape-of-33-dimensions": (
        safetensors_bytes({"a": entry("U8", [1] * 33, 0, 1)}, b"\0"),
        "not a list of sizes",
        "at most 32",
        "[1, 1",
        8,
    ),
    "size-and-shape-differ": (
        safetensors_bytes({"a": entry("F32", [3], 0, 8)}, EIGHT),
        "do not fit",
        "12 bytes for float32 [3]",
        "8 bytes (0 to 8)",
        69,
    ),
    "shape-overflows-64-bits": (
        safetensors_bytes({"a": entry("U8", [2**33, 2**33], 0, 4)}, b"\0" * 4),
        "do not fit",
        f"{2**66} bytes",
        "4 bytes",
        89,
    ),
    "cut-off": (safetensors_bytes(ONE, b"\0" * 7), "beyond the end", "77 bytes", "76 bytes", 69),
    "goes-on": (safetensors_bytes(ONE, b"\0" * 9), "goes on", "77 bytes", "78 bytes", 77),
    "arrays-overlap": (
        safetensors_bytes({**ONE, "b": entry("F32", [1], 4, 8)}, EIGHT),
        "'b' overlaps",
        "begins at byte 138",
        "byte 134",
        134,
    ),
    "gap-between-arrays": (
        safetensors_bytes({"b": entry("F32", [1], 4, 8)}, EIGHT),
        "'b' leaves a gap",
        "begins at byte 69",
        "byte 73",
        73,
    ),
}


@pytest.mark.parametrize("case", HOSTILE.values(), ids=HOSTILE)
def test_what_is_wrong_is_explained(tmp_path: Path, case: tuple[bytes, str, str, str, int]) -> None:
    content, message, expected, found, offset = case
    path = tmp_path / "a.safetensors"
    path.write_bytes(content)
    with pytest.raises(MalformedError) as caught:
        reopened(path)
    error = caught.value
    assert message in error.message
    assert expected in error.expected
    assert found in error.found
    assert error.fix
    assert error.where is not None
    assert error.where.file == "shown/a.safetensors"
    assert error.where.byte_offset == offset


def test_an_unknown_type_is_unsupported(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes({"a": entry("F4", [2], 0, 1)}, b"\0"))
    with pytest.raises(UnsupportedError) as caught:
        reopened(path)
    assert "'F4'" in caught.value.found
    assert "BF16" in caught.value.expected


def test_a_boolean_above_one_is_malformed_when_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes({"a": entry("BOOL", [2], 0, 2)}, b"\1\2"))
    with reopened(path) as file, pytest.raises(MalformedError, match="booleans"):
        file["a"]


def test_a_header_of_nine_mebibytes_is_a_limit_error(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes(b"{}" + b" " * (9 * 2**20)))
    with pytest.raises(LimitError, match="too long"):
        reopened(path)


@pytest.mark.parametrize("limit", [15, 16])
def test_all_arrays_together_stay_below_the_limit(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": np.zeros(2, np.float32), "b": np.zeros(2, np.float32)})
    if limit == 16:
        assert len(reopened(path, limit)) == 2
        return
    with pytest.raises(LimitError) as caught:
        reopened(path, limit)
    assert "at most 15 bytes" in caught.value.expected
    assert "16 bytes up to and with 'b'" in caught.value.found


def test_empty_arrays_of_impossible_shapes_are_a_limit_error(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes({"a": entry("U8", [0, 2**62, 2**62], 0, 0)}))
    with pytest.raises(LimitError):
        reopened(path)


def test_damage_of_any_kind_gives_arrays_or_an_explained_error(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    named = {
        "w": np.arange(12, dtype=np.float32).reshape(3, 4),
        "b": np.array([True]),
        "h": np.ones(3, ml_dtypes.bfloat16),
    }
    write_tensors(path, named, {"note": "text"})
    whole = path.read_bytes()
    random = np.random.default_rng(20180701)
    for _ in range(2000):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), random.integers(1, 4)):
            damaged[position] ^= 1 << int(random.integers(8))
        if random.random() < 0.3:
            del damaged[int(random.integers(len(whole))) :]
        path.write_bytes(damaged)
        with contextlib.suppress(ConformanceError), reopened(path) as file:
            for name in file:
                file[name].sum()
