"""The tensors codec: everything that is written comes back, in every container and format."""

from __future__ import annotations

import os
import tracemalloc
from itertools import product
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conformance.codecs.encoded import affine, cast, codebook, plain, quantised, sparse
from conformance.codecs.tensors_writer import write
from conformance.tensorfiles import write_tensors
from conformance.verdicts import LimitError
from tests.codecs.files import decode, handmade

CONTAINERS = ("none", "zstd", "xz", "deflate")
FORMATS = ("safetensors", "npz")
WAYS = list(product(CONTAINERS, FORMATS))
SHARED = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
WEIGHTS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    elements=st.floats(-100, 100, width=32),
)
ways = pytest.mark.parametrize(("container", "format"), WAYS, ids=["-".join(way) for way in WAYS])


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def there_and_back(folder: Path, tensor: object, container: str, format: str) -> np.ndarray:
    path = folder / f"a.{format}.{container}"
    params = write(path, {"w": tensor}, container=container, format=format)
    with decode(path, **params) as decoded:
        assert list(decoded) == ["w"]
        return decoded["w"]


@ways
@SHARED
@given(
    array=WEIGHTS,
    dtype=st.sampled_from([np.float32, np.float16, ml_dtypes.bfloat16, ml_dtypes.float8_e5m2]),
)
def test_plain(tmp_path: Path, container: str, format: str, array: np.ndarray, dtype: type) -> None:
    array = array.astype(dtype)
    assert same(there_and_back(tmp_path, plain(array), container, format), array)


@ways
@SHARED
@given(array=WEIGHTS, stored=st.sampled_from(["float16", "bfloat16", "float64", "float8_e4m3fn"]))
def test_cast(tmp_path: Path, container: str, format: str, array: np.ndarray, stored: str) -> None:
    expected = array.astype(np.dtype(stored)).astype(np.float32)
    assert same(there_and_back(tmp_path, cast(array, stored), container, format), expected)


@ways
@SHARED
@given(data=st.data(), array=WEIGHTS, bits=st.sampled_from([8, 4]), symmetric=st.booleans())
def test_affine(
    tmp_path: Path,
    container: str,
    format: str,
    data: st.DataObject,
    array: np.ndarray,
    bits: int,
    symmetric: bool,
) -> None:
    axis = data.draw(st.sampled_from([None, *range(array.ndim)]))
    tensor = affine(array, bits, axis, symmetric=symmetric)
    decoded = there_and_back(tmp_path, tensor, container, format)
    assert decoded.dtype == np.float32
    assert decoded.shape == array.shape
    across = [1] * array.ndim
    if axis is not None:
        across[axis] = -1
    step = tensor.arrays["scale"].reshape(across)
    assert (np.abs(decoded - array) <= step * 1.01 + 1e-30).all()
    assert (decoded[array == 0] == 0).all()


@ways
@SHARED
@given(array=WEIGHTS, dtype=st.sampled_from([np.float32, np.float16, ml_dtypes.bfloat16]))
def test_sparse_keeps_every_bit(
    tmp_path: Path, container: str, format: str, array: np.ndarray, dtype: type
) -> None:
    array = array.astype(dtype)
    array.reshape(-1)[::2] = 0
    assert same(there_and_back(tmp_path, sparse(array), container, format), array)


@ways
@SHARED
@given(array=WEIGHTS)
def test_sparse_and_quantised(
    tmp_path: Path, container: str, format: str, array: np.ndarray
) -> None:
    tensor = sparse(array, quantise=True)
    decoded = there_and_back(tmp_path, tensor, container, format)
    assert (np.abs(decoded - array) <= tensor.arrays["scale"] * 0.51 + 1e-30).all()


@ways
@SHARED
@given(array=WEIGHTS, entries=st.sampled_from([1, 2, 3, 16, 256, 300]))
def test_codebook(
    tmp_path: Path, container: str, format: str, array: np.ndarray, entries: int
) -> None:
    tensor = codebook(array, entries)
    decoded = there_and_back(tmp_path, tensor, container, format)
    table = tensor.arrays["codebook"]
    assert table.size <= entries
    nearest = np.abs(array.reshape(-1, 1) - table).min(axis=1, initial=np.inf)
    assert np.isin(decoded, table).all()
    np.testing.assert_allclose(np.abs(decoded - array).reshape(-1), nearest, atol=1e-5)


