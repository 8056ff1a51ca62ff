"""Writing streams: what is filled in, what is refused, and what may be wrong on purpose."""

from __future__ import annotations

import pytest

from conformance.nnc.parser import parse_stream
from conformance.nnc.writer import StreamWriter
from tests.nnc.syntax.streams import MODEL, NNCODEC, START, TENSOR, with_tensor, write


def one(name, values, payload=b""):
    writer = StreamWriter()
    writer.add(name, values, payload)
    return writer.getvalue()


def test_a_derived_count_of_what_is_not_given_is_not_written_without_end():
    tensor = {
        "tensor_dimensions_flag": 1,
        "input_parameters_present_flag": 1,
        "count_tensor_dimensions": 2,
        "tensor_dimensions": [1 << 38, 5],
        "scan_order": 1,
    }
    with pytest.raises(ValueError, match=r"entry_points: \d+ entries are written, 0 are given"):
        write(("STR", START), ("MPS", MODEL), ("NDU", tensor))


def test_the_worked_example_is_written_bit_by_bit():
    tensor = {
        "nnr_compressed_data_unit_payload_type": 1,
        "input_parameters_present_flag": 1,
        "topology_elem_id": "const",
        "node_id_present_flag": 1,
        "codebook_present_flag": 1,
        "codebook": {"codebook_size": 1, "codebook_zero_value": 8},
        "tensor_dimensions_flag": 1,
        "cabac_unary_length_flag": 1,
        "count_tensor_dimensions": 2,
        "tensor_dimensions": [5, 6],
        "cabac_unary_length_minus1": 10,
    }
    data = write(
        ("STR", START),
        ("MPS", {**MODEL, "topology_carriage_flag": 1}),
        ("TPL", {}),
        ("NDU", tensor),
        payload=bytes.fromhex("ec1280"),
    )
    assert data == NNCODEC


def test_a_unit_can_be_named_by_its_number():
    assert one(0, START) == one("STR", START) == NNCODEC[:4]


def test_an_empty_writer_has_written_nothing():
    assert StreamWriter().getvalue() == b""


def test_sizes_take_the_short_form_below_32768_bytes():
    overhead = len(one("NDU", TENSOR))
    assert one("NDU", TENSOR, bytes(32767 - overhead))[:2] == b"\x7f\xff"
    assert one("NDU", TENSOR, bytes(32768 - overhead))[:4] == b"\x80\x00\x80\x02"


def test_a_size_can_be_asked_for():
    data = one("STR", {**START, "nnr_unit_size_flag": 1})
    assert data == b"\x80\x00\x00\x06\x02\x01"
    assert one("STR", {**START, "nnr_unit_size": 9})[:2] == b"\x00\x09"


def test_reserved_bits_and_alignments_can_be_wrong_on_purpose():
    model = {**MODEL, "mps_reserved_zero_2bits": 3, "align": 0}
    values = parse_stream(with_tensor({}, model)).units[1].values
    assert (values["mps_reserved_zero_2bits"], values["align"]) == (3, 0)


def test_values_of_absent_elements_are_not_written():
    assert one("STR", {**START, "partial_data_counter": 3}) == NNCODEC[:4]


def test_what_a_parser_refuses_can_be_written():
    assert with_tensor({"scan_order": 9})
    assert write(("NDU", TENSOR), ("STR", START))
    assert with_tensor({"nnr_compressed_data_unit_payload_type": 31})
    book = {"codebook_size": 2, "codebook_centre_offset": -8}
    assert with_tensor({"codebook_present_flag": 1, "codebook": book})


def test_missing_entries_are_zero():
    unit = parse_stream(with_tensor({"scan_order": 1, "entry_points": [{"value": 3}]})).units[-1]
    assert [point["value"] for point in unit.values["entry_points"]] == [3, 0]


def test_a_missing_element_is_written_as_it_would_be_inferred():
    values = parse_stream(with_tensor({"cabac_unary_length_flag": 1})).units[-1].values
    assert values["cabac_unary_length_minus1"] == 9


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"nnr_unit_size": 1 << 15}, r"nnr_unit_size, u\(15\): 32768"),
        ({"dq_flag": 2}, r"dq_flag, u\(1\): 2"),
        ({"dq_flag": "yes"}, r"dq_flag, u\(1\)"),
        ({"topology_elem_id": "a\0"}, r"topology_elem_id, st\(v\)"),
        ({"topology_elem_id": 7}, r"topology_elem_id, st\(v\)"),
        ({"tensor_dimensions": (-1, 2)}, r"tensor_dimensions\[0\], ue\(7\): -1"),
        ({"tensor_dimensions": (1, 2, 3)}, "tensor_dimensions: 3 entries are given where 2"),
        ({"scan_order": 1, "entry_points": [{}, {"value": 256}]}, r"entry_points\[1\].value"),
        ({"entry_points": [{}]}, None),
        ({"dq": 1}, "dq is not an element of NNR_NDU"),
        ({"codebook_present_flag": 1, "codebook": {"size": 1}}, "codebook.size is not an element"),
        ({"align": 1 << 8}, "align, align: 256"),
    ],
)
def test_values_that_cannot_be_written(values, message):
    if message is None:
        assert with_tensor(values)
        return
    with pytest.raises(ValueError, match=message):
        with_tensor(values)


def test_flags_may_be_booleans():
    assert with_tensor({"dq_flag": True}) == with_tensor({"dq_flag": 1})


def test_a_failed_unit_leaves_the_stream_as_it_was():
    writer = StreamWriter()
    writer.add("STR", START)
    with pytest.raises(ValueError):
        writer.add("MPS", {"mps_qp_density": 1, "mps_quantization_method_flags": 9})
    assert writer.getvalue() == NNCODEC[:4]


def test_bytes_can_follow_any_unit():
    assert one("STR", START, b"x") == b"\x00\x05\x02\x01x"
