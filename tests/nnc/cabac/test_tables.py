"""The tables are the format's, and packing them changes nothing."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from conformance.nnc.cabac import engine, tables
from conformance.nnc.cabac.tables import model_count, remainder_base
from tests.nnc.reference import tables as plain
from tests.nnc.reference.arithmetic import Model


def test_tables_are_those_of_the_reference() -> None:
    assert tables.LPS_RANGE.tolist() == plain.R_LPS
    assert tables.TRANSITION.tolist() == plain.T
    assert tables.NEXT_STATE.tolist() == [list(pair) for pair in plain.NEXT]


def test_starts_of_contexts_are_those_of_the_reference() -> None:
    rates = [(a, b) for a, b, _, _ in plain.INITIALISATION]
    states = [(s0, s01 - 16 * s0) for _, _, s01, s0 in plain.INITIALISATION]
    assert tables.RATES.tolist() == [list(pair) for pair in rates]
    assert tables.START_STATES.tolist() == [list(pair) for pair in states]


def unpack(model: int) -> tuple[int, int, int]:
    """Return S0, S1 and S01 of a packed model."""
    s1 = (model & 0xFFF) - 2048
    s0 = (model >> engine.S0 & 0xFF) - 128
    return s0, s1, (model >> engine.S01) - 4096


def adapt(model: int, bit: int) -> int:
    selection = model + (engine.ONE_BIN if bit else engine.ZERO_BIN)
    s1_step = engine.STEPS[selection >> engine.S1_SELECTION & 255]
    s0_step = engine.STEPS[256 + (selection >> engine.S0_SELECTION & 255)]
    return model + int(s1_step) + int(s0_step)


@given(st.integers(0, 8), st.lists(st.tuples(st.booleans(), st.integers(1, 300)), max_size=20))
def test_packed_models_adapt_as_plain_ones(index: int, runs: list[tuple[bool, int]]) -> None:
    model, plain_model = int(engine.START_MODELS[index]), Model(index)
    for bit, length in runs:
        for _ in range(length):
            model = adapt(model, bit)
            plain_model.update(bit)
        s1 = plain_model.s01 - 16 * plain_model.s0
        assert unpack(model) == (plain_model.s0, s1, plain_model.s01)


def test_packed_ranges_are_those_of_the_table() -> None:
    for s01 in range(-4096, 4096, 32):
        ranges = int(engine.LPS_RANGES[s01 + 4096 >> 7])
        column = min(abs(s01 >> 7), 31)
        for row in range(8):
            assert ranges >> 8 * row & 255 == plain.R_LPS[row][column]


def test_packed_states_are_those_of_the_table() -> None:
    for state, pair in enumerate(plain.NEXT):
        for parity in (0, 1):
            assert engine.NEXT_STATES >> 8 * state + 4 * parity & 7 == pair[parity]


def test_four_zeros_bring_back_every_state() -> None:
    states = np.arange(8)
    for _ in range(4):
        states = tables.NEXT_STATE[states, 0]
    assert states.tolist() == list(range(8))


def test_models_are_laid_out_without_gaps_to_the_last_utility_model() -> None:
    assert remainder_base(10) == 53 + 40
    assert model_count(10) == 53 + 40 + 37
