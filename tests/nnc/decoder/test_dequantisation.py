import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conformance.nnc.dequantisation import CHUNK, empty_result, levels_of, look_up, scale
from conformance.nnc.quantization import Codebook, step_size

SIZES = [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5]


def filled(levels, dtype):
    result = empty_result(levels.shape, dtype)
    levels_of(result)[:] = levels.reshape(-1)
    return result


@pytest.mark.parametrize("dtype", ["int32", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0), (2, 3, 4)], ids=str)
def test_levels_are_decoded_into_the_memory_of_the_result(dtype, shape):
    result = empty_result(shape, dtype)
    levels = levels_of(result)
    assert (result.shape, result.dtype) == (shape, dtype)
    assert levels.dtype == np.int32
    assert levels.shape == (result.size,)
    assert levels.flags.c_contiguous
    assert not levels.size or np.shares_memory(result, levels)


def test_integers_are_the_levels_themselves():
    levels = np.arange(-3, 3, dtype=np.int32).reshape(2, 3)
    assert np.array_equal(filled(levels, "int32"), levels)


@given(
    hnp.arrays(np.int32, hnp.array_shapes(max_dims=3, min_side=0)),
    st.integers(-200, 120),
)
def test_scaling_rounds_level_and_step_and_product_to_float32(levels, qp):
    result = filled(levels, "float32")
    scale(result, step_size(qp, 2))
    with np.errstate(over="ignore"):
        expected = np.float32(step_size(qp, 2)) * levels.astype(np.float32)
    assert result.dtype == np.float32
    assert np.array_equal(result, expected, equal_nan=True)


@pytest.mark.parametrize("size", SIZES)
def test_scaling_covers_every_size(size):
    levels = np.arange(size, dtype=np.int32)
    result = filled(levels, "float32")
    scale(result, 0.5)
    assert np.array_equal(result, levels / 2)


def test_a_step_beyond_float32_gives_infinities_and_no_warning():
    result = filled(np.array([-1, 2], np.int32), "float32")
    scale(result, 1e45)
    assert result.tolist() == [-np.inf, np.inf]


@pytest.mark.parametrize("size", SIZES)
def test_looking_up_overtakes_no_level(size):
    codebook = Codebook((-7, -1, 0, 4), 2)
    levels = np.random.default_rng(size).integers(-2, 2, size, np.int32)
    result = filled(levels, "float64")
    look_up(result, codebook, 0.1)
    assert result.dtype == np.float64
    assert np.array_equal(result, np.array(codebook.entries)[levels + 2] * 0.1)


def test_entries_are_multiplied_in_float64():
    result = filled(np.array([0], np.int32), "float64")
    look_up(result, Codebook((2**31 - 1,), 0), step_size(-38, 7))
    assert result[0] == (2**31 - 1) * 0.8515625


def test_an_entry_beyond_float64_gives_infinity_and_no_warning():
    result = filled(np.array([0, -1], np.int32), "float64")
    look_up(result, Codebook((-(2**31), 2**30), 1), 2.0**1020)
    assert result.tolist() == [np.inf, -np.inf]


@pytest.mark.parametrize("level", [-3, 2, 2**31 - 1, -(2**31)])
def test_a_level_outside_the_codebook_is_told(level):
    result = filled(np.array([0, level, 1], np.int32), "float64")
    with pytest.raises(ValueError, match=f"^level {level}$"):
        look_up(result, Codebook((-7, -1, 0, 4), 2), 1.0)
