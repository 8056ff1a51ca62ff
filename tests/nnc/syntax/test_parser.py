"""Reading streams: places, values, inference, and what each kind of unit holds."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from conformance.nnc.options import Interpretation, Options
from conformance.nnc.parser import UnitReader, parse_stream, parse_units
from conformance.nnc.stream import Stream, Unit
from tests.nnc.syntax.streams import MODEL, NNCODEC, START, TENSOR, with_tensor, write

DEFAULTS = Options()


def last(data: bytes, options: Options = DEFAULTS) -> Unit:
    return parse_stream(data, options).units[-1]


def element(unit: Unit, name: str):
    return next(each for each in unit.elements if each.name == name)


# --- a stream that NNCodec wrote


def test_units_have_their_places():
    stream = parse_stream(NNCODEC)
    places = [(unit.name, unit.byte, unit.size) for unit in stream.units]
    assert places == [("STR", 0, 4), ("MPS", 4, 8), ("TPL", 12, 6), ("NDU", 18, 23)]
    assert [unit.index for unit in stream.units] == [0, 1, 2, 3]
    assert stream.profile == 1
    assert bytes(stream.data) == NNCODEC


def test_the_payload_is_what_follows_the_header():
    unit = last(NNCODEC)
    end = unit.payload_byte + unit.payload_size
    assert NNCODEC[unit.payload_byte : end] == bytes.fromhex("ec1280")
    assert [each.payload_size for each in parse_stream(NNCODEC).units] == [0, 0, 0, 3]


def test_values_of_the_parameter_set():
    values = parse_stream(NNCODEC).units[1].values
    assert values["topology_carriage_flag"] == 1
    assert values["mps_quantization_method_flags"] == 1
    assert values["mps_qp_density"] == 2
    assert values["mps_quantization_parameter"] == 0
    assert values["mps_parent_signalling_enabled_flag"] == 0
    assert values["align"] == 0x80


def test_values_of_the_data_unit():
    values = last(NNCODEC).values
    assert values["topology_elem_id"] == "const"
    assert values["tensor_dimensions"] == (5, 6)
    assert values["cabac_unary_length_minus1"] == 10
    assert values["codebook"] == {
        "codebook_egk": 0,
        "codebook_size": 1,
        "codebook_centre_offset": 0,
        "codebook_zero_value": 8,
        "codebook_deltas_left": (),
        "codebook_deltas_right": (),
    }


def test_what_is_absent_is_inferred_or_none():
    values = last(NNCODEC).values
    assert values["parent_node_id_present_flag"] == 0
    assert values["temporal_context_modeling_flag"] == 0
    assert values["entry_points"] == ()
    assert values["topology_elem_ids"] is None
    assert values["codebook_dc"] is None
    assert values["nnr_decompressed_data_format"] is None


def test_elements_say_code_and_bits():
    unit = last(NNCODEC)
    rank = element(unit, "tensor_dimensions[1]")
    assert (rank.code, rank.bit, rank.length, rank.value) == ("ue(7)", 8 * 34 + 4, 8, 6)
    size = element(unit, "nnr_unit_size")
    assert (size.code, size.bit, size.length, size.value) == ("u(15)", 8 * 18 + 1, 15, 23)
    assert element(unit, "codebook.codebook_zero_value").code == "ie(7)"


def test_elements_cover_every_header_bit_once():
    for unit in parse_stream(NNCODEC).units:
        bit = 8 * unit.byte
        for each in unit.elements:
            assert each.bit == bit
            bit += each.length
        assert bit == 8 * unit.payload_byte


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_can_be_read(kind):
    assert parse_stream(kind(NNCODEC)).units == parse_stream(NNCODEC).units


def test_units_are_read_one_by_one():
    units = parse_units(NNCODEC[:12] + b"\xff")
    assert next(units).name == "STR"
    assert next(units).name == "MPS"


def test_a_file_cut_between_units_is_a_stream():
    assert [unit.name for unit in parse_stream(NNCODEC[:12]).units] == ["STR", "MPS"]


def test_the_reader_ends_with_none():
    reader = UnitReader(NNCODEC)
    assert [reader.read() is not None for _ in range(5)] == [True] * 4 + [False]


def test_parsing_imports_no_compiler():
    code = (
        "import sys; from conformance.nnc.parser import parse_stream; "
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- sizes and the common header


def test_units_of_32768_bytes_have_a_long_size():
    data = write(("STR", START), ("MPS", MODEL), ("NDU", TENSOR), payload=bytes(40_000))
    unit = last(data)
    assert unit.values["nnr_unit_size_flag"] == 1
    assert element(unit, "nnr_unit_size").code == "u(31)"
    assert unit.size == len(data) - unit.byte
    assert unit.payload_size == 40_000


def test_a_partial_data_counter_is_read():
    unit = last(with_tensor({"partial_data_counter_present_flag": 1, "partial_data_counter": 7}))
    assert unit.values["partial_data_counter"] == 7


# --- parameter sets


def test_the_first_edition_has_7_reserved_bits_in_place_of_flags():
    stream = parse_stream(with_tensor({}, profile=0))
    names = [each.name for each in stream.units[1].elements]
    assert "mps_reserved_zero_7bits" in names
    assert "base_model_id_present_flag" not in names
    assert stream.units[1].values["base_model_id_present_flag"] == 0
    assert stream.units[2].values["node_id_present_flag"] == 0
    assert "first_tensor_dimension_shift" not in [each.name for each in stream.units[2].elements]


def test_without_quantization_there_are_no_parameters():
    values = parse_stream(with_tensor({}, model={})).units[1].values
    assert values["mps_qp_density"] is None
    assert values["mps_quantization_parameter"] is None


def test_claims_of_the_parameter_set():
    model = {
        **MODEL,
        "base_model_id_present_flag": 1,
        "base_model_id": "resnet/1",
        "validation_set_performance_present_flag": 1,
        "performance_metric_type": "top-1",
        "validation_set_performance": 0.75,
    }
    values = parse_stream(with_tensor({}, model)).units[1].values
    assert values["base_model_id"] == "resnet/1"
    assert values["performance_metric_type"] == "top-1"
    assert values["validation_set_performance"] == 0.75


def test_the_reserved_bit_is_the_pre_flag_with_parent_signalling():
    model = {**MODEL, "mps_parent_signalling_enabled_flag": 1, "nnr_pre_flag": 1}
    values = parse_stream(with_tensor({}, model)).units[1].values
    assert values["nnr_pre_flag"] == 1
    assert values["mps_reserved_zero_bit"] is None


SPARSIFICATION = {
    "sparsification_threshold": 0.5,
    "non_zero_ratio": 0.25,
    "spm_nn_accuracy": 0.75,
    "spm_count_classes": 2,
    "spm_class_bitmask": 3,
    "spm_nn_class_accuracy": (0.5, 1.0),
}


@pytest.mark.parametrize(("entries", "count"), [("count-minus-1", 3), ("count", 2)])
def test_the_count_of_a_map_is_a_matter_of_interpretation(entries, count):
    model = {
        **MODEL,
        "mps_sparsification_flag": 1,
        "spm_count_thresholds": count,
        "sparsification_performance_map": (SPARSIFICATION, SPARSIFICATION),
    }
    interpretation = Interpretation(map_entries=entries)
    data = write(("STR", START), ("MPS", model), interpretation=interpretation)
    stream = parse_stream(data, Options(interpretation=interpretation))
    assert stream.interpretation == interpretation
    assert stream.units[1].values["sparsification_performance_map"] == (SPARSIFICATION,) * 2
    name = "sparsification_performance_map[1].spm_nn_class_accuracy[0]"
    assert element(stream.units[1], name).value == 0.5


def test_a_map_with_count_0_has_no_entries():
    model = {**MODEL, "mps_pruning_flag": 1}
    values = parse_stream(with_tensor({}, model)).units[1].values
    assert values["pruning_performance_map"] == ()


def test_unification_maps_leave_out_the_last_dimension():
    entry = {
        "count_reshaped_tensor_dimensions": 3,
        "reshaped_tensor_dimensions": (16, 9),
        "count_super_block_dimensions": 2,
        "super_block_dimensions": (8,),
        "count_block_dimensions": 1,
        "unification_threshold": 0.5,
    }
    model = {
        **MODEL,
        "mps_unification_flag": 1,
        "upm_count_thresholds": 2,
        "unification_performance_map": (entry,),
    }
    (found,) = parse_stream(with_tensor({}, model)).units[1].values["unification_performance_map"]
    assert {name: found[name] for name in entry} == entry
    assert found["block_dimensions"] == ()


def test_decomposition_maps():
    entry = {
        "mse_threshold": 0.5,
        "dpm_nn_accuracy": 0.25,
        "nn_reduction_ratio": 0.125,
        "dpm_count_classes": 1,
        "dpm_nn_class_accuracy": (1.0,),
    }
    model = {
        **MODEL,
        "mps_decomposition_performance_map_flag": 1,
        "dpm_count_thresholds": 2,
        "decomposition_performance_map": (entry,),
    }
    values = parse_stream(with_tensor({}, model)).units[1].values
    assert values["decomposition_performance_map"] == (entry,)


def test_layer_parameter_sets():
    layer = {
        "lps_self_contained_flag": 1,
        "lps_quantization_method_flags": 1,
        "lps_qp_density": 3,
        "lps_quantization_parameter": -40,
    }
    data = write(("STR", START), ("MPS", MODEL), ("LPS", layer))
    values = last(data).values
    assert {name: values[name] for name in layer} == layer


# --- topology, quantization, aggregate


def topology(values) -> Unit:
    return last(write(("STR", START), ("TPL", values)))


def test_a_topology_is_text():
    unit = topology({"topology_storage_format": 3, "topology_data": "graph"})
    assert unit.values["topology_data"] == "graph"
    assert unit.values["topology_data_bytes"] is None


@pytest.mark.parametrize(
    ("storage", "compression"), [(5, 0), (0, 1), (9, 0), (6, 1)], ids=["prun", "zip", "new", "list"]
)
def test_a_topology_of_unknown_syntax_is_kept_as_bytes(storage, compression):
    unit = topology(
        {
            "topology_storage_format": storage,
            "topology_compression_format": compression,
            "topology_data_bytes": "00ff00",
        }
    )
    assert unit.values["topology_data_bytes"] == "00ff00"
    assert unit.payload_size == 0


def test_a_topology_can_list_names():
    unit = topology(
        {
            "topology_storage_format": 6,
            "count_topology_elements_minus2": 1,
            "topology_elem_ids": ("a", "b", "c"),
        }
    )
    assert unit.values["topology_elem_ids"] == ("a", "b", "c")


def test_quantization_and_aggregate_units_are_kept():
    data = write(
        ("STR", START),
        ("QNT", {"quantization_data": "q"}),
        ("QNT", {"quantization_compression_format": 1, "quantization_data_bytes": "00ff"}),
        ("AGG", {"aggregate_unit_bytes": "0102"}),
    )
    _, text, zipped, aggregate = parse_stream(data).units
    assert text.values["quantization_data"] == "q"
    assert zipped.values["quantization_data_bytes"] == "00ff"
    assert aggregate.values["aggregate_unit_bytes"] == "0102"


# --- data units: names and nodes


def test_a_block_lists_its_names():
    names = ("w", "s", "b")
    unit = last(
        with_tensor(
            {
                "nnr_compressed_data_unit_payload_type": 3,
                "nnr_multiple_topology_elements_present_flag": 1,
                "count_topology_elements_minus2": 1,
                "topology_elem_ids": names,
                "compressed_parameter_types": 2 + 8,
            }
        )
    )
    assert unit.values["topology_elem_ids"] == names
    assert unit.values["topology_elem_id"] is None
    assert element(unit, "topology_elem_ids[2]").value == "b"


def test_names_can_be_indices():
    model = {**MODEL, "mps_topology_indexed_reference_flag": 1}
    one = last(with_tensor({"topology_elem_id_index": 300}, model))
    assert one.values["topology_elem_id_index"] == 300
    assert one.values["topology_elem_id"] is None
    many = last(
        with_tensor(
            {
                "nnr_compressed_data_unit_payload_type": 3,
                "nnr_multiple_topology_elements_present_flag": 1,
                "topology_elem_id_indices": (4, 2),
            },
            model,
        )
    )
    assert many.values["topology_elem_id_indices"] == (4, 2)
    assert many.values["tensor_dimensions"] == (20, 3)


PARENT = {"mps_parent_signalling_enabled_flag": 1, **MODEL}


def test_a_parent_by_id_uses_the_own_ids():
    values = {
        "node_id_present_flag": 1,
        "device_id": 2,
        "parameter_id": 33,
        "put_node_depth": 4,
        "parent_node_id_present_flag": 1,
        "temporal_context_modeling_flag": 1,
        "parent_device_id": 5,
    }
    unit = last(with_tensor(values, PARENT))
    assert {name: unit.values[name] for name in values} == values
    assert unit.values["parent_parameter_id"] is None


def test_a_parent_by_id_without_own_ids_says_all():
    values = {
        "parent_node_id_present_flag": 1,
        "parent_device_id": 1,
        "parent_parameter_id": 6,
        "parent_put_node_depth": 7,
    }
    unit = last(with_tensor(values, PARENT))
    assert {name: unit.values[name] for name in values} == values


@pytest.mark.parametrize(("kind", "bits"), [(1, 256), (2, 512)])
def test_a_parent_by_hash(kind, bits):
    name = f"parent_node_payload_sha{bits}"
    digest = "0a" * (bits // 8)
    unit = last(
        with_tensor(
            {"parent_node_id_present_flag": 1, "parent_node_id_type": kind, name: digest}, PARENT
        )
    )
    assert unit.values[name] == digest
    assert element(unit, name).length == bits


# --- data units: dimensions, codebooks, scan, entry points


def test_unary_length_and_format():
    values = {
        "cabac_unary_length_flag": 1,
        "cabac_unary_length_minus1": 255,
        "nnr_decompressed_data_format_present_flag": 1,
        "nnr_decompressed_data_format": 8,
    }
    unit = last(with_tensor(values))
    assert {name: unit.values[name] for name in values} == values


def test_the_unary_length_is_10_where_it_is_not_said():
    assert last(with_tensor({})).values["cabac_unary_length_minus1"] == 9


@pytest.mark.parametrize("flag", [0, 1], ids=["no-parameters", "no-dimensions"])
def test_dimensions_can_come_from_the_caller(flag):
    data = with_tensor({"input_parameters_present_flag": flag, "tensor_dimensions_flag": 0})
    unit = last(data, Options(dimensions={"w": [20, 3]}))
    assert unit.values["tensor_dimensions"] == (20, 3)
    assert unit.values["count_tensor_dimensions"] == 2
    assert unit.values["tensor_dimensions_flag"] == 0
    assert unit.payload_size == 1


def test_dimensions_of_a_block_are_known_by_its_weight():
    data = with_tensor(
        {
            "nnr_compressed_data_unit_payload_type": 3,
            "nnr_multiple_topology_elements_present_flag": 1,
            "topology_elem_ids": ("w_G", "w_H"),
            "compressed_parameter_types": 1,
            "tensor_dimensions_flag": 0,
            "tensor_dimensions": (4,),
        }
    )
    assert last(data, Options(dimensions={"w": (4,)})).values["tensor_dimensions"] == (4,)


def test_codebooks_have_a_zero_entry_and_steps_to_both_sides():
    book = {
        "codebook_egk": 3,
        "codebook_size": 5,
        "codebook_centre_offset": -1,
        "codebook_zero_value": -70,
        "codebook_deltas_left": (9,),
        "codebook_deltas_right": (0, 1, 2),
    }
    unit = last(with_tensor({"codebook_present_flag": 1, "codebook": book}))
    assert unit.values["codebook"] == book
    assert element(unit, "codebook.codebook_deltas_right[2]").code == "ue(3)"


def test_a_decomposed_block_can_have_a_second_codebook():
    book = {"codebook_size": 1, "codebook_zero_value": 3}
    unit = last(
        with_tensor(
            {
                "nnr_compressed_data_unit_payload_type": 3,
                "nnr_multiple_topology_elements_present_flag": 1,
                "topology_elem_ids": ("w_G", "w_H"),
                "codebook_present_flag": 1,
                "codebook": book,
                "compressed_parameter_types": 1,
                "decomposition_rank": 2,
                "g_number_of_rows": 20,
                "codebook_dc": {**book, "codebook_zero_value": 4},
            }
        )
    )
    assert unit.values["codebook_dc"]["codebook_zero_value"] == 4
    assert unit.values["decomposition_rank"] == 2


def test_integers_and_raw_numbers_have_no_codebook_flag():
    for payload_type, dq_flag in ((0, True), (2, False)):
        unit = last(with_tensor({"nnr_compressed_data_unit_payload_type": payload_type}))
        names = [each.name for each in unit.elements]
        assert "codebook_present_flag" not in names
        assert ("dq_flag" in names) == dq_flag


def test_a_vector_has_no_scan_order():
    values = {"count_tensor_dimensions": 1, "tensor_dimensions": (20,)}
    unit = last(with_tensor(values))
    assert unit.values["scan_order"] == 0
    assert "scan_order" not in [each.name for each in unit.elements]


def test_entry_points_add_up_their_offsets():
    points = ({"value": 7, "bit_offset": 3000}, {"value": 255, "bit_offset_delta": -40})
    unit = last(with_tensor({"scan_order": 1, "entry_points": points}))
    first, second = unit.values["entry_points"]
    assert first == {"value": 7, "dq_state": 0, "bit_offset_delta": None, "bit_offset": 3000}
    assert second == {"value": 255, "dq_state": 0, "bit_offset_delta": -40, "bit_offset": 2960}
    assert "entry_points[0].dq_state" not in [each.name for each in unit.elements]


def test_entry_points_of_dependent_quantization_have_a_state():
    points = ({"dq_state": 5}, {"dq_state": 7})
    unit = last(with_tensor({"scan_order": 1, "dq_flag": 1, "entry_points": points}))
    assert [point["dq_state"] for point in unit.values["entry_points"]] == [5, 7]


FACTORS = {"compressed_parameter_types": 1, "decomposition_rank": 9, "g_number_of_rows": 33}
BLOCK = {
    "nnr_compressed_data_unit_payload_type": 3,
    "nnr_multiple_topology_elements_present_flag": 1,
    "topology_elem_ids": ("w_G", "w_H"),
}


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"scan_order": 1}, 2),
        ({"scan_order": 2}, 1),
        ({"scan_order": 4}, 0),
        ({"scan_order": 1, "tensor_dimensions": (16, 1)}, 1),
        ({"scan_order": 1, "tensor_dimensions": (0, 9)}, 0),
        ({"scan_order": 1, **FACTORS, "topology_elem_id": "w_G"}, 4),
        ({"scan_order": 1, **FACTORS, "topology_elem_id": "w_H"}, 1),
        ({"scan_order": 1, **FACTORS, "topology_elem_id": "bias"}, 2),
        ({"scan_order": 1, **FACTORS, "nnr_compressed_data_unit_payload_type": 0}, 2),
        ({"scan_order": 1, **FACTORS, **BLOCK}, 5),
    ],
    ids=["8", "16", "one-row", "column", "empty", "G", "H", "bias", "integers", "block"],
)
def test_the_number_of_entry_points(values, count):
    unit = last(with_tensor(values))
    assert len(unit.values["entry_points"]) == count
    assert unit.payload_size == 1


def test_an_indexed_factor_is_known_by_the_list_of_names():
    names = {"topology_storage_format": 6, "topology_elem_ids": ("w_H", "w_G")}
    model = {**MODEL, "mps_topology_indexed_reference_flag": 1}
    tensor = {**TENSOR, **FACTORS, "scan_order": 1, "topology_elem_id_index": 1}
    del tensor["topology_elem_id"]
    data = write(("STR", START), ("MPS", model), ("TPL", names), ("NDU", tensor))
    assert len(last(data).values["entry_points"]) == 4


def test_streams_are_values():
    stream = parse_stream(NNCODEC)
    assert isinstance(stream, Stream)
    assert replace(stream) == stream
    with pytest.raises(AttributeError):
        stream.units[0].size = 3
