"""Reading TensorProto files: what onnx writes comes back, the rest is explained."""

from __future__ import annotations

import contextlib
import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper, numpy_helper

from conformance.tensorfiles import Array, dtype_named
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError
from tests.tensorfiles.hostile import pb_field, reopened, varint

SHARED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
NUMBERS = hnp.arrays(
    st.sampled_from(
        [
            dtype_named(name)
            for name in (
                "bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
                "float16", "float32", "float64", "complex64", "complex128",
            )
        ]
    ),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)  # fmt: skip
FLOAT, INT32, INT64, STRING = 1, 6, 7, 8


def written(tmp_path: Path, tensor: TensorProto) -> Path:
    path = tmp_path / "input_0.pb"
    path.write_bytes(tensor.SerializeToString())
    return path


def read(tmp_path: Path, content: bytes, limit_bytes: int = 10**6) -> Array:
    path = tmp_path / "input_0.pb"
    path.write_bytes(content)
    with reopened(path, limit_bytes) as file:
        (array,) = file.values()
        return array


@SHARED
@given(array=NUMBERS)
def test_raw_data_come_back(tmp_path: Path, array: np.ndarray) -> None:
    with reopened(written(tmp_path, numpy_helper.from_array(array, "x"))) as file:
        assert list(file) == ["x"]
        assert file["x"].dtype == array.dtype
        np.testing.assert_array_equal(file["x"], array)


@SHARED
@given(array=NUMBERS.filter(lambda array: array.dtype.kind != "c"))
def test_typed_fields_come_back(tmp_path: Path, array: np.ndarray) -> None:
    code = helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = helper.make_tensor("x", code, array.shape, array.reshape(-1))
    assert not tensor.HasField("raw_data")
    with reopened(written(tmp_path, tensor)) as file:
        assert file["x"].dtype == array.dtype
        np.testing.assert_array_equal(file["x"], array)


def test_complex_numbers_in_float_data_come_back(tmp_path: Path) -> None:
    tensor = helper.make_tensor("x", TensorProto.COMPLEX64, [2], [1 + 2j, 3j])
    with reopened(written(tmp_path, tensor)) as file:
        assert file["x"].tolist() == [1 + 2j, 3j]


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn])
def test_extended_types_come_back(tmp_path: Path, dtype: type) -> None:
    array = np.array([0.5, -2.0], dtype)
    with reopened(written(tmp_path, numpy_helper.from_array(array, "x"))) as file:
        assert file["x"].dtype == dtype
        assert file["x"].tolist() == array.tolist()


def test_strings_come_back(tmp_path: Path) -> None:
    tensor = helper.make_tensor("s", TensorProto.STRING, [2, 2], ["né", "", "日本", "b"])
    with reopened(written(tmp_path, tensor)) as file:
        assert file["s"].tolist() == [["né", ""], ["日本", "b"]]


def test_an_empty_array_of_strings_comes_back(tmp_path: Path) -> None:
    tensor = helper.make_tensor("s", TensorProto.STRING, [0], [])
    with reopened(written(tmp_path, tensor)) as file:
        assert file["s"].shape == (0,)


def test_what_onnx_saves_to_disk_is_read(tmp_path: Path) -> None:
    onnx.save_tensor(numpy_helper.from_array(np.arange(4), "x"), tmp_path / "output_0.pb")
    with reopened(tmp_path / "output_0.pb") as file:
        assert file["x"].tolist() == [0, 1, 2, 3]


def test_a_tensor_without_a_name_has_the_empty_name(tmp_path: Path) -> None:
    with reopened(written(tmp_path, numpy_helper.from_array(np.arange(4)))) as file:
        assert list(file) == [""]


def test_raw_data_are_a_view_of_the_file(tmp_path: Path) -> None:
    array = np.arange(4, dtype=np.uint8)
    with reopened(written(tmp_path, numpy_helper.from_array(array, "x"))) as file:
        assert not file["x"].flags.owndata
        assert not file["x"].flags.writeable


def test_packed_numbers_of_many_lengths_come_back_in_pieces(tmp_path: Path) -> None:
    values = [0, 1, 127, 128, 2**31, 2**62, -1, -(2**63)] * 40_000
    packed = b"".join(varint(value % 2**64) for value in values)
    content = pb_field(1, len(values)) + pb_field(2, INT64) + pb_field(7, packed)
    assert read(tmp_path, content, 10**7).tolist() == values


def test_unknown_fields_are_passed_over(tmp_path: Path) -> None:
    known = pb_field(2, INT32) + pb_field(9, struct.pack("<i", 5))
    fixed = varint(99 << 3 | 5) + b"\0" * 4 + varint(98 << 3 | 1) + b"\0" * 8
    assert read(tmp_path, fixed + pb_field(12, b"doc") + known).tolist() == 5


