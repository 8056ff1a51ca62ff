import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.runtimes.wire import FIXED32, FIXED64, LENGTH, VARINT, Span, WireReader
from conformance.verdicts import MalformedError


def reader(data: bytes) -> WireReader:
    return WireReader(memoryview(data), "model.onnx")


def fields(data: bytes):
    return list(reader(data).fields(Span(0, len(data)), "model"))


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def test_fields_of_every_wire_type_are_found():
    data = b"\x08\x96\x01" + b"\x11" + bytes(8) + b"\x1a\x03abc" + b"\x25" + bytes(4)
    found = fields(data)
    assert [(f.number, f.wire_type, f.span.size) for f in found] == [
        (1, VARINT, 2),
        (2, FIXED64, 8),
        (3, LENGTH, 3),
        (4, FIXED32, 4),
    ]
    assert found[0].value == 150
    assert [f.start for f in found] == [0, 3, 12, 17]


def test_an_empty_message_has_no_fields():
    assert fields(b"") == []


@given(st.integers(0, (1 << 64) - 1))
def test_every_unsigned_number_is_read_back(number):
    data = b"\x08" + varint(number)
    assert [f.value for f in fields(data)] == [number]


@given(st.lists(st.integers(0, (1 << 64) - 1)))
def test_packed_numbers_are_read_back(numbers):
    data = b"".join(map(varint, numbers))
    assert list(reader(data).varints(Span(0, len(data)), "dims")) == numbers


@given(st.lists(st.tuples(st.integers(1, (1 << 29) - 1), st.binary(max_size=40))))
def test_every_message_of_byte_strings_is_read_back(entries):
    data = b"".join(varint(n << 3 | LENGTH) + varint(len(b)) + b for n, b in entries)
    found = [(f.number, data[f.span.begin : f.span.end]) for f in fields(data)]
    assert found == entries


@given(st.binary(max_size=200))
def test_any_bytes_are_fields_or_malformed(data):
    with contextlib.suppress(MalformedError):
        assert all(0 <= f.start < f.span.end <= len(data) for f in fields(data))


@pytest.mark.parametrize(
    ("data", "offset", "found"),
    [
        pytest.param(b"\x08\x01\x12\x05abc", 2, "field 2 with 5 bytes", id="length past the end"),
        pytest.param(b"\x08", 1, "the end of the message", id="number cut off"),
        pytest.param(b"\x08" + b"\xff" * 11, 1, "more bytes", id="number of more than ten bytes"),
        pytest.param(b"\x0b", 0, "3 (field 1)", id="group"),
        pytest.param(b"\x00\x00", 0, "field 0", id="field number zero"),
        pytest.param(b"\x0d\x00", 0, "field 1 with 4 bytes", id="fixed32 cut off"),
        pytest.param(
            b"\x12" + varint((1 << 64) - 1), 0, "18446744073709551615 bytes", id="length of 2^64-1"
        ),
    ],
)
def test_damage_is_named_with_its_offset(data, offset, found):
    with pytest.raises(MalformedError) as caught:
        fields(data)
    error = caught.value
    assert (error.where.file, error.where.byte_offset) == ("model.onnx", offset)
    assert error.where.element == "model"
    assert found in error.found
    assert error.expected
    assert "Export the model again" in error.fix


def test_text_that_is_not_utf_8_is_malformed_at_its_byte():
    with pytest.raises(MalformedError) as caught:
        reader(b"ab\xff").text(Span(0, 3), "graph.initializer[0].name")
    assert caught.value.where.byte_offset == 2
    assert "0xff" in caught.value.found
