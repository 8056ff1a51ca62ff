"""Reading .npz files: NumPy's own come back exactly, hostile archives are explained."""

from __future__ import annotations

import contextlib
import io
import struct
import warnings
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conformance.tensorfiles import write_tensors
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.tensorfiles.hostile import npy_bytes, npz_bytes, reopened, saved_npz

SHARED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
    hnp.complex_number_dtypes(sizes=(64, 128), endianness="?"),
    hnp.byte_string_dtypes(max_len=5),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))


@SHARED
@given(array=ARRAYS, compressed=st.booleans(), fortran=st.booleans())
def test_what_numpy_saves_comes_back(
    tmp_path: Path, array: np.ndarray, compressed: bool, fortran: bool
) -> None:
    path = tmp_path / "a.npz"
    save = np.savez_compressed if compressed else np.savez
    save(path, **{"layer/weight": np.asfortranarray(array) if fortran and array.ndim else array})
    with reopened(path) as file:
        read = file["layer/weight"]
    assert read.dtype == array.dtype.newbyteorder("=")
    assert read.flags.c_contiguous
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


def test_unicode_strings_come_back(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", label=np.array([["né", ""], ["a", "日本"]]))
    with reopened(tmp_path / "a.npz") as file:
        assert file["label"].tolist() == [["né", ""], ["a", "日本"]]


def test_what_is_written_numpy_reads_and_is_always_the_same(tmp_path: Path) -> None:
    named = {"b": np.arange(3), "a": np.array([["x"]])}
    write_tensors(tmp_path / "1.npz", named, {"note.json": "{}"})
    write_tensors(tmp_path / "2.npz", dict(reversed(named.items())), {"note.json": "{}"})
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    with np.load(tmp_path / "1.npz", allow_pickle=False) as loaded:
        assert loaded["b"].tolist() == [0, 1, 2]
    with reopened(tmp_path / "1.npz") as file:
        assert file.metadata == {"note.json": "{}"}
        assert set(file) == {"a", "b"}


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, object])
def test_types_that_numpy_cannot_name_are_not_written(tmp_path: Path, dtype: type) -> None:
    with pytest.raises(ValueError, match="npz cannot hold 'a'"):
        write_tensors(tmp_path / "a.npz", {"a": np.zeros(1, dtype)})


def test_zip64_members_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.npy", "w", force_zip64=True) as f:
        np.lib.format.write_array(f, np.arange(5))
    with reopened(path) as file:
        assert file["a"].tolist() == [0, 1, 2, 3, 4]


