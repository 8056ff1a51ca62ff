"""The decoder of a payload: integers, levels, the end, and what it says about damage."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nnc.cabac.coding import GROUPS, LevelCoding, PayloadError
from conformance.nnc.cabac.decoding import PayloadDecoder
from conformance.nnc.cabac.levels import RUN
from conformance.nnc.encoder import LevelTools, PayloadEncoder, encode_levels, trellis_values
from tests.nnc.cabac.codings import payloads
from tests.nnc.reference.arithmetic import ArithmeticDecoder, EndOfPayloadError

MATRIX = LevelCoding(height=20, width=12, scan_order=0, dependent=False, unary_length=10)


def decoder_of(data: bytes, *, count_bits: bool = False) -> PayloadDecoder:
    return PayloadDecoder(np.frombuffer(data, np.uint8), count_bits=count_bits)


def laplacian(coding: LevelCoding, scale: float = 3.0) -> np.ndarray:
    return np.random.default_rng(1).laplace(0, scale, coding.size).astype(np.int32)


def decoded(data: bytes, coding: LevelCoding, **arguments: object) -> np.ndarray:
    levels = np.full(coding.size, -77, np.int32)
    decoder = decoder_of(data)
    decoder.read_levels(coding, levels, **arguments)
    assert decoder.finish() == len(data)
    assert decoder.stop_pattern
    return levels


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 32), st.integers(-(2**31), 2**31 - 1)), max_size=20))
def test_integers_are_twos_complement(numbers: list[tuple[int, int]]) -> None:
    encoder = PayloadEncoder()
    for count, value in numbers:
        encoder.write_iae(count, value)
    decoder = decoder_of(encoder.finish().data)
    for count, value in numbers:
        half = 1 << count - 1
        assert decoder.read_iae(count) == (value + half) % (2 * half) - half


@settings(deadline=None)
@given(payloads(), st.lists(st.integers(1, 32), min_size=1, max_size=20))
def test_integers_are_read_as_by_the_reference(payload: bytes, counts: list[int]) -> None:
    decoder, reference = decoder_of(payload), ArithmeticDecoder(payload)
    for count in counts:
        try:
            expected = reference.iae(count)
        except EndOfPayloadError:
            with pytest.raises(PayloadError, match="ends before an integer"):
                decoder.read_iae(count)
            return
        assert decoder.read_iae(count) == expected
        assert decoder.position_bits == reference.bits


@pytest.mark.parametrize("dependent", [False, True], ids=["uniform", "dependent"])
@pytest.mark.parametrize("scan_order", range(5))
def test_levels_are_what_was_written(scan_order: int, dependent: bool) -> None:
    coding = replace(MATRIX, height=70, width=70, scan_order=scan_order, dependent=dependent)
    levels = laplacian(coding)
    data = encode_levels(coding, levels).data
    assert np.array_equal(decoded(data, coding), trellis_values(levels, coding, None))


@pytest.mark.parametrize("unary_length", [1, 2, 10, 255, 256])
def test_largest_levels(unary_length: int) -> None:
    coding = LevelCoding(6, 1, 0, dependent=False, unary_length=unary_length)
    levels = np.array([2**31 - 1, -(2**31 - 1), 0, 1, -256, 257], np.int32)
    assert np.array_equal(decoded(encode_levels(coding, levels).data, coding), levels)


def test_dependent_levels_wrap_as_int32() -> None:
    coding = LevelCoding(3, 1, 0, dependent=True, unary_length=3)
    data = encode_levels(coding, np.array([2**30, 1, -(2**30) - 1], np.int32)).data
    assert decoded(data, coding)[0] == -(2**31)


def test_skipped_rows_are_zero_and_reported() -> None:
    levels = laplacian(MATRIX).reshape(20, 12)
    levels[3:9] = 0
    skipped = ~levels.any(1)
    data = encode_levels(MATRIX, levels.ravel(), LevelTools(skipped=skipped)).data
    out = np.full(MATRIX.size, 99, np.int32)
    report = decoder_of(data).read_levels(MATRIX, out)
    assert np.array_equal(out, levels.ravel())
    assert (report.row_skip, report.skipped_rows) == (True, int(skipped.sum()))


@pytest.mark.parametrize("height", [0, 1, 2])
def test_tensors_of_few_rows(height: int) -> None:
    coding = replace(MATRIX, height=height)
    levels = laplacian(coding)
    assert np.array_equal(decoded(encode_levels(coding, levels).data, coding), levels)


def test_constant_codebook_takes_no_level_bits() -> None:
    coding = replace(MATRIX, codebook_size=1)
    levels = np.zeros(coding.size, np.int32)
    data = encode_levels(coding, levels).data
    assert len(data) == 2
    assert np.array_equal(decoded(data, coding), levels)


def test_bits_by_group_are_all_bits() -> None:
    data = encode_levels(MATRIX, laplacian(MATRIX, scale=30)).data
    decoder = decoder_of(data, count_bits=True)
    start = decoder.position_bits
    report = decoder.read_levels(MATRIX, np.empty(MATRIX.size, np.int32))
    assert tuple(report.bits) == GROUPS
    assert sum(report.bits.values()) == decoder.position_bits - start
    assert min(report.bits.values()) > 0


def test_counting_bits_changes_no_level() -> None:
    coding = replace(MATRIX, scan_order=1, dependent=True)
    data = encode_levels(coding, laplacian(coding)).data
    out = np.empty(coding.size, np.int32)
    decoder_of(data, count_bits=True).read_levels(coding, out)
    assert np.array_equal(out, decoded(data, coding))


def test_reported_entry_points_are_those_of_a_right_header() -> None:
    coding = replace(MATRIX, height=50, scan_order=1, dependent=True)
    payload = encode_levels(coding, laplacian(coding))
    decoder = decoder_of(payload.data, count_bits=True)
    report = decoder.read_levels(coding, np.empty(coding.size, np.int32))
    assert report.entry_points == payload.entry_points[0]


def test_several_tensors_follow_one_another() -> None:
    codings = [replace(MATRIX, height=1), MATRIX, replace(MATRIX, scan_order=2, dependent=True)]
    encoder = PayloadEncoder()
    for coding in codings:
        encoder.write_iae(8, -38)
        encoder.write_levels(coding, laplacian(coding))
    decoder = decoder_of(encoder.finish().data)
    for coding in codings:
        out = np.empty(coding.size, np.int32)
        assert decoder.read_iae(8) == -38
        decoder.read_levels(coding, out)
        assert np.array_equal(out, trellis_values(laplacian(coding), coding, None))


# Damage.


@pytest.mark.parametrize("data", [b"", b"\x00"], ids=["empty", "one-byte"])
def test_payload_without_room_for_the_first_bin(data: bytes) -> None:
    with pytest.raises(PayloadError, match="ends before its first bin") as caught:
        decoder_of(data)
    assert caught.value.bit == 8 * len(data)


def test_start_outside_the_range() -> None:
    with pytest.raises(PayloadError, match="offset register starts at 511") as caught:
        decoder_of(b"\xff\xff\x00")
    assert caught.value.bit == 0


def read_to_the_end(data: bytes, coding: LevelCoding) -> None:
    decoder = decoder_of(data)
    decoder.read_levels(coding, np.empty(coding.size, np.int32))
    decoder.finish()


def test_every_cut_of_a_payload_is_told() -> None:
    data = encode_levels(MATRIX, laplacian(MATRIX)).data
    for size in range(2, len(data)):
        with pytest.raises(PayloadError, match=r"ends before|terminating bin") as caught:
            read_to_the_end(data[:size], MATRIX)
        assert caught.value.bit <= 8 * size


def test_end_before_the_last_level() -> None:
    coding = replace(MATRIX, height=4096)
    data = encode_levels(coding, laplacian(coding)).data[:2000]
    with pytest.raises(PayloadError, match="ends before the last level") as caught:
        decoder_of(data).read_levels(coding, np.empty(coding.size, np.int32))
    assert caught.value.bit == 16000


WIDE = replace(MATRIX, height=6, width=3 * RUN + 7)
"""Rows of more levels than are decoded between two looks at the end of the payload."""


@pytest.mark.parametrize("count_bits", [False, True], ids=["plain", "counted"])
@pytest.mark.parametrize("dependent", [False, True], ids=["uniform", "dependent"])
def test_skipped_rows_among_wide_ones(dependent: bool, count_bits: bool) -> None:
    coding = replace(WIDE, dependent=dependent)
    levels = laplacian(coding).reshape(6, -1)
    levels[[1, 4]] = 0
    skipped = ~levels.any(1)
    wanted = trellis_values(levels.ravel(), coding, skipped)
    data = encode_levels(coding, levels.ravel(), LevelTools(skipped=skipped)).data
    out = np.full(coding.size, 99, np.int32)
    decoder = decoder_of(data, count_bits=count_bits)
    decoder.read_levels(coding, out)
    assert decoder.finish() == len(data)
    assert np.array_equal(out, wanted)


@pytest.mark.parametrize("count_bits", [False, True], ids=["plain", "counted"])
@pytest.mark.parametrize("height", [2, 200])
def test_nothing_is_decoded_far_behind_the_end(height: int, count_bits: bool) -> None:
    coding = replace(WIDE, height=height)
    levels = laplacian(coding).reshape(height, -1)
    levels[-1] = 0
    skipped = ~levels.any(1)
    data = encode_levels(coding, levels.ravel(), LevelTools(skipped=skipped)).data[:1000]
    out = np.full(coding.size, 99, np.int32)
    with pytest.raises(PayloadError, match="ends before the last level"):
        decoder_of(data, count_bits=count_bits).read_levels(coding, out)
    written = int(np.flatnonzero(out != 99)[-1]) + 1
    assert 1000 < written < 5 * RUN


def test_end_before_the_flags_of_the_rows() -> None:
    coding = replace(MATRIX, height=1000)
    random = np.random.default_rng(3).integers(0, 256, 20, np.uint8)
    random[0] = 200  # the row skip flag is 1
    with pytest.raises(PayloadError, match="ends before the flags of the rows"):
        PayloadDecoder(random).read_levels(coding, np.empty(coding.size, np.int32))


def test_end_before_the_contexts_are_initialised() -> None:
    coding = replace(MATRIX, height=1, unary_length=256)
    random = np.random.default_rng(3).integers(0, 200, 20, np.uint8)
    with pytest.raises(PayloadError, match="ends before how the contexts start"):
        PayloadDecoder(random).read_levels(coding, np.empty(coding.size, np.int32))


def test_missing_terminating_bin() -> None:
    data = encode_levels(MATRIX, laplacian(MATRIX)).data
    longer = replace(MATRIX, height=MATRIX.height - 1, tool_flags=True)
    decoder = decoder_of(data)
    decoder.read_levels(longer, np.empty(longer.size, np.int32))
    with pytest.raises(PayloadError, match="terminating bin is not there") as caught:
        decoder.finish()
    assert caught.value.bit == decoder.position_bits


def test_offset_register_outside_the_range_of_a_block_row() -> None:
    coding = replace(MATRIX, height=2000, scan_order=1)
    data = np.random.default_rng(0).integers(0, 200, 5000, np.uint8).tobytes()
    with pytest.raises(PayloadError, match="must be below 256") as caught:
        read_to_the_end(data, coding)
    assert 9 < caught.value.bit < 8 * len(data)


def test_wrong_stop_pattern_is_seen_and_does_not_matter() -> None:
    data = bytearray(encode_levels(MATRIX, laplacian(MATRIX)).data)
    stop = data[-1] & -data[-1]
    data[-1] ^= stop
    decoder = decoder_of(bytes(data))
    decoder.read_levels(MATRIX, np.empty(MATRIX.size, np.int32))
    assert decoder.finish() == len(data)
    assert not decoder.stop_pattern


# What a caller can do wrong.


@pytest.mark.parametrize(
    "out",
    [np.empty(239, np.int32), np.empty(240, np.int64), np.empty(480, np.int32)[::2]],
    ids=["size", "dtype", "strided"],
)
def test_levels_need_fitting_memory(out: np.ndarray) -> None:
    with pytest.raises(ValueError, match="contiguous int32 memory"):
        decoder_of(bytes(200)).read_levels(MATRIX, out)


@pytest.mark.parametrize("tool", ["reference", "history"])
def test_reference_and_history_need_the_size_of_the_tensor(tool: str) -> None:
    coding = replace(MATRIX, parent=True, **{tool: np.zeros(7, np.int8)})
    data = b"\xa0" + bytes(200)  # the flag of the history is 1
    with pytest.raises(ValueError, match="as many elements"):
        decoder_of(data).read_levels(coding, np.empty(coding.size, np.int32))


def test_payload_stays_writable_for_its_owner() -> None:
    payload = np.zeros(50, np.uint8)
    PayloadDecoder(payload)
    payload[0] = 1


def test_strided_payload_is_read_in_its_order() -> None:
    data = encode_levels(MATRIX, laplacian(MATRIX)).data
    spread = np.zeros(2 * len(data), np.uint8)
    spread[::2] = np.frombuffer(data, np.uint8)
    out = np.empty(MATRIX.size, np.int32)
    PayloadDecoder(spread[::2]).read_levels(MATRIX, out)
    assert np.array_equal(out, decoded(data, MATRIX))
