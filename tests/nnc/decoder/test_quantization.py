from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from conformance.nnc.quantization import (
    CHUNK,
    INT32_MAX,
    Codebook,
    codebook_of,
    empty_result,
    levels_of,
    look_up,
    scale,
    step_size,
)

SIZES = [0, 1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5]


def elements(size, offset, zero_value, left=(), right=()):
    return {
        "codebook_size": size,
        "codebook_centre_offset": offset,
        "codebook_zero_value": zero_value,
        "codebook_deltas_left": left,
        "codebook_deltas_right": right,
    }


@pytest.mark.parametrize(
    ("qp", "density", "step"),
    [
        (0, 0, 1.0),
        (0, 2, 1.0),
        (1, 2, 1.25),
        (3, 2, 1.75),
        (4, 2, 2.0),
        (-1, 2, 0.875),
        (-20, 2, 1 / 32),
        (-38, 2, 0.00146484375),
        (-38, 7, 0.8515625),
        (8000, 7, 6.917529027641082e18),
        (-8192, 2, 0.0),
    ],
)
def test_step_sizes(qp, density, step):
    assert step_size(qp, density) == step


@given(st.integers(-400, 400), st.integers(0, 7))
def test_a_density_of_parameters_doubles_the_step(qp, density):
    assert step_size(qp + (1 << density), density) == 2 * step_size(qp, density)


@given(st.integers(-120, 120), st.integers(0, 7))
def test_steps_grow_evenly_between_powers_of_two(qp, density):
    octave, place = divmod(qp, 1 << density)
    exact = Fraction(2) ** octave * (1 + Fraction(place, 1 << density))
    assert Fraction(step_size(qp, density)) == exact


def test_a_step_too_large_for_a_number_overflows():
    with pytest.raises(OverflowError):
        step_size(8000, 2)


def test_entries_lie_on_both_sides_of_the_one_that_level_0_selects():
    codebook = codebook_of(elements(5, 0, 10, left=(0, 2), right=(1, 0)))
    assert codebook == Codebook((6, 9, 10, 12, 13), 2)


def test_the_zero_offset_moves_from_the_middle():
    assert codebook_of(elements(3, -1, -4, right=(0, 0))) == Codebook((-4, -3, -2), 0)


@given(st.data())
def test_entries_always_increase(data):
    deltas = st.lists(st.integers(0, 1000), max_size=6)
    left, right = data.draw(deltas), data.draw(deltas)
    size = len(left) + 1 + len(right)
    codebook = codebook_of(
        elements(size, len(left) - (size >> 1), data.draw(st.integers(-9, 9)), left, right)
    )
    assert codebook.zero_offset == len(left)
    assert list(codebook.entries) == sorted(set(codebook.entries))
    assert len(codebook.entries) == size


@pytest.mark.parametrize("offset", [-3, 2, 100])
def test_a_zero_offset_outside_the_codebook_is_refused(offset):
    with pytest.raises(ValueError, match="the zero offset is"):
        codebook_of(elements(3, offset, 0, left=(0,), right=(0,)))


def test_an_empty_codebook_is_refused():
    with pytest.raises(ValueError, match="zero offset"):
        Codebook((), 0)


@pytest.mark.parametrize("sign", [-1, 1])
def test_entries_have_to_be_32_bit_integers(sign):
    with pytest.raises(ValueError, match="32-bit"):
        codebook_of(elements(1, 0, sign * (INT32_MAX + 2)))


def test_entries_out_of_order_are_refused():
    with pytest.raises(ValueError, match="do not increase"):
        Codebook((1, 1), 0)


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
