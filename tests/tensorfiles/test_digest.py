"""The digest of a tensor depends on values, shape and type, never on how memory is laid out."""

from __future__ import annotations

import hashlib
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from conformance.tensorfiles import tensor_digest

FLOATS = hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_header_and_little_endian_bytes_are_hashed() -> None:
    array = np.array([[1, 2, 3]], np.int16)
    assert tensor_digest(array) == sha256(b"int16:1x3\n\x01\x00\x02\x00\x03\x00")


def test_a_scalar_has_an_empty_shape() -> None:
    assert tensor_digest(np.array(1.0, np.float32)) == sha256(b"float32:\n\x00\x00\x80\x3f")


def test_an_empty_tensor_is_its_header() -> None:
    assert tensor_digest(np.zeros((2, 0), np.float64)) == sha256(b"float64:2x0\n")


def test_bfloat16_goes_by_its_own_name() -> None:
    assert tensor_digest(np.ones(1, ml_dtypes.bfloat16)) == sha256(b"bfloat16:1\n\x80\x3f")


@given(FLOATS)
def test_memory_layout_does_not_matter(array: np.ndarray) -> None:
    digest = tensor_digest(array)
    assert tensor_digest(array.astype(">f4")) == digest
    assert tensor_digest(np.asfortranarray(array).reshape(array.shape)) == digest
    if array.ndim:
        assert tensor_digest(array[::-1][::-1]) == digest


def test_type_shape_and_sign_of_zero_matter() -> None:
    zeros = np.zeros(4, np.float32)
    others = [zeros.view(np.int32), zeros.reshape(2, 2), -zeros, zeros[:3]]
    assert len({tensor_digest(array) for array in (zeros, *others)}) == 5


def test_a_big_array_is_hashed_in_place() -> None:
    array = np.zeros(2**22, np.float32)
    tracemalloc.start()
    tensor_digest(array)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < array.nbytes / 100


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.array([b"a"])])
def test_strings_and_objects_have_no_digest(array: np.ndarray) -> None:
    with pytest.raises(TypeError, match="has no digest"):
        tensor_digest(array)
