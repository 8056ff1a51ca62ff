"""What a broken stream is told: what, where, expected, found, how to fix it."""

from __future__ import annotations

import pytest

from conformance.nnc.errors import (
    NncError,
    NncLimitError,
    NncMalformedError,
    NncUnsupportedError,
)
from conformance.nnc.options import Limits, Options
from conformance.nnc.parser import UnitReader, parse_stream
from tests.nnc.syntax.streams import MODEL, NNCODEC, START, TENSOR, with_tensor, write

DEFAULTS = Options()


def error_of(data: bytes, options: Options = DEFAULTS) -> NncError:
    with pytest.raises(NncError) as caught:
        parse_stream(data, options)
    error = caught.value
    assert all([error.message, error.expected, error.found, error.fix])
    return error


def refused(values, field: str, unit: str = "NDU") -> NncError:
    error = error_of(with_tensor(values))
    assert error.position.unit == 2
    assert error.position.unit_name == unit
    assert error.position.field == field
    return error


# --- units


def test_an_empty_file():
    error = error_of(b"")
    assert isinstance(error, NncMalformedError)
    assert "empty" in error.message
    assert error.position.bit == 0


def test_a_stream_that_does_not_begin_with_a_start_unit():
    error = error_of(NNCODEC[4:])
    assert "does not begin" in error.message
    assert error.found == "NNR_MPS, model parameter set"
    assert (error.position.unit, error.position.field) == (0, "nnr_unit_type")
    assert error.position.bit == 16


def test_two_streams_in_one_file():
    error = error_of(NNCODEC + NNCODEC)
    assert "not the first unit" in error.message
    assert error.position.unit == 4
    assert error.position.byte == len(NNCODEC) + 2


def test_a_data_unit_before_the_parameter_set():
    error = error_of(write(("STR", START), ("NDU", TENSOR)))
    assert "before the model parameter set" in error.message


@pytest.mark.parametrize("unit", ["MPS", "NDU"])
def test_a_parameter_set_that_comes_too_late(unit):
    units = [("STR", START), ("MPS", MODEL), ("NDU", TENSOR), ("MPS", MODEL)]
    error = error_of(write(*units if unit == "NDU" else units[:2], units[3]))
    assert "too late" in error.message
    assert error.position.unit_name == "MPS"


def test_a_unit_of_an_unknown_type():
    error = error_of(NNCODEC[:4] + bytes([0, 3, 7 << 2]))
    assert isinstance(error, NncUnsupportedError)
    assert error.found == "nnr_unit_type 7"
    assert str(error.position) == "byte 6, bit 0: unit 1: nnr_unit_type"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (bytes([0, 2, 2, 1]), "3 to 4 bytes"),
        (bytes([0, 0, 2, 1]), "3 to 4 bytes"),
        (bytes([0, 5, 2, 1]), "3 to 4 bytes"),
        (bytes([0x80, 0, 0, 4, 2, 1]), "5 to 6 bytes"),
    ],
    ids=["too-small", "zero", "too-large", "long"],
)
def test_a_size_that_cannot_be(data, expected):
    error = error_of(data)
    assert error.message == "The size of a unit is wrong"
    assert error.expected.startswith(expected)
    assert error.position.field == "nnr_unit_size"
    assert error.position.bit == 1


def test_a_file_cut_inside_a_unit():
    error = error_of(NNCODEC[:-1])
    assert error.message == "The size of a unit is wrong"
    assert error.found == "23 bytes"
    assert error.position.unit == 3


def test_a_file_cut_inside_a_size():
    error = error_of(NNCODEC[:5])
    assert "ends inside" in error.message
    assert (error.position.unit, error.position.field) == (1, "nnr_unit_size")


def test_a_unit_longer_than_its_syntax():
    error = error_of(bytes([0, 5, 2, 1, 0]))
    assert error.message == "A unit is longer than its syntax"
    assert (error.expected, error.found) == ("nnr_unit_size 4", "nnr_unit_size 5")
    assert error.position.byte == 4
    assert error.position.unit_name == "STR"


def test_a_header_longer_than_its_unit():
    data = bytearray(NNCODEC)
    data[19] = 12
    error = error_of(bytes(data[: 18 + 12]))
    assert "ends inside" in error.message
    assert error.position.unit_name == "NDU"
    assert error.position.field == "codebook.codebook_egk"
    assert error.position.byte is not None
    assert error.position.byte < 30


# --- elements


def test_a_name_that_does_not_end():
    error = error_of(NNCODEC[:18] + bytes([0, 6, 0x16, 0x09]) + b"ab")
    assert "does not end" in error.message
    assert error.position.field == "topology_elem_id"
    assert error.position.byte == 22


def test_a_name_that_is_not_utf_8():
    error = error_of(NNCODEC.replace(b"const", b"c\xffnst"))
    assert "UTF-8" in error.message
    assert error.position.field == "topology_elem_id"
    assert error.position.byte == NNCODEC.index(b"const") + 1


def test_an_exp_golomb_code_without_end():
    body = bytes([0x16, 0x09]) + b"w\0" + bytes([0x80 | 0x40]) + bytes(20)
    error = error_of(NNCODEC[:18] + bytes([0, len(body) + 2]) + body)
    assert "too long" in error.message
    assert error.position.field == "parameter_id"