def test_affine_arithmetic_is_float32_in_the_documented_order(tmp_path: Path) -> None:
    q = np.array([-128, -1, 0, 127], np.int8)
    scale, point = np.float32(0.1), np.array(-3, np.int8)
    tensor = quantised(q, np.array(scale), point)
    decoded = there_and_back(tmp_path, tensor, "none", "safetensors")
    expected = [(np.float32(value) - np.float32(-3)) * scale for value in q]
    assert decoded.tolist() == [float(value) for value in expected]


def test_int4_values_begin_in_the_low_nibble(tmp_path: Path) -> None:
    path = handmade(
        tmp_path,
        {
            "w": {
                "encoding": "affine",
                "values": "q",
                "scale": "s",
                "bits": 4,
                "signed": True,
                "shape": [3],
            }
        },
        {"q": np.array([0x71, 0x08], np.uint8), "s": np.float32([1.0])},
    )
    assert decode(path)["w"].tolist() == [1.0, 7.0, -8.0]


def test_codebook_indices_begin_in_the_low_bits(tmp_path: Path) -> None:
    path = handmade(
        tmp_path,
        {"w": {"encoding": "codebook", "indices": "i", "codebook": "c", "bits": 3, "shape": [3]}},
        {"i": np.array([0b10_001_010, 0b1], np.uint8), "c": np.arange(8, dtype=np.float32)},
    )
    assert decode(path)["w"].tolist() == [2.0, 1.0, 6.0]


def test_many_packed_indices_come_back(tmp_path: Path) -> None:
    count = 2**20 + 2**20 // 2 + 3
    indices = np.arange(count) % 7
    tensor = codebook(indices.astype(np.float32), 7)
    assert there_and_back(tmp_path, tensor, "none", "safetensors").tolist() == indices.tolist()


def test_whole_numbers_are_widened(tmp_path: Path) -> None:
    encodings = {"shape": {"encoding": "cast", "values": "s", "dtype": "int64"}}
    path = handmade(tmp_path, encodings, {"s": np.array([1, -1], np.int8)})
    assert same(decode(path)["shape"], np.array([1, -1]))


def test_too_large_for_the_type_becomes_infinite(tmp_path: Path) -> None:
    decoded = there_and_back(
        tmp_path, cast(np.float32([1e9]), "float32", "float16"), "none", "safetensors"
    )
    assert decoded.tolist() == [np.inf]


def test_encodings_share_arrays(tmp_path: Path) -> None:
    shared = {"encoding": "codebook", "codebook": "c", "shape": [2]}
    path = handmade(
        tmp_path,
        {"a": {**shared, "indices": "i"}, "b": {**shared, "indices": "j"}},
        {"c": np.float32([5, 6]), "i": np.uint8([0, 1]), "j": np.uint8([1, 1])},
    )
    with decode(path) as decoded:
        assert decoded["a"].tolist() == [5, 6]
        assert decoded["b"].tolist() == [6, 6]
        assert decoded.stored_bits == {"a": 80, "b": 80}


def test_a_tensor_may_have_the_name_of_the_array_it_uses(tmp_path: Path) -> None:
    path = handmade(
        tmp_path,
        {"w": {"encoding": "cast", "values": "w", "dtype": "float32"}},
        {"w": np.float16([1.5])},
    )
    assert same(decode(path)["w"], np.float32([1.5]))