def test_an_empty_archive_has_no_arrays(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(npz_bytes({}))
    assert len(reopened(tmp_path / "a.npz")) == 0


def test_closing_lets_go_of_the_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.arange(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with reopened(tmp_path / "a.npz") as file:
            array = file["a"]
        del file
    assert array.tolist() == [0, 1, 2]


def header(descr: str = "'<f4'", shape: str = "(2,)", order: str = "False") -> str:
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


GOOD = npy_bytes(header(), b"\0" * 8)
HEADER_BYTES = len(GOOD) - 8


def pickled() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def with_member_field(content: bytes, offset: int, value: bytes) -> bytes:
    """Overwrite a field of the first central directory record (PK 1 2)."""
    at = content.index(b"PK\x01\x02") + offset
    return content[:at] + value + content[at + len(value) :]


def twice() -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("a.npy", GOOD)
            archive.writestr("a.npy", GOOD)
    return buffer.getvalue()


def bad_crc() -> bytes:
    content = bytearray(npz_bytes({"a.npy": GOOD}))
    content[content.index(GOOD) + HEADER_BYTES] ^= 1
    return bytes(content)


def bomb_of(size: int) -> bytes:
    """Deflate a long run of zeros after a header for two floats."""
    return npz_bytes({"a.npy": GOOD + b"\0" * size}, zipfile.ZIP_DEFLATED)


MALFORMED = {
    "empty-file": (b"", "no end-of-central-directory record", "end of central directory", "b''"),
    "cut-off": (
        npz_bytes({"a.npy": GOOD})[:-1],
        "no end-of-central-directory record",
        "last 22",
        "",
    ),
    "something-added": (
        npz_bytes({"a.npy": GOOD}) + b"x",
        "no end-of-central-directory record",
        "last 22",
        "",
    ),
    "begins-cut-off": (npz_bytes({"a.npy": GOOD})[60:], "damaged", "ZIP archive", ""),
    "two-members-of-one-name": (twice(), "two members 'a.npy'", "each name once", "byte 0"),
    "stray-member": (npz_bytes({"a.exe": b""}), "not an array", "NAME.npy", "'a.exe'"),
    "nameless-array": (npz_bytes({".npy": GOOD}), "name that cannot", "printable", "an empty name"),
    "not-numpy": (npz_bytes({"a.npy": b"hello world"}), "not a NumPy array", "NUMPY", "hello"),
    "version-9": (
        npz_bytes({"a.npy": GOOD.replace(b"\x01\x00", b"\x09\x00", 1)}),
        "not a NumPy array",
        "version 1 to 3",
        "\\t",
    ),
    "header-too-long": (
        npz_bytes({"a.npy": npy_bytes(header() + " " * 11_000)}),
        "header is too long",
        "10000",
        "11",
    ),
    "header-cut-off": (npz_bytes({"a.npy": GOOD[:30]}), "cannot be read", "descr", "{'descr'"),
    "header-is-code": (
        npz_bytes({"a.npy": npy_bytes("__import__('os').getpid()")}),
        "cannot be read",
        "descr",
        "__import__",
    ),
    "pickle": (npz_bytes({"a.npy": pickled()}), "pickled Python", "numbers", "'|O'"),
    "shape-negative": (
        npz_bytes({"a.npy": npy_bytes(header(shape="(-1,)"))}),
        "cannot be read",
        "shape",
        "(-1,)",
    ),
    "shape-with-a-hole": (
        npz_bytes({"a.npy": npy_bytes(header(shape="(1,,2)"))}),
        "shape in the NumPy header",
        "sizes",
        "(1,,2)",
    ),
    "fewer-bytes-than-the-shape": (
        npz_bytes({"a.npy": GOOD[:-1]}),
        "do not fit",
        f"{HEADER_BYTES + 8} bytes with the header, for float32 [2]",
        f"{HEADER_BYTES + 7} bytes",
    ),
    "more-bytes-than-the-shape": (bomb_of(10**6), "do not fit", f"{HEADER_BYTES + 8}", "1000"),
    "huge-shape": (
        npz_bytes({"a.npy": npy_bytes(header(shape="(99999999999, 99999999999)"))}),
        "do not fit",
        "bytes with the header",
        "bytes",
    ),
    "claims-more-than-deflate-can-give": (
        with_member_field(bomb_of(1000), 24, struct.pack("<I", 2**31)),
        "claims more bytes",
        "compressed ones",
        str(2**31),
    ),
    "local-header-elsewhere": (
        with_member_field(npz_bytes({"a.npy": GOOD}), 42, struct.pack("<I", 5)),
        "damaged",
        "CRC-32",
        "BadZipFile",
    ),
}


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED)
def test_what_is_wrong_is_explained(tmp_path: Path, case: tuple[bytes, str, str, str]) -> None:
    content, message, expected, found = case
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(MalformedError) as caught:
        reopened(tmp_path / "a.npz")
    error = caught.value
    assert message in error.message
    assert expected in error.expected
    assert found in error.found
    assert error.fix
    assert error.where is not None
    assert error.where.file == "shown/a.npz"


UNSUPPORTED = {
    "encrypted": (
        with_member_field(npz_bytes({"a.npy": GOOD}), 8, b"\x01\x00"),
        "is encrypted",
        "flag",
    ),
    "bzip2": (npz_bytes({"a.npy": GOOD}, zipfile.ZIP_BZIP2), "compression method", "method 12"),
    "lzma": (npz_bytes({"a.npy": GOOD}, zipfile.ZIP_LZMA), "compression method", "method 14"),
    "structured": (
        npz_bytes({"a.npy": npy_bytes(header(descr="[('x', '<f4')]"))}),
        "element type",
        "'x'",
    ),
    "void-that-was-bfloat16": (
        npz_bytes({"a.npy": npy_bytes(header(descr="'<V2'"), b"\0" * 4)}),
        "element type",
        "'<V2'",
    ),
    "datetime": (npz_bytes({"a.npy": npy_bytes(header(descr="'<M8[D]'"))}), "element type", "M8"),
    "float-of-3-bytes": (
        npz_bytes({"a.npy": npy_bytes(header(descr="'<f3'"))}),
        "element type",
        "f3",
    ),
    "zip-version-25.5": (
        with_member_field(npz_bytes({"a.npy": GOOD}), 6, b"\xff\x00"),
        "ZIP feature",
        "version 25.5",
    ),
}


@pytest.mark.parametrize("case", UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_what_may_be_right_is_unsupported(tmp_path: Path, case: tuple[bytes, str, str]) -> None:
    content, message, found = case
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UnsupportedError) as caught:
        reopened(tmp_path / "a.npz")
    assert message in caught.value.message
    assert found in caught.value.found
    assert caught.value.fix


def test_a_wrong_crc_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(bad_crc())
    with pytest.raises(MalformedError) as caught, reopened(tmp_path / "a.npz") as file:
        file["a"]
    assert "CRC" in caught.value.found
    assert caught.value.where is not None
    assert caught.value.where.byte_offset == 0


def test_an_impossible_character_is_noticed_when_the_array_is_read(tmp_path: Path) -> None:
    member = npy_bytes(header(descr="'<U1'", shape="(1,)"), struct.pack("<I", 0x110000))
    (tmp_path / "a.npz").write_bytes(npz_bytes({"a.npy": member}))
    with reopened(tmp_path / "a.npz") as file, pytest.raises(MalformedError) as caught:
        file["a"]
    assert caught.value.found == "0x110000"


def test_a_deflate_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    size = 50_000_000
    member = npy_bytes(header(descr="'|u1'", shape=f"({size},)"), b"\0" * size)
    (tmp_path / "a.npz").write_bytes(npz_bytes({"a.npy": member}, zipfile.ZIP_DEFLATED))
    with pytest.raises(LimitError) as caught:
        reopened(tmp_path / "a.npz", limit_bytes=size - 1)
    assert f"at most {size - 1}" in caught.value.expected


def test_a_huge_directory_is_a_limit_error(tmp_path: Path) -> None:
    content = bytearray(npz_bytes({"a.npy": GOOD}))
    content[-10:-6] = struct.pack("<I", 2**31)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(LimitError, match="directory"):
        reopened(tmp_path / "a.npz")


def test_a_huge_zip64_directory_is_a_limit_error(tmp_path: Path) -> None:
    end = npz_bytes({})
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, 0, 1)
    (tmp_path / "a.npz").write_bytes(record + locator + end)
    with pytest.raises(LimitError, match="directory"):
        reopened(tmp_path / "a.npz")


def test_a_text_of_nine_mebibytes_is_a_limit_error(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(npz_bytes({"encodings.json": b" " * (9 * 2**20)}))
    with pytest.raises(LimitError, match="string"):
        reopened(tmp_path / "a.npz")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_of_any_kind_gives_arrays_or_an_explained_error(tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(io.BytesIO(saved_npz(w=np.arange(9.0).reshape(3, 3)))) as source:
        whole = npz_bytes(
            {"w.npy": source.read("w.npy"), "s.npy": GOOD, "note.json": b"{}"}, method
        )
    path = tmp_path / "a.npz"
    random = np.random.default_rng(20180702)
    for _ in range(1000):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), random.integers(1, 4)):
            damaged[position] ^= 1 << int(random.integers(8))
        if random.random() < 0.2:
            begin, end = sorted(random.integers(0, len(whole), 2))
            del damaged[begin:end]
        path.write_bytes(damaged)
        with contextlib.suppress(ConformanceError), reopened(path) as file:
            for name in file:
                file[name].sum()