def test_an_unknown_type_of_payload():
    error = refused(
        {"nnr_compressed_data_unit_payload_type": 9}, "nnr_compressed_data_unit_payload_type"
    )
    assert isinstance(error, NncUnsupportedError)
    assert error.found == "nnr_compressed_data_unit_payload_type 9"


def test_an_unknown_type_of_parent():
    model = {**MODEL, "mps_parent_signalling_enabled_flag": 1}
    data = with_tensor({"parent_node_id_present_flag": 1, "parent_node_id_type": 3}, model)
    error = error_of(data)
    assert isinstance(error, NncMalformedError)
    assert error.position.field == "parent_node_id_type"


def test_a_scan_order_out_of_range():
    error = refused({"scan_order": 5}, "scan_order")
    assert isinstance(error, NncMalformedError)
    assert error.expected == "0 to 4"


@pytest.mark.parametrize(("size", "offset"), [(4, -3), (4, 2), (0, 0)])
def test_a_zero_offset_outside_the_codebook(size, offset):
    book = {"codebook_size": size, "codebook_centre_offset": offset}
    error = refused(
        {"codebook_present_flag": 1, "codebook": book}, "codebook.codebook_centre_offset"
    )
    assert isinstance(error, NncMalformedError)
    assert error.found == f"codebook.codebook_centre_offset {offset}"


def test_dimensions_that_nobody_knows():
    error = refused({"tensor_dimensions_flag": 0}, "tensor_dimensions_flag")
    assert isinstance(error, NncUnsupportedError)
    assert "The dimensions of 'w'" in error.message
    assert "decoder" in error.fix


def test_dimensions_that_nobody_knows_without_input_parameters():
    refused({"input_parameters_present_flag": 0}, "tensor_dimensions_flag")


def test_a_tensor_split_over_elements():
    error = refused(
        {
            "nnr_multiple_topology_elements_present_flag": 1,
            "topology_elem_ids": ("a", "b"),
        },
        "nnr_multiple_topology_elements_present_flag",
    )
    assert isinstance(error, NncUnsupportedError)


def test_an_indexed_factor_without_a_list_of_names():
    model = {**MODEL, "mps_topology_indexed_reference_flag": 1}
    tensor = {"scan_order": 1, "compressed_parameter_types": 1, "g_number_of_rows": 2}
    error = error_of(with_tensor(tensor, model))
    assert isinstance(error, NncUnsupportedError)
    assert error.position.field == "topology_elem_id_index"


# --- more than there is, more than is allowed


def test_an_array_longer_than_its_unit():
    model = {**MODEL, "mps_sparsification_flag": 1, "spm_count_thresholds": 255}
    data = bytearray(write(("STR", START), ("MPS", model))[:30])
    data[4:6] = (26).to_bytes(2)
    error = error_of(bytes(data))
    assert error.message == "An array has more entries than the unit has bits"
    assert error.found == "254 entries"
    assert error.position.field == "sparsification_performance_map"


def test_huge_counts_are_refused_before_anything_is_allocated():
    data = bytearray(with_tensor({"tensor_dimensions": (1 << 32, 3)}))
    scan_order = parse_stream(bytes(data)).units[-1].elements[-2]
    assert scan_order.name == "scan_order"
    last_bit = scan_order.bit + 3
    data[last_bit // 8] |= 1 << (7 - last_bit % 8)
    error = error_of(bytes(data))
    assert "more entries than the unit has bits" in error.message
    assert error.position.field == "entry_points"
    assert error.found == f"{(1 << 29) - 1} entries"


def test_a_limit_on_elements():
    error = error_of(NNCODEC, Options(limits=Limits(elements=4)))
    assert isinstance(error, NncLimitError)
    assert error.expected == "at most 4 elements in this unit, as Limits.elements leaves it"
    assert error.position.unit == 0


def test_the_limit_on_elements_is_of_the_whole_stream():
    units = parse_stream(NNCODEC).units
    limits = Limits(elements=len(units[0].elements) + len(units[1].elements))
    error = error_of(NNCODEC, Options(limits=limits))
    assert isinstance(error, NncLimitError)
    assert error.position.unit == 2


def test_a_limit_on_units():
    error = error_of(NNCODEC, Options(limits=Limits(units=2)))
    assert isinstance(error, NncLimitError)
    assert error.position.unit == 2
    assert error.position.byte == 12


# --- what is left of a broken unit


def test_the_elements_before_the_damage_can_be_shown():
    reader = UnitReader(NNCODEC[:3] + b"\0" + bytes([0, 5, 6, 0x80, 0]))
    reader.read()
    with pytest.raises(NncMalformedError):
        reader.read()
    assert (reader.index, reader.byte, reader.name) == (1, 4, "MPS")
    names = [each.name for each in reader.elements]
    assert names[:2] == ["nnr_unit_size_flag", "nnr_unit_size"]
    assert names[-1] == "mps_reserved_zero_7bits"


def test_the_text_of_an_error_stands_alone():
    text = str(error_of(with_tensor({"scan_order": 5})))
    assert text.splitlines() == [
        "The scan order is not one of the format",
        "  where     byte 21, bit 7: unit 2 NDU: scan_order",
        "  expected  0 to 4",
        "  found     scan_order 5",
        "  fix       write scan_order 0 (row by row) to 4 (blocks of 64 x 64)",
    ]
