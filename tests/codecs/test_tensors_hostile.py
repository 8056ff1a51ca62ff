"""The tensors codec on files that are not right: each defect is explained, none is decoded."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.codecs import Source, codec
from conformance.codecs.encoded import affine, cast, codebook, plain, sparse
from conformance.codecs.tensors_writer import write
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.codecs.files import LIMIT, decode, handmade

F2 = np.float32([1, 2])
SCALE = np.float32([0.5])
Q2 = np.int8([1, 2])
AFFINE = {"encoding": "affine", "values": "q", "scale": "s"}
INT4 = {**AFFINE, "bits": 4, "signed": False, "shape": [2]}
SPARSE = {"encoding": "sparse", "indices": "i", "values": "v", "shape": [5]}
CODEBOOK = {"encoding": "codebook", "indices": "i", "codebook": "c", "shape": [2]}
TABLE = {"c": F2, "i": np.uint8([0, 1])}
PAIRS = {"i": np.uint8([1, 3]), "v": F2}

# name: (encoding of "w", arrays, message, expected, found)
HOSTILE: dict[str, tuple[Any, dict[str, np.ndarray], str, str, str]] = {
    "encoding-not-an-object": (3, {}, "'w' is not a JSON object", "an object", "3"),
    "encoding-missing": ({}, {}, "lacks the field 'encoding'", "'encoding'", ""),
    "encoding-unknown": ({"encoding": "magic"}, {}, "wrong 'encoding'", "one of plain", "magic"),
    "field-unknown": (
        {**AFFINE, "sacle": "s"},
        {"q": Q2, "s": SCALE},
        "field 'sacle' that is not known",
        "scale",
        "'sacle'",
    ),
    "array-missing": (AFFINE, {"q": Q2}, "names an array 's' that is not there", "stored", "q"),
    "array-not-a-name": ({**AFFINE, "values": 3}, {}, "wrong 'values'", "a string", "3"),
    "values-not-integers": (AFFINE, {"q": F2, "s": SCALE}, "element type", "int8", "float32 [2]"),
    "bits-5": ({**AFFINE, "bits": 5}, {"q": Q2, "s": SCALE}, "wrong 'bits'", "8, 4", "5"),
    "bits-true": ({**AFFINE, "bits": True}, {"q": Q2, "s": SCALE}, "wrong 'bits'", "8, 4", "True"),
    "dtype-unknown": (
        {**AFFINE, "dtype": "float99"},
        {"q": Q2, "s": SCALE},
        "wrong 'dtype'",
        "float32",
        "float99",
    ),
    "dtype-object": (
        {**AFFINE, "dtype": "object"},
        {"q": Q2, "s": SCALE},
        "wrong 'dtype'",
        "float32",
        "object",
    ),
    "dtype-not-floating": (
        {**AFFINE, "dtype": "int8"},
        {"q": Q2, "s": SCALE},
        "wrong 'dtype'",
        "floating",
        "int8",
    ),
    "scale-of-float64": (
        AFFINE,
        {"q": Q2, "s": np.ones(1)},
        "element type",
        "float32 or float16",
        "float64",
    ),
    "scale-per-element-without-axis": (AFFINE, {"q": Q2, "s": F2}, "wrong shape", "[1]", "[2]"),
    "scale-shape-against-axis": (
        {**AFFINE, "axis": 0},
        {"q": np.zeros((3, 2), np.int8), "s": F2},
        "wrong shape",
        "[3]",
        "float32 [2]",
    ),
    "axis-outside": ({**AFFINE, "axis": 1}, {"q": Q2, "s": SCALE}, "wrong 'axis'", "below 1", "1"),
    "axis-negative": ({**AFFINE, "axis": -1}, {"q": Q2, "s": SCALE}, "wrong 'axis'", "0 or", "-1"),
    "scale-not-finite": (
        AFFINE,
        {"q": Q2, "s": np.float32([np.nan])},
        "not finite",
        "finite",
        "nan at position 0",
    ),
    "zero-point-shape": (
        {**AFFINE, "zero_point": "z"},
        {"q": Q2, "s": SCALE, "z": np.int8([0, 0])},
        "wrong shape",
        "[1]",
        "int8 [2]",
    ),
    "zero-point-type": (
        {**AFFINE, "zero_point": "z"},
        {"q": Q2, "s": SCALE, "z": np.float32([0])},
        "element type",
        "int8",
        "float32",
    ),
    "zero-point-out-of-range": (
        {**AFFINE, "zero_point": "z"},
        {"q": Q2, "s": SCALE, "z": np.int32([128])},
        "zero point",
        "-128 to 127",
        "128",
    ),
    "int4-without-shape": (
        {**AFFINE, "bits": 4, "signed": True},
        {"q": np.uint8([0]), "s": SCALE},
        "lacks the field 'shape'",
        "'shape'",
        "bits",
    ),
    "int4-without-signed": (
        {**AFFINE, "bits": 4, "shape": [2]},
        {"q": np.uint8([0]), "s": SCALE},
        "lacks the field 'signed'",
        "'signed'",
        "bits",
    ),
    "int4-signed-as-text": (
        {**INT4, "signed": "yes"},
        {"q": np.uint8([0]), "s": SCALE},
        "wrong 'signed'",
        "true or false",
        "'yes'",
    ),
    "int4-too-many-bytes": (
        INT4,
        {"q": np.uint8([0, 0]), "s": SCALE},
        "wrong shape",
        "[1]",
        "uint8 [2]",
    ),
    "int4-nibble-left-over": (
        {**INT4, "shape": [1]},
        {"q": np.uint8([0x10]), "s": SCALE},
        "does not end in zeros",
        "high nibble of 0",
        "0x10",
    ),
    "int4-zero-point-16": (
        {**INT4, "zero_point": "z"},
        {"q": np.uint8([0]), "s": SCALE, "z": np.uint8([16])},
        "zero point",
        "0 to 15",
        "16",
    ),
    "shape-product-overflows": (
        {**INT4, "shape": [2**40, 2**40]},
        {"q": np.uint8([0]), "s": SCALE},
        "wrong shape",
        str(2**79),
        "uint8 [1]",
    ),
    "shape-negative": ({**SPARSE, "shape": [-5]}, PAIRS, "not a list of sizes", "integers", "[-5]"),
    "shape-a-number": ({**SPARSE, "shape": 5}, PAIRS, "not a list of sizes", "integers", "5"),
    "sparse-index-outside": (
        SPARSE,
        {**PAIRS, "i": np.uint8([1, 5])},
        "points outside the tensor",
        "0 to 4",
        "1 to 5",
    ),
    "sparse-index-negative": (
        SPARSE,
        {**PAIRS, "i": np.int32([-1, 3])},
        "points outside the tensor",
        "0 to 4",
        "-1 to 3",
    ),
    "sparse-index-falls": (
        SPARSE,
        {**PAIRS, "i": np.uint8([3, 1])},
        "does not rise",
        "above the one before",
        "1 after 3, at entry 1",
    ),
    "sparse-index-twice": (
        SPARSE,
        {**PAIRS, "i": np.uint8([3, 3])},
        "does not rise",
        "above",
        "3 after 3",
    ),
    "sparse-index-of-64-bits": (
        SPARSE,
        {**PAIRS, "i": np.uint64([3, 2**63])},
        "points outside the tensor",
        "0 to 4",
        str(2**63),
    ),
    "sparse-index-not-whole": (
        SPARSE,
        {**PAIRS, "i": F2},
        "element type",
        "uint8",
        "float32",
    ),
    "sparse-lengths-differ": (
        SPARSE,
        {**PAIRS, "i": np.uint8([1])},
        "wrong shape",
        "[1]",
        "float32 [2]",
    ),
    "sparse-index-two-dimensional": (
        SPARSE,
        {**PAIRS, "i": np.uint8([[1, 3]])},
        "wrong shape",
        "[2]",
        "uint8 [1, 2]",
    ),
    "sparse-float-with-scale": (
        {**SPARSE, "scale": "s"},
        {**PAIRS, "s": SCALE},
        "element type",
        "int8 or uint8",
        "float32",
    ),
    "sparse-zero-point-without-scale": (
        {**SPARSE, "zero_point": "z"},
        {**PAIRS, "z": np.int8([0])},
        "field 'zero_point' that is not known",
        "scale",
        "'zero_point'",
    ),
    "codebook-index-outside": (
        CODEBOOK,
        {**TABLE, "i": np.uint8([0, 2])},
        "points outside the codebook",
        "below 2",
        "2 at entry 1",
    ),
    "codebook-empty": (
        CODEBOOK,
        {**TABLE, "c": np.float32([])},
        "points outside the codebook",
        "below 0",
        "1 at",
    ),
    "codebook-two-dimensional": (
        CODEBOOK,
        {**TABLE, "c": F2.reshape(2, 1)},
        "wrong shape",
        "[2]",
        "[2, 1]",
    ),
    "codebook-index-of-32-bits": (
        CODEBOOK,
        {**TABLE, "i": np.uint32([0, 1])},
        "element type",
        "uint8 or uint16",
        "uint32",
    ),
    "codebook-too-few-indices": (
        CODEBOOK,
        {**TABLE, "i": np.uint8([0])},
        "wrong shape",
        "[2]",
        "uint8 [1]",
    ),
    "codebook-bits-9": ({**CODEBOOK, "bits": 9}, TABLE, "wrong 'bits'", "1, 2, 3", "9"),
    "codebook-bits-left-over": (
        {**CODEBOOK, "bits": 1},
        {**TABLE, "i": np.uint8([0b101])},
        "does not end in zeros",
        "unused bits of 0",
        "0x05",
    ),
    "codebook-packed-length": (
        {**CODEBOOK, "bits": 1},
        TABLE,
        "wrong shape",
        "[1]",
        "uint8 [2]",
    ),
    "cast-float-to-whole": (
        {"encoding": "cast", "values": "v", "dtype": "int8"},
        {"v": F2},
        "cannot be converted to int8",
        "wider",
        "float32",
    ),
    "cast-to-a-narrower-whole": (
        {"encoding": "cast", "values": "v", "dtype": "int8"},
        {"v": np.array([1])},
        "cannot be converted to int8",
        "wider",
        "int64",
    ),
    "cast-without-dtype": (
        {"encoding": "cast", "values": "v"},
        {"v": F2},
        "'dtype'",
        "'dtype'",
        "",
    ),
    "values-dtype-of-another-width": (
        {"encoding": "plain", "values": "v", "values_dtype": "bfloat16"},
        {"v": np.uint32([0])},
        "element type",
        "uint16",
        "uint32",
    ),
    "also-a-stored-array": (
        AFFINE,
        {"q": Q2, "s": SCALE, "w": F2},
        "two tensors 'w'",
        "one tensor of each name",
        "stored array that no encoding uses",
    ),
}


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz"])
@pytest.mark.parametrize("case", HOSTILE.values(), ids=HOSTILE)
def test_what_is_wrong_is_explained(
    tmp_path: Path, name: str, case: tuple[Any, dict[str, np.ndarray], str, str, str]
) -> None:
    encoding, arrays, message, expected, found = case
    path = handmade(tmp_path, {"w": encoding}, arrays, name)
    with pytest.raises(MalformedError) as caught, decode(path) as decoded:
        decoded["w"]
    error = caught.value
    assert message in error.message
    assert expected in error.expected
    assert found in error.found
    assert error.fix
    assert error.where is not None
    assert error.where.file == f"shown/{name}"
    assert error.where.byte_offset is not None


@pytest.mark.parametrize(
    ("text", "message", "found"),
    [
        pytest.param("{", "cannot be read", "line 1", id="not-json"),
        pytest.param('{"w":1,"w":2}', "cannot be read", "'w' comes twice", id="name-twice"),
        pytest.param("[" * 100_000, "cannot be read", "recursion", id="nested-without-end"),
        pytest.param("[]", "description of encodings is not a JSON object", "[]", id="a-list"),
        pytest.param('{"": {}}', "name that cannot be used", "an empty name", id="empty-name"),
    ],
)
def test_a_wrong_description_is_explained(
    tmp_path: Path, text: str, message: str, found: str
) -> None:
    path = handmade(tmp_path, text, {})
    with pytest.raises(MalformedError) as caught:
        decode(path)
    assert message in caught.value.message
    assert found in caught.value.found
    assert caught.value.where is not None
    assert caught.value.where.element == "nnr_encodings"


def test_strings_are_no_tensors(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=np.array(["text"]))
    with pytest.raises(MalformedError, match="'w' holds strings"):
        decode(tmp_path / "a.npz")


PARAMS = {
    "container-unknown": ({"container": "rar"}, "wrong 'container'", "none, zstd, xz, deflate"),
    "container-a-number": ({"container": 7}, "wrong 'container'", "none, zstd"),
    "format-unknown": ({"format": "pickle"}, "wrong 'format'", "safetensors, npz"),
    "unknown": ({"level": 9}, "field 'level' that is not known", "container"),
    "decoded-size-missing": ({"container": "xz"}, "lacks the field 'decoded_size'", "decoded_size"),
    "decoded-size-negative": (
        {"container": "xz", "decoded_size": -1},
        "wrong 'decoded_size'",
        "0 or more",
    ),
    "decoded-size-fractional": (
        {"container": "xz", "decoded_size": 1.5},
        "wrong 'decoded_size'",
        "an integer",
    ),
    "decoded-size-without-container": ({"decoded_size": 5}, "'decoded_size' that is not", "format"),
}


@pytest.mark.parametrize(("params", "message", "expected"), PARAMS.values(), ids=PARAMS)
def test_wrong_parameters_are_explained(
    tmp_path: Path, params: dict[str, Any], message: str, expected: str
) -> None:
    path = handmade(tmp_path, {}, {"w": F2})
    with pytest.raises(MalformedError) as caught:
        decode(path, **params)
    assert message in caught.value.message
    assert expected in caught.value.expected
    assert caught.value.where is not None
    assert caught.value.where.element == "codec.params"


def test_a_name_that_tells_no_format_needs_the_parameter(tmp_path: Path) -> None:
    path = handmade(tmp_path, {}, {"w": F2}).rename(tmp_path / "weights.bin")
    with pytest.raises(MalformedError, match="lacks the field 'format'"):
        decode(path)
    assert list(decode(path, format="safetensors")) == ["w"]


def test_a_declared_size_beyond_the_limit_is_a_limit_error(tmp_path: Path) -> None:
    path = handmade(tmp_path, {}, {"w": F2})
    with pytest.raises(LimitError, match="more than is allowed"):
        decode(path, container="xz", decoded_size=LIMIT + 1)


@pytest.mark.parametrize("count", [0, 2])
def test_other_than_one_file_is_explained(tmp_path: Path, count: int) -> None:
    paths = (tmp_path / "a.npz", tmp_path / "b.npz")[:count]
    source = Source(paths, tuple(path.name for path in paths), {}, LIMIT)
    with pytest.raises(MalformedError) as caught:
        codec("tensors").decode(source)
    assert caught.value.expected == "1 file"
    assert caught.value.found.startswith(f"{count} files")


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(MalformedError, match="cannot be opened"):
        decode(tmp_path / "a.npz")


def test_an_unknown_codec_is_unsupported() -> None:
    with pytest.raises(UnsupportedError) as caught:
        codec("nothing-like-it")
    assert "onnx" in caught.value.expected
    assert "tensors" in caught.value.expected
    assert "nnr_conformance.codecs" in caught.value.fix


@pytest.mark.parametrize("format", ["safetensors", "npz"])
@pytest.mark.parametrize("container", ["none", "zstd", "xz", "deflate"])
def test_damage_of_any_kind_gives_tensors_or_an_explained_error(
    tmp_path: Path, container: str, format: str
) -> None:
    w = np.linspace(-1, 1, 24, dtype=np.float32).reshape(4, 6)
    tensors = {
        "a": affine(w, 4, 0),
        "b": sparse(w, quantise=True),
        "c": codebook(w, 5),
        "d": cast(w, "bfloat16"),
        "e": plain(w),
    }
    path = tmp_path / "a"
    params = write(path, tensors, container=container, format=format)
    whole = path.read_bytes()
    random = np.random.default_rng(20180704)
    for _ in range(200):
        damaged = bytearray(whole)
        for position in random.integers(0, len(whole), random.integers(1, 4)):
            damaged[position] ^= 1 << int(random.integers(8))
        if random.random() < 0.2:
            del damaged[int(random.integers(len(whole))) :]
        path.write_bytes(damaged)
        with contextlib.suppress(ConformanceError), decode(path, **params) as decoded:
            for name in decoded:
                decoded[name].sum()
