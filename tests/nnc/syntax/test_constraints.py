"""Rules that parsing does not need: found where they are broken, and only there."""

from __future__ import annotations

import pytest

from conformance.nnc.options import Interpretation
from conformance.nnc.parser import parse_stream
from conformance.nnc.syntax.constraints import broken_constraints
from tests.nnc.syntax.streams import MODEL, NNCODEC, START, TENSOR, with_tensor, write


def broken(data: bytes) -> list[tuple[str, str]]:
    stream = parse_stream(data)
    found = broken_constraints(stream.units, stream.interpretation)
    return [(each.constraint.rule, each.element.name) for each in found]


def test_a_good_stream_breaks_nothing():
    assert broken(NNCODEC) == []
    assert broken(with_tensor({"scan_order": 1})) == []


BLOCK = {"nnr_compressed_data_unit_payload_type": 3}
MAP = {
    "mps_sparsification_flag": 1,
    "spm_count_thresholds": 2,
    "sparsification_performance_map": ({"spm_count_classes": 1, "spm_class_bitmask": 3},),
}


@pytest.mark.parametrize(
    ("data", "rule", "element"),
    [
        (with_tensor({}, profile=3), "NNC-STR-001", "general_profile_idc"),
        (
            with_tensor({}, {"mps_quantization_method_flags": 5}),
            "NNC-MPS-001",
            "mps_quantization_method_flags",
        ),
        (with_tensor({}, {"mps_reserved_zero_bit": 1}), "NNC-MPS-002", "mps_reserved_zero_bit"),
        (with_tensor({}, {"mps_reserved_zero_2bits": 2}), "NNC-MPS-003", "mps_reserved_zero_2bits"),
        (
            with_tensor({}, {"mps_reserved_zero_7bits": 1}, profile=0),
            "NNC-MPS-004",
            "mps_reserved_zero_7bits",
        ),
        (with_tensor({}, {"align": 0x81}), "NNC-MPS-005", "align"),
        (
            with_tensor({}, MAP),
            "NNC-MPS-SPM",
            "sparsification_performance_map[0].spm_class_bitmask",
        ),
        (with_tensor(BLOCK), "NNC-NDU-001", "nnr_multiple_topology_elements_present_flag"),
        (
            with_tensor({"first_tensor_dimension_shift": 2}),
            "NNC-NDU-004",
            "first_tensor_dimension_shift",
        ),
        (with_tensor({"align": 0}), "NNC-NDU-005", "align"),
        (with_tensor({"nnr_unit_size_flag": 1}), "NNC-UNIT-001", "nnr_unit_size"),
        (
            write(("STR", START), ("TPL", {"topology_storage_format": 7})),
            "NNC-TPL-001",
            "topology_storage_format",
        ),
        (
            write(("STR", START), ("TPL", {"topology_compression_format": 2})),
            "NNC-TPL-002",
            "topology_compression_format",
        ),
        (
            write(("STR", START), ("LPS", {"lps_header_reserved_zero_7bits": 1})),
            "NNC-LPS-002",
            "lps_header_reserved_zero_7bits",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("NNC-") else "",
)
def test_a_broken_rule_is_found_at_its_element(data, rule, element):
    assert broken(data) == [(rule, element)]


def test_a_long_size_is_right_for_a_long_unit():
    data = write(("STR", START), ("MPS", MODEL), ("NDU", TENSOR), payload=bytes(32_768))
    assert broken(data) == []


def test_the_context_of_earlier_units_counts():
    model = {**MODEL, "mps_topology_indexed_reference_flag": 1}
    values = {"topology_elem_id_index": 3, "align": 0}
    assert broken(with_tensor(values, model)) == [("NNC-NDU-005", "align")]


def test_what_breaks_a_rule_says_where():
    stream = parse_stream(with_tensor({"align": 0}))
    (found,) = broken_constraints(stream.units, Interpretation())
    assert found.unit is stream.units[2]
    assert found.element is stream.units[2].elements[-1]
    assert "zeros" in found.constraint.text
