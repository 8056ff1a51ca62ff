"""A part of a bitstream is a bitstream of its own, whatever is behind it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.nnc import decode
from conformance.nnc.encoder import LayerParameters
from conformance.nnc.errors import NncMalformedError
from conformance.nnc.outline import count_units, select_units
from conformance.nnc.parser import parse_stream
from tests.nnc.chains.making import base

STREAM = base(layers={"b": LayerParameters(qp_density=3)})
"""STR, MPS, TPL, NDU (w), LPS, NDU (b)."""


def names(stream):
    return [unit.name for unit in parse_stream(stream).units]


def ends():
    """Return where each unit begins, and the end of the file."""
    starts = [unit.byte for unit in parse_stream(STREAM).units]
    return [*starts, len(STREAM)]


def test_the_example_is_what_it_is_said_to_be():
    assert names(STREAM) == ["STR", "MPS", "TPL", "NDU", "LPS", "NDU"]
    assert count_units(memoryview(STREAM)) == 6


def test_all_units_are_the_whole_stream():
    assert select_units(memoryview(STREAM), [(0, 5)]) == (STREAM, len(STREAM))


def test_the_first_units_are_the_beginning_of_the_file():
    part, size = select_units(memoryview(STREAM), [(0, 3)])
    assert part == STREAM[: ends()[4]]
    assert size == len(part)
    np.testing.assert_array_equal(decode(part)["w"], decode(STREAM)["w"])


def test_a_later_part_brings_the_sets_before_it_but_does_not_pay_for_them():
    part, size = select_units(memoryview(STREAM), [(5, 5)])
    assert names(part) == ["STR", "MPS", "TPL", "LPS", "NDU"]
    assert size == ends()[6] - ends()[5]
    decoded = decode(part)
    assert set(decoded) == {"b"}
    np.testing.assert_array_equal(decoded["b"], decode(STREAM)["b"])


def test_sets_that_are_withheld_are_not_there():
    part, size = select_units(memoryview(STREAM), [(3, 3)], [(1, 1), (4, 10**17)])
    where = ends()
    assert part == STREAM[: where[1]] + STREAM[where[2] : where[4]]
    assert size == where[4] - where[3]


def test_several_ranges_are_one_part():
    part, size = select_units(memoryview(STREAM), [(5, 5), (0, 3)])
    assert part == STREAM
    assert size == len(STREAM) - (ends()[5] - ends()[4])


@given(st.binary(max_size=60))
def test_bytes_behind_the_part_do_not_matter(behind):
    cut = STREAM[: ends()[4]]
    assert select_units(memoryview(cut + behind), [(0, 3)]) == (cut, len(cut))


@pytest.mark.parametrize("last", [6, 7, 1000, 10**18])
def test_units_beyond_the_end_are_refused(last):
    with pytest.raises(NncMalformedError) as caught:
        select_units(memoryview(STREAM), [(0, 3), (4, last)])
    error = caught.value
    assert f"no unit {last}" in error.message
    assert (error.expected, error.found) == (f"{last + 1} whole units", "6")
    assert "nnr-conformance nnc inspect" in error.fix


def test_a_unit_that_is_cut_short_is_no_whole_unit():
    cut = STREAM[:-1]
    assert count_units(memoryview(cut)) == 5
    with pytest.raises(NncMalformedError) as caught:
        select_units(memoryview(cut), [(0, 5)])
    assert caught.value.found == "5"
    assert caught.value.position.unit == 5
    assert select_units(memoryview(cut), [(0, 3)])[1] == ends()[4]


def test_an_empty_file_has_no_units():
    assert count_units(memoryview(b"")) == 0
    with pytest.raises(NncMalformedError) as caught:
        select_units(memoryview(b""), [(0, 0)])
    assert caught.value.found == "0"


@given(st.binary(max_size=80), st.integers(0, 8), st.integers(0, 8))
def test_any_bytes_are_parted_or_refused(data, first, more):
    units = count_units(memoryview(data))
    try:
        part, size = select_units(memoryview(data), [(first, first + more)])
    except NncMalformedError:
        refused = True
    else:
        refused = False
        assert size <= len(part) <= len(data)
    assert refused == (units <= first + more)