def test_a_file_without_encodings_holds_plain_tensors(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", {"w": np.ones(2)}, {"format": "pt"})
    assert same(decode(tmp_path / "a.safetensors")["w"], np.ones(2))


def test_features_are_derived_from_the_bytes(tmp_path: Path) -> None:
    w = np.arange(-8, 8, dtype=np.float32).reshape(4, 4)
    tensors = {
        "a": affine(w, 4, 0),
        "b": affine(w, symmetric=False),
        "c": codebook(w, 4),
        "d": sparse(w.astype(np.float16)),
        "e": cast(w, "bfloat16"),
        "f": plain(w),
    }
    params = write(tmp_path / "a.npz.xz", tensors, container="xz", format="npz")
    assert decode(tmp_path / "a.npz.xz", **params).features == (
        "affine", "bfloat16", "cast", "codebook", "container:xz", "float16", "float32",
        "format:npz", "int4", "per-channel", "sparse", "uint8",
    )  # fmt: skip


def test_stored_bits_count_all_arrays_of_a_tensor(tmp_path: Path) -> None:
    params = write(tmp_path / "a.npz", {"w": affine(np.ones(9, np.float32), 4)}, format="npz")
    assert decode(tmp_path / "a.npz", **params).stored_bits == {"w": 5 * 8 + 32}


@pytest.mark.parametrize("name", ["a.safetensors", "a.safetensors.xz", "a.b.safetensors.zst"])
def test_the_format_is_taken_from_the_name(tmp_path: Path, name: str) -> None:
    container = "none" if name.endswith("safetensors") else "xz"
    params = write(tmp_path / name, {"w": plain(np.ones(1))}, container=container)
    del params["format"]
    assert list(decode(tmp_path / name, **params)) == ["w"]


@ways
def test_writing_twice_gives_the_same_bytes(tmp_path: Path, container: str, format: str) -> None:
    w = np.linspace(-1, 1, 60, dtype=np.float32).reshape(3, 20)
    for name in ("1", "2"):
        tensors = {"a": affine(w, 4, 1), "b": codebook(w, 5), "c": sparse(w), "d": plain(w)}
        if name == "2":
            tensors = dict(reversed(tensors.items()))
        write(tmp_path / name, tensors, container=container, format=format)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_two_tensors_that_would_share_an_array_name_are_not_written(tmp_path: Path) -> None:
    tensors = {"w": affine(np.ones(1, np.float32)), "w:values": plain(np.ones(1))}
    with pytest.raises(ValueError, match="'w:values'"):
        write(tmp_path / "a", tensors)


@pytest.mark.parametrize("entries", [0, 2**16 + 1])
def test_a_codebook_of_impossible_size_is_a_value_error(entries: int) -> None:
    with pytest.raises(ValueError, match="1 to 65536"):
        codebook(np.ones(3), entries)


def test_tensors_outlive_the_decoded_file(tmp_path: Path) -> None:
    params = write(tmp_path / "a.npz.xz", {"w": plain(np.ones(2))}, container="xz", format="npz")
    with decode(tmp_path / "a.npz.xz", **params) as decoded:
        w = decoded["w"]
    assert not decoded
    assert w.tolist() == [1, 1]


def test_nothing_is_left_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", os.fspath(scratch))
    params = write(tmp_path / "a.safetensors", {"w": plain(np.ones(2))}, container="zstd")
    with decode(tmp_path / "a.safetensors", **params) as decoded:
        decoded["w"]
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    "encoding",
    [
        {"encoding": "sparse", "indices": "i", "values": "v", "shape": [1000, 1000]},
        {"encoding": "cast", "values": "v", "dtype": "float64"},
        {"encoding": "codebook", "indices": "i", "codebook": "v", "bits": 1, "shape": [8]},
    ],
    ids=lambda encoding: encoding["encoding"],
)
def test_what_would_unfold_beyond_the_limit_is_a_limit_error(
    tmp_path: Path, encoding: dict[str, object]
) -> None:
    path = handmade(tmp_path, {"w": encoding}, {"i": np.uint8([0]), "v": np.float16([1])})
    limit = 7 if encoding["encoding"] == "cast" else 30
    with pytest.raises(LimitError) as caught:
        decode(path, limit_bytes=limit)
    assert f"at most {limit} bytes" in caught.value.expected
    assert "'w'" in caught.value.found


def test_tensors_are_decoded_one_at_a_time(tmp_path: Path) -> None:
    arrays = {f"w{i}": np.ones(500_000, np.float16) for i in range(10)}
    encodings = {name: {"encoding": "cast", "values": name, "dtype": "float32"} for name in arrays}
    path = handmade(tmp_path, encodings, arrays)
    with decode(path, limit_bytes=10**8) as decoded:
        tracemalloc.start()
        total = sum(int(decoded[name].sum()) for name in decoded)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert total == 5_000_000
    assert peak < 1.5 * 500_000 * 4
