"""Payloads: what the plain reference decoder reads is what was written."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nnc.cabac.coding import LevelCoding
from conformance.nnc.cabac.decoding import initialised_models
from conformance.nnc.encoder import (
    LevelTools,
    Payload,
    PayloadEncoder,
    encode_levels,
    trellis_values,
)
from tests.nnc.encoder.drawing import coded_tensors
from tests.nnc.reference.arithmetic import ArithmeticDecoder
from tests.nnc.reference.levels import LevelDecoder

MATRIX = LevelCoding(height=20, width=12, scan_order=0, dependent=False, unary_length=10)


def laplacian(coding: LevelCoding, scale: float = 2.0) -> np.ndarray:
    return np.random.default_rng(5).laplace(0, scale, coding.size).astype(np.int32)


def finish(engine: ArithmeticDecoder) -> int:
    """Check the end of a codeword and return its bytes."""
    assert engine.terminating_bin()
    used = (engine.bits + 7) // 8
    last, spare = engine.data[used - 1], 8 * used - engine.bits
    assert last & (2 << spare) - 1 == 1 << spare  # the stop bit, then zeros
    return used


def read(payload: Payload, *codings: LevelCoding) -> list[LevelDecoder]:
    engine = ArithmeticDecoder(payload.data)
    decoders = [LevelDecoder(engine, coding) for coding in codings]
    for decoder in decoders:
        decoder.decode()
    assert finish(engine) == len(payload.data)
    return decoders


@settings(deadline=None, max_examples=150)
@given(st.lists(coded_tensors(), min_size=1, max_size=3))
def test_reference_decoder_reads_what_was_written(tensors):
    encoder = PayloadEncoder()
    for coding, levels, tools in tensors:
        encoder.write_levels(coding, levels, tools)
    payload = encoder.finish()
    decoders = read(payload, *(coding for coding, _, _ in tensors))
    for decoder, (coding, levels, tools) in zip(decoders, tensors, strict=True):
        assert decoder.levels == trellis_values(levels, coding, tools.skipped).tolist()
        assert decoder.row_skip == (tools.skipped is not None)
        assert decoder.hdsp == tools.history_flag
        if tools.skipped is not None:
            assert decoder.skipped == tools.skipped.tolist()


@settings(deadline=None, max_examples=80)
@given(coded_tensors())
def test_entry_points_are_the_registers_of_a_decoder(tensor):
    coding, levels, tools = tensor
    payload = encode_levels(coding, levels, tools)
    (decoder,) = read(payload, coding)
    resets = coding.block_rows > 1 or (coding.block > 0 and coding.resets_single_block_row)
    assert payload.entry_points == (decoder.entry_points() if resets else (),)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(-(2**39), 2**39 - 1)), max_size=30))
def test_numbers_are_cut_to_their_bits(numbers):
    encoder = PayloadEncoder()
    for bits, value in numbers:
        encoder.write_iae(bits, value)
    engine = ArithmeticDecoder(encoder.finish().data)
    for bits, value in numbers:
        assert engine.bypass_bins(bits) == value % 2**bits
    finish(engine)


def test_empty_payload_is_a_terminating_bin_alone():
    payload = PayloadEncoder().finish()
    assert finish(ArithmeticDecoder(payload.data)) == len(payload.data) == 2


@pytest.mark.parametrize("unary_length", [1, 2, 10, 255, 256])
def test_every_unary_length_round_trips(unary_length):
    coding = replace(MATRIX, unary_length=unary_length)
    levels = laplacian(coding, 100)
    (decoder,) = read(encode_levels(coding, levels), coding)
    assert decoder.levels == levels.tolist()


@pytest.mark.parametrize("length", [1, 3, 4, 5, 500])
def test_a_carry_reaches_back_through_full_bytes(length):
    # These bins keep the interval around one number; the last ones lift its low end above that.
    bins = [1] + [0, 0, 0, 0, 0, 0, 0, 1] * length + [1, 0, 1]
    encoder = PayloadEncoder()
    for value in bins:
        encoder.write_iae(1, value)
    data = encoder.finish().data
    assert data[0] == 0x80
    engine = ArithmeticDecoder(data)
    assert [engine.bypass_bins(1) for _ in bins] == bins
    finish(engine)


def test_initialisation_indices_are_written_as_given():
    models = initialised_models(MATRIX, hdsp=False)
    indices = [place % 9 for place in range(models.size)]
    payload = encode_levels(MATRIX, laplacian(MATRIX), LevelTools(initialisation=indices))
    (decoder,) = read(payload, MATRIX)
    assert decoder.initialisation == list(zip(models.tolist(), indices, strict=True))


@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0])
@pytest.mark.parametrize("scan_order", [0, 1])
def test_best_initialisation_is_no_worse_than_any_single_index(scale, scan_order):
    coding = replace(MATRIX, height=64, scan_order=scan_order)
    levels = laplacian(coding, scale)
    best = len(encode_levels(coding, levels).data)
    models = initialised_models(coding, hdsp=False).size
    for index in range(9):
        tools = LevelTools(initialisation=[index] * models)
        assert best <= len(encode_levels(coding, levels, tools).data) + 1


def test_constant_codebook_codes_no_levels():
    coding = replace(MATRIX, codebook_size=1)
    payload = encode_levels(coding, np.zeros(coding.size, np.int32))
    (decoder,) = read(payload, coding)
    assert decoder.levels == [0] * coding.size
    assert len(payload.data) < 8


@pytest.mark.parametrize(
    ("coding", "change", "message"),
    [
        (MATRIX, {"levels": np.zeros(3, np.int32)}, "240 levels are needed, 3 are given"),
        (MATRIX, {"levels": np.zeros(240, np.int64)}, "levels are int32, not int64"),
        (replace(MATRIX, unary_length=257), {}, "unary_length is 1 to 256: 257"),
        (replace(MATRIX, unary_length=0), {}, "unary_length is 1 to 256: 0"),
        (replace(MATRIX, reference=np.zeros(5, np.int32)), {}, "reference needs 240 elements"),
        (replace(MATRIX, history=np.zeros(5, np.int8)), {}, "history needs 240 elements"),
        (
            replace(MATRIX, codebook_size=3, zero_offset=1),
            {"levels": np.full(240, 2, np.int32)},
            r"levels of this codebook are -1 to 1, found \[2\]",
        ),
        (
            replace(MATRIX, codebook_size=3, zero_offset=3),
            {},
            "the zero offset 3 is outside 3 entries",
        ),
        (
            replace(MATRIX, tool_flags=False),
            {"tools": LevelTools(skipped=np.zeros(20, np.bool_))},
            "row skipping needs profile 1 and a matrix",
        ),
        (
            MATRIX,
            {"tools": LevelTools(skipped=np.zeros(7, np.bool_))},
            r"row skip flags are bool of shape \(20,\)",
        ),
        (
            MATRIX,
            {"tools": LevelTools(skipped=np.ones(20, np.bool_)), "levels": np.ones(240, np.int32)},
            "a skipped row has a level that is not 0",
        ),
        (MATRIX, {"tools": LevelTools(history_flag=True)}, "needs profile 1, a parent"),
        (MATRIX, {"tools": LevelTools(initialisation=[1])}, "initialisation indices of 0 to 8"),
        (
            MATRIX,
            {"tools": LevelTools(initialisation=[9] * 57)},
            "57 initialisation indices of 0 to 8",
        ),
    ],
)
def test_what_cannot_be_written_is_refused(coding, change, message):
    arguments = {"levels": np.zeros(240, np.int32), "tools": LevelTools(), **change}
    with pytest.raises(ValueError, match=message):
        encode_levels(coding, **arguments)
