"""Quantizers: uniform, by a codebook, and dependent."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.encoder import (
    encode_levels,
    quantize_codebook,
    quantize_dependent,
    quantize_uniform,
    trellis_values,
)
from conformance.nnc.encoder.trellis import scan_positions
from conformance.nnc.encoder.units import codebook_elements, exp_golomb_bits
from conformance.nnc.quantization import Codebook, codebook_of

TRELLIS = LevelCoding(height=30, width=13, scan_order=0, dependent=True, unary_length=10)
NEXT = ((0, 2), (7, 5), (1, 3), (6, 4), (2, 0), (5, 7), (3, 1), (4, 6))


def samples_for(coding: LevelCoding, scale: float = 3.0) -> np.ndarray:
    return np.random.default_rng(9).laplace(0, scale, coding.size)


def cost_of(levels: tuple[int, ...], samples: np.ndarray) -> float:
    """The squared error of a path, in steps, written out once more."""
    state, cost = 0, 0.0
    for level, sample in zip(levels, samples, strict=True):
        value = 2 * level - (state & 1) * np.sign(level)
        cost += (sample - value) ** 2
        state = NEXT[state][level & 1]
    return cost


@given(st.lists(st.floats(-1e9, 1e9), max_size=20), st.floats(0.01, 10))
def test_uniform_levels_are_the_nearest(values, step):
    levels = quantize_uniform(np.array(values), step)
    assert levels.dtype == np.int32
    error = np.abs(levels * step - np.clip(values, -(2**31) * step, (2**31 - 1) * step))
    assert (error <= step / 2 * (1 + 1e-6)).all()


def test_uniform_levels_stop_at_32_bits():
    assert quantize_uniform(np.array([1e30, -1e30]), 1.0).tolist() == [2**31 - 1, -(2**31)]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        quantize_uniform(np.array([0.0, bad]), 1.0)


def test_codebook_has_the_levels_that_occur():
    codebook, levels = quantize_codebook(np.array([[-3.0, 0.1], [0.2, 7.0]]), 1.0, 8)
    assert codebook == Codebook((-3, 0, 7), 1)
    assert levels.tolist() == [-1, 0, 0, 1]


def test_codebook_of_nothing_has_one_entry():
    codebook, levels = quantize_codebook(np.zeros((0, 3)), 1.0, 8)
    assert codebook == Codebook((0,), 0)
    assert levels.size == 0


@pytest.mark.parametrize("size", [1, 2, 5, 16])
def test_codebook_is_merged_to_its_size(size):
    values = np.random.default_rng(2).normal(0, 100, 2000)
    codebook, levels = quantize_codebook(values, 1.0, size)
    assert len(codebook.entries) <= size
    chosen = np.array(codebook.entries)[levels + codebook.zero_offset]
    nearest = np.abs(np.rint(values)[:, None] - np.array(codebook.entries)).min(1)
    assert np.array_equal(np.abs(np.rint(values) - chosen), nearest)


@given(
    st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=40, unique=True).map(sorted),
    st.data(),
)
def test_codebook_elements_give_the_codebook_back(entries, data):
    codebook = Codebook(tuple(entries), data.draw(st.integers(0, len(entries) - 1)))
    elements = codebook_elements(codebook)
    assert codebook_of(elements) == codebook
    assert 0 <= elements["codebook_egk"] < 16


@pytest.mark.parametrize(
    ("value", "order", "bits"),
    [(0, 0, 1), (1, 0, 3), (2, 0, 3), (3, 0, 5), (0, 1, 2), (1, 1, 2), (2, 1, 4), (100, 7, 8)],
)
def test_exp_golomb_bits(value, order, bits):
    assert exp_golomb_bits([value], order) == bits


def test_trellis_search_finds_the_least_error_of_all_paths():
    random = np.random.default_rng(3)
    for _ in range(20):
        samples = random.uniform(-2.4, 2.4, 4)
        coding = replace(TRELLIS, height=4, width=1)
        found = quantize_dependent(samples, coding, 0.0)
        least = min(cost_of(path, samples) for path in product(range(-2, 3), repeat=4))
        assert cost_of(tuple(found.tolist()), samples) == pytest.approx(least)


@pytest.mark.parametrize("scan_order", [0, 1, 2])
def test_trellis_error_is_below_that_of_twice_the_step(scan_order):
    coding = replace(TRELLIS, scan_order=scan_order)
    samples = samples_for(coding, 20)
    values = trellis_values(quantize_dependent(samples, coding, 0.0), coding)
    dependent = np.square(values - samples).mean()
    uniform = np.square(2 * np.rint(samples / 2) - samples).mean()
    assert dependent < 0.85 * uniform


@pytest.mark.parametrize("scan_order", [0, 1])
@pytest.mark.parametrize("width", [12, 13, 14, 15])
def test_trellis_search_knows_how_skipped_rows_move_the_state(scan_order, width):
    coding = replace(TRELLIS, width=width, scan_order=scan_order)
    skipped = np.arange(coding.height) % 3 == 1
    samples = samples_for(coding, 20)
    samples.reshape(coding.height, width)[skipped] = 0
    levels = quantize_dependent(samples, coding, 0.0, skipped)
    values = trellis_values(levels, coding, skipped)
    assert np.abs(values - samples).max() < 3
    assert not values.reshape(coding.height, width)[skipped].any()


def test_weight_of_bits_trades_error_for_size():
    samples = samples_for(TRELLIS)
    results = [quantize_dependent(samples, TRELLIS, weight) for weight in (0.0, 0.5, 2.0)]
    sizes = [len(encode_levels(TRELLIS, levels).data) for levels in results]
    errors = [np.square(trellis_values(levels, TRELLIS) - samples).sum() for levels in results]
    assert sizes == sorted(sizes, reverse=True)
    assert errors == sorted(errors)
    assert sizes[0] > sizes[-1]


def test_trellis_takes_large_samples_without_overflow():
    coding = replace(TRELLIS, height=3, width=1)
    samples = np.array([1e12, -1e12, 2.0**30])
    levels = quantize_dependent(samples, coding, 0.1)
    assert np.sign(levels).tolist() == [1, -1, 1]
    assert abs(int(trellis_values(levels, coding)[2]) - 2**30) <= 2


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 40), st.integers(1, 40), st.integers(0, 4))
def test_scan_visits_every_position_once(height, width, scan_order):
    coding = LevelCoding(height, width, scan_order, dependent=False, unary_length=10)
    assert sorted(scan_positions(coding).tolist()) == list(range(height * width))


def test_scan_goes_block_by_block():
    coding = LevelCoding(9, 10, 1, dependent=False, unary_length=10)
    positions = scan_positions(coding).tolist()
    assert positions[:9] == [0, 1, 2, 3, 4, 5, 6, 7, 10]
    assert positions[64:68] == [8, 9, 18, 19]
    assert positions[80:82] == [80, 81]


def test_levels_without_a_trellis_are_their_own_values():
    coding = replace(TRELLIS, dependent=False)
    levels = np.arange(coding.size, dtype=np.int32)
    assert trellis_values(levels, coding) is levels
