"""The header codes, bit by bit."""

from __future__ import annotations

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.nnc.bits import BitReader, BitWriter
from conformance.nnc.errors import NncMalformedError


def reader(bits: str) -> BitReader:
    bits = bits.replace(" ", "")
    padded = bits.ljust(-(-len(bits) // 8) * 8, "0")
    data = int(padded, 2).to_bytes(len(padded) // 8)
    return BitReader(memoryview(data))


def written(code: str, *arguments: object) -> str:
    writer = BitWriter()
    getattr(writer, code)(*arguments)
    bits = writer.position
    writer.u(-bits % 8, 0)
    return "".join(f"{byte:08b}" for byte in writer.getvalue())[:bits]


EXP_GOLOMB = [
    *[(0, 0, "1"), (0, 1, "010"), (0, 2, "011"), (0, 3, "00100")],
    *[(1, 0, "10"), (1, 1, "11"), (1, 2, "0100"), (1, 5, "0111")],
    *[(7, 15, "10001111"), (7, 128, "0100000000")],
]


@pytest.mark.parametrize(("k", "value", "bits"), EXP_GOLOMB)
def test_exp_golomb_codes(k, value, bits):
    source = reader(bits)
    assert source.ue(k) == value
    assert source.position == len(bits)
    assert written("ue", k, value) == bits


def test_signed_exp_golomb_alternates():
    assert [reader(written("ue", 2, n)).ie(2) for n in range(7)] == [0, 1, -1, 2, -2, 3, -3]


def test_integers_are_most_significant_bit_first():
    source = reader("101 0110 1")
    assert (source.u(3), source.u(4), source.u(1)) == (5, 6, 1)


def test_signed_integers_are_in_twos_complement():
    assert reader("1000000000000").i(13) == -4096
    assert reader("0111111111111").i(13) == 4095


def test_floats_are_least_significant_byte_first_and_need_no_alignment():
    source = reader("1" + "".join(f"{byte:08b}" for byte in struct.pack("<f", -1.5)))
    source.u(1)
    assert source.flt(32) == -1.5


def test_align_takes_a_whole_byte_where_already_aligned():
    source = reader("10000000 101")
    assert source.align() == 0x80
    assert source.position == 8
    source.u(1)
    assert source.align() == 0b0100000
    assert source.position == 16


def test_strings_end_at_a_zero_byte():
    source = BitReader(memoryview("é\0rest".encode()))
    assert source.st() == "é"
    assert source.position == 24


def test_long_strings_are_read_whole():
    text = "x" * 10_000
    assert BitReader(memoryview(text.encode() + b"\0")).st() == text


def test_rest_is_all_that_is_left():
    source = BitReader(memoryview(b"\x01\xab\xcd"), 8)
    assert source.rest() == "abcd"
    assert source.position == source.end


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (lambda source: source.u(9), b"\xff"),
        (lambda source: source.ue(0), b"\x00"),
        (lambda source: source.ue(0), b"\x01"),
        (lambda source: source.ue(15), b"\x80"),
        (lambda source: source.ue(0), b""),
        (lambda source: source.flt(32), b"\0\0\0"),
        (lambda source: source.align(), b""),
        (lambda source: source.hex(256), bytes(31)),
    ],
    ids=["u", "prefix", "no-suffix", "short-suffix", "nothing", "flt", "align", "hex"],
)
def test_nothing_is_read_past_the_end(read, data):
    source = BitReader(memoryview(data + b"\xff" * 20), 0, 8 * len(data))
    with pytest.raises(NncMalformedError, match="ends inside a syntax element") as caught:
        read(source)
    assert caught.value.position.bit == 0
    assert "bits to the end of the unit" in caught.value.found


def test_a_prefix_of_more_than_32_zeros_is_refused():
    assert reader("0" * 32 + "1" + "0" * 32).ue(0) == (1 << 32) - 1
    with pytest.raises(NncMalformedError, match="too long") as caught:
        reader("0" * 33 + "1" + "0" * 60).ue(0)
    assert "32 zeros" in caught.value.expected


def test_a_string_without_end_is_refused():
    with pytest.raises(NncMalformedError, match="does not end") as caught:
        BitReader(memoryview(b"abc\0"), 0, 24).st()
    assert "3 bytes" in caught.value.found


def test_a_string_that_is_not_utf_8_is_refused_with_its_byte():
    with pytest.raises(NncMalformedError, match="UTF-8") as caught:
        BitReader(memoryview(b"ab\xff\0")).st()
    assert caught.value.position.byte == 2
    assert "0xff" in caught.value.found


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("u", (3, 8)),
        ("u", (3, -1)),
        ("i", (4, 8)),
        ("i", (4, -9)),
        ("ue", (0, -1)),
        ("ue", (0, 1 << 33)),
        ("st", ("a\0b",)),
        ("flt", (32, 1e300)),
        ("hex", (8, "1ff")),
        ("align", (256,)),
    ],
)
def test_what_does_not_fit_is_not_written(code, arguments):
    with pytest.raises(ValueError):
        getattr(BitWriter(), code)(*arguments)


CODES = st.one_of(
    st.integers(1, 600).flatmap(
        lambda n: st.tuples(st.just("u"), st.just(n), st.integers(0, (1 << n) - 1))
    ),
    st.integers(1, 40).flatmap(
        lambda n: st.tuples(st.just("i"), st.just(n), st.integers(-(1 << n - 1), (1 << n - 1) - 1))
    ),
    st.tuples(st.just("ue"), st.integers(0, 15), st.integers(0, (1 << 32) - 1)),
    st.tuples(st.just("ie"), st.integers(0, 15), st.integers(-(1 << 31) + 1, (1 << 31) - 1)),
    st.tuples(st.just("flt"), st.just(32), st.floats(width=32, allow_nan=False)),
    st.tuples(st.just("hex"), st.just(256), st.binary(min_size=32, max_size=32).map(bytes.hex)),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(CODES, max_size=20))
def test_what_is_written_is_read_back(codes):
    writer = BitWriter()
    for kind, parameter, value in codes:
        getattr(writer, kind)(parameter, value)
    bits = writer.position
    writer.align()
    source = BitReader(memoryview(writer.getvalue()))
    for kind, parameter, value in codes:
        assert getattr(source, kind)(parameter) == value
    assert source.position == bits


def test_nan_is_read_and_written():
    writer = BitWriter()
    writer.flt(32, math.nan)
    assert math.isnan(BitReader(memoryview(writer.getvalue())).flt(32))


@settings(deadline=None, max_examples=200)
@given(
    st.binary(max_size=40), st.lists(st.sampled_from(["u", "ue", "ie", "flt", "st"]), max_size=9)
)
def test_random_bytes_give_values_or_errors(data, kinds):
    source = BitReader(memoryview(data))
    parameters = {"u": (7,), "ue": (3,), "ie": (0,), "flt": (32,)}
    for kind in kinds:
        if kind == "st" and source.position % 8:
            continue
        try:
            getattr(source, kind)(*parameters.get(kind, ()))
        except NncMalformedError:
            return
        assert source.position <= source.end