FOUR = pb_field(2, FLOAT) + pb_field(1, 1)
MALFORMED = {
    "cut-off": (FOUR + pb_field(9, b"\0" * 4)[:-1], "damaged", "4 bytes in field 9", "3 bytes"),
    "endless-key": (b"\xff" * 12, "damaged", "at most 10 bytes", "does not end"),
    "group": (varint(1 << 3 | 3), "damaged", "wire type", "0xb"),
    "field-0": (b"\x00\x00", "damaged", "field number", "0x0"),
    "too-few-bytes": (FOUR + pb_field(9, b"\0" * 3), "do not fit", "4 bytes for float32", "3 by"),
    "too-many-floats": (FOUR + pb_field(4, b"\0" * 8), "do not fit", "4 bytes", "8 bytes"),
    "half-a-float": (FOUR + pb_field(4, b"\0" * 6), "do not fit", "4 bytes", "6 bytes"),
    "no-data": (FOUR, "do not fit", "1 numbers", "0 numbers"),
    "too-many-integers": (
        pb_field(2, INT64) + pb_field(1, 1) + pb_field(7, b"\1\2"),
        "do not fit",
        "1 numbers for int64 [1]",
        "2 numbers",
    ),
    "too-few-strings": (
        pb_field(2, STRING) + pb_field(1, 2) + pb_field(6, b"a"),
        "do not fit",
        "2 strings",
        "1 strings",
    ),
    "integers-of-a-float": (
        FOUR + pb_field(7, b"\1"),
        "field for a different element type",
        "field 4 for float32",
        "[7]",
    ),
    "integer-that-does-not-end": (
        pb_field(2, INT64) + pb_field(1, 1) + pb_field(7, b"\xff" * 3),
        "do not fit",
        "1 numbers",
        "0 numbers",
    ),
    "dimensions-that-do-not-end": (
        pb_field(2, FLOAT) + pb_field(1, b"\xff" * 3),
        "damaged",
        "10 bytes",
        "a longer one",
    ),
    "33-dimensions": (FOUR + pb_field(1, 1) * 32, "not a list of sizes", "at most 32", "[1, 1"),
    "unpacked-numbers": (
        FOUR + varint(4 << 3 | 5) + b"\0" * 4,
        "not packed",
        "packed numbers",
        "wire type 5",
    ),
    "external-data": (
        FOUR + pb_field(13, pb_field(1, b"location") + pb_field(2, b"/etc/passwd")),
        "not in the file",
        "data inside",
        "external",
    ),
    "data-location-external": (FOUR + pb_field(14, 1), "not in the file", "inside", "external"),
    "segment": (FOUR + pb_field(3, b""), "not in the file", "whole tensor", "segment"),
    "string-not-utf8": (
        pb_field(2, STRING) + pb_field(1, 1) + pb_field(6, b"\xff"),
        "not UTF-8",
        "UTF-8",
        "0xff",
    ),
    "name-not-utf8": (FOUR + pb_field(8, b"\xff"), "not UTF-8", "UTF-8", "0xff"),
    "name-with-line-feed": (FOUR + pb_field(8, b"a\nb"), "name that cannot", "printable", "a\\nb"),
}


@pytest.mark.parametrize("case", MALFORMED.values(), ids=MALFORMED)
def test_what_is_wrong_is_explained(tmp_path: Path, case: tuple[bytes, str, str, str]) -> None:
    content, message, expected, found = case
    with pytest.raises(MalformedError) as caught:
        read(tmp_path, content)
    error = caught.value
    assert message in error.message
    assert expected in error.expected
    assert found in error.found
    assert error.fix
    assert error.where is not None
    assert error.where.file == "shown/input_0.pb"
    assert error.where.byte_offset is not None


@pytest.mark.parametrize("code", [0, 21, 22, 99])
def test_other_element_types_are_unsupported(tmp_path: Path, code: int) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read(tmp_path, pb_field(2, code) + pb_field(1, 1))
    assert caught.value.found == f"data_type {code}"


def test_a_shape_beyond_the_limit_is_a_limit_error(tmp_path: Path) -> None:
    with pytest.raises(LimitError):
        read(tmp_path, pb_field(2, FLOAT) + pb_field(1, 2**40))


def test_one_long_string_among_many_is_a_limit_error(tmp_path: Path) -> None:
    long, empty = pb_field(6, b"x" * 10_000), pb_field(6, b"")
    content = pb_field(2, STRING) + pb_field(1, 1001) + long + empty * 1000
    with pytest.raises(LimitError) as caught:
        read(tmp_path, content)
    assert "1001 strings, the longest of 10000" in caught.value.found


def test_damage_of_any_kind_gives_arrays_or_an_explained_error(tmp_path: Path) -> None:
    strings = helper.make_tensor("s", TensorProto.STRING, [2], ["né", "b"])
    raw = numpy_helper.from_array(np.arange(9.0).reshape(3, 3), "x")
    typed = helper.make_tensor("i", TensorProto.INT32, [3], [1, -2, 3])
    random = np.random.default_rng(20180703)
    for whole in (tensor.SerializeToString() for tensor in (strings, raw, typed)):
        for _ in range(500):
            damaged = bytearray(whole)
            for position in random.integers(0, len(whole), random.integers(1, 4)):
                damaged[position] ^= 1 << int(random.integers(8))
            with contextlib.suppress(ConformanceError):
                read(tmp_path, bytes(damaged))
