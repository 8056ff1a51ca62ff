import pytest

from conformance.nnc.errors import NncLimitError, NncMalformedError, NncUnsupportedError
from conformance.nnc.options import Interpretation, Options
from conformance.nnc.parser import parse_stream
from conformance.nnc.planning import TensorPlan
from conformance.nnc.quantization import Codebook

from .making import (
    BLOCK,
    FLOAT,
    INT,
    RAW_FLOAT,
    block,
    header,
    planned,
    started,
    stream_of,
)

CODEBOOK = {
    "codebook_egk": 0,
    "codebook_size": 3,
    "codebook_centre_offset": 0,
    "codebook_zero_value": 0,
    "codebook_deltas_left": (0,),
    "codebook_deltas_right": (4,),
}
ENTRIES = Codebook((-1, 0, 5), 1)


def plan_of(values, payload=bytes(64), **parameters):
    (plan,) = planned(stream_of(values, payload=payload, **parameters))
    return plan


@pytest.mark.parametrize(
    ("kind", "dtype", "payload_type"),
    [(INT, "int32", "INT"), (FLOAT, "float32", "FLOAT"), (RAW_FLOAT, "float32", "RAW_FLOAT")],
    ids=["int", "float", "raw-float"],
)
def test_a_unit_of_one_tensor(kind, dtype, payload_type):
    plan = plan_of(header(kind, "conv.weight", (4, 4)))
    assert plan.payload_type == payload_type
    assert plan.tensors == (TensorPlan("conv.weight", "tensor", (4, 4), dtype),)
    assert plan.tensors[0].size == 16


def test_integers_are_not_quantized_dependently_whatever_their_flag_says():
    assert not plan_of(header(INT, shape=(3, 3), dq_flag=1)).dependent
    assert plan_of(header(FLOAT, shape=(3, 3), dq_flag=1)).dependent


@pytest.mark.parametrize(
    ("shape", "matrix"),
    [
        ((), (1, 1)),
        ((7,), (7, 1)),
        ((7, 3), (7, 3)),
        ((7, 3, 2, 2), (7, 12)),
        ((0, 3), (0, 3)),
        ((3, 0), (0, 1)),
        ((1, 5), (1, 5)),
    ],
    ids=str,
)
def test_a_tensor_is_coded_as_a_matrix(shape, matrix):
    (tensor,) = plan_of(header(shape=shape)).tensors
    assert tensor.matrix == matrix
    assert matrix[0] * matrix[1] == tensor.size


@pytest.mark.parametrize(
    ("shape", "scan_order"),
    [((9, 9), 2), ((9, 3, 3), 2), ((1, 9), 0), ((9, 1), 0), ((9, 1, 1), 0), ((0, 9), 0)],
    ids=str,
)
def test_blocks_need_a_matrix_of_several_rows_and_columns(shape, scan_order):
    entries = {"entry_points": ({"value": 0, "bit_offset": 0},) * 0}
    (tensor,) = plan_of(header(shape=shape, scan_order=2) | entries).tensors
    assert tensor.scan_order == scan_order


@pytest.mark.parametrize(("written", "length"), [(None, 10), (0, 1), (255, 256)])
def test_the_unary_length_is_10_unless_written(written, length):
    flag = {"cabac_unary_length_flag": int(written is not None)}
    values = {} if written is None else {"cabac_unary_length_minus1": written}
    assert plan_of(header(shape=(2,), **flag, **values)).unary_length == length


def test_a_block_holds_its_tensors_in_another_order_than_it_names_them():
    names = ("w", "scaling", "beta", "gamma", "mean", "var", "bias")
    plan = plan_of(block(names, (6, 2, 2), 2 | 4 | 8))
    assert [(tensor.name, tensor.role, tensor.shape) for tensor in plan.tensors] == [
        ("scaling", "local-scaling", (6,)),
        ("bias", "bias", (6,)),
        ("beta", "bn-beta", (6,)),
        ("gamma", "bn-gamma", (6,)),
        ("mean", "bn-mean", (6,)),
        ("var", "bn-var", (6,)),
        ("w", "weight", (6, 2, 2)),
    ]


def test_a_decomposed_block_holds_two_factors():
    ranks = {"decomposition_rank": 2, "g_number_of_rows": 6}
    plan = plan_of(block(("w_G", "w_H", "bias"), (6, 4), 1 | 8, **ranks))
    assert [(tensor.role, tensor.shape) for tensor in plan.tensors] == [
        ("bias", (6,)),
        ("G", (6, 2)),
        ("H", (2, 4)),
    ]
    assert plan.dimensions == (6, 4)


@pytest.mark.parametrize(
    ("name", "role", "shape"),
    [("w_G", "G", (6, 2)), ("w_H", "H", (2, 4)), ("w", "tensor", (6, 2, 2))],
)
def test_one_factor_alone_is_known_by_its_name(name, role, shape):
    ranks = {
        "compressed_parameter_types": 1,
        "decomposition_rank": 2,
        "g_number_of_rows": 6,
    }
    (tensor,) = plan_of(header(FLOAT, name, (6, 2, 2), **ranks)).tensors
    assert (tensor.role, tensor.shape) == (role, shape)


def test_a_codebook_is_of_the_weight_and_its_values_are_float64():
    present = {"codebook_present_flag": 1, "codebook": CODEBOOK}
    bias, weight = plan_of(block(("w", "b"), (6, 4), 8, **present)).tensors
    assert (bias.codebook, bias.dtype) == (None, "float32")
    assert (weight.codebook, weight.dtype) == (ENTRIES, "float64")


def test_h_of_a_block_has_a_codebook_of_its_own():
    two = {
        "codebook_present_flag": 1,
        "codebook": CODEBOOK,
        "codebook_dc": CODEBOOK | {"codebook_zero_value": 7},
        "decomposition_rank": 2,
        "g_number_of_rows": 6,
    }
    left, right = plan_of(block(("w_G", "w_H"), (6, 4), 1, **two)).tensors
    assert left.codebook == ENTRIES
    assert right.codebook == Codebook((6, 7, 12), 1)


def test_temporal_contexts_and_parents_are_read_from_the_header():
    update = {"parent_node_id_present_flag": 1, "temporal_context_modeling_flag": 1}
    plan = plan_of(header(shape=(4,), **update), mps_parent_signalling_enabled_flag=1)
    assert (plan.temporal, plan.parent, plan.active.parent_signalling) == (True, True, True)


def test_a_layer_parameter_set_holds_for_the_units_after_it():
    writer = started(mps_quantization_parameter=-5)
    writer.add("NDU", header(name="before", shape=(1,)), bytes(4))
    layer = {
        "lps_quantization_method_flags": 1,
        "lps_qp_density": 3,
        "lps_quantization_parameter": 9,
    }
    writer.add("LPS", layer)
    writer.add("NDU", header(name="after", shape=(1,)), bytes(4))
    writer.add("LPS", {"lps_quantization_method_flags": 0})
    writer.add("NDU", header(name="still", shape=(1,)), bytes(4))
    in_force = [
        (plan.active.qp_density, plan.active.quantization_parameter)
        for plan in planned(writer.getvalue())
    ]
    assert in_force == [(2, -5), (3, 9), (3, 9)]


def test_the_dialect_is_the_callers():
    options = Options(interpretation=Interpretation(dialect="nncodec-1.0"))
    (plan,) = planned(stream_of(header(shape=(1,)), profile=0), options)
    assert (plan.active.profile, plan.active.dialect) == (0, "nncodec-1.0")


def test_dimensions_may_come_from_outside():
    outside = header(shape=()) | {"tensor_dimensions_flag": 0, "tensor_dimensions": (3, 2)}
    outside.pop("count_tensor_dimensions")
    (plan,) = planned(stream_of(outside), Options(dimensions={"w": (3, 2)}))
    assert plan.dimensions == (3, 2)


def test_a_dimension_from_outside_that_no_array_can_have_is_refused():
    outside = header(shape=()) | {"tensor_dimensions_flag": 0, "tensor_dimensions": (1,)}
    outside.pop("count_tensor_dimensions")
    with pytest.raises(NncLimitError, match="larger than an array") as caught:
        planned(stream_of(outside), Options(dimensions={"w": (10**4000, 10**4000)}))
    assert caught.value.position.field == "tensor_dimensions"


def test_dimensions_that_nobody_gives_are_missed_by_name():
    outside = header(shape=()) | {"tensor_dimensions_flag": 0}
    outside.pop("count_tensor_dimensions")
    with pytest.raises(NncUnsupportedError, match="dimensions") as caught:
        planned(stream_of(outside))
    assert caught.value.position.unit_name == "NDU"
    assert caught.value.fix


def reference_list(*names):
    writer = started(mps_topology_indexed_reference_flag=1)
    listed = {
        "topology_storage_format": 6,
        "count_topology_elements_minus2": len(names) - 2,
        "topology_elem_ids": names,
    }
    writer.add("TPL", listed)
    return writer


def test_indices_refer_to_the_names_of_the_topology_unit():
    writer = reference_list("a", "b", "c")
    by_index = header(shape=(4,)) | {"topology_elem_id": None, "topology_elem_id_index": 2}
    writer.add("NDU", by_index, bytes(8))
    several = block(("", ""), (4,), 8) | {
        "topology_elem_ids": None,
        "topology_elem_id_indices": (1, 0),
    }
    writer.add("NDU", several, bytes(8))
    plans = planned(writer.getvalue())
    assert [[tensor.name for tensor in plan.tensors] for plan in plans] == [["c"], ["a", "b"]]


def test_an_index_past_the_end_of_the_list_is_malformed():
    writer = reference_list("a", "b")
    by_index = header(shape=(4,)) | {"topology_elem_id": None, "topology_elem_id_index": 2}
    writer.add("NDU", by_index, bytes(8))
    with pytest.raises(NncMalformedError) as caught:
        planned(writer.getvalue())
    assert caught.value.position.field == "topology_elem_id_index"
    assert caught.value.position.bit is not None
    assert (caught.value.expected, caught.value.found) == ("at most 1", "2")


def test_indices_without_a_list_cannot_be_resolved():
    writer = started(mps_topology_indexed_reference_flag=1)
    by_index = header(shape=(4,)) | {"topology_elem_id": None, "topology_elem_id_index": 0}
    writer.add("NDU", by_index, bytes(8))
    with pytest.raises(NncUnsupportedError) as caught:
        planned(writer.getvalue())
    assert caught.value.position.field == "topology_elem_id_index"
    assert "format 6" in caught.value.expected


@pytest.mark.parametrize("unit", ["QNT", "AGG"])
def test_units_with_unknown_effects_are_unsupported(unit):
    writer = started()
    writer.add(unit, {})
    writer.add("NDU", header(shape=(1,)), bytes(4))
    with pytest.raises(NncUnsupportedError, match=unit) as caught:
        planned(writer.getvalue())
    assert caught.value.position.unit_name == unit


def test_a_part_of_a_unit_is_unsupported():
    part = {"partial_data_counter_present_flag": 1, "partial_data_counter": 3}
    with pytest.raises(NncUnsupportedError, match="parts") as caught:
        plan_of(header(shape=(1,)) | part)
    assert caught.value.found == "partial_data_counter 3"


def test_a_split_tensor_is_unsupported():
    split = block(("a", "b"), (4,), 0) | {"nnr_compressed_data_unit_payload_type": FLOAT}
    with pytest.raises(NncUnsupportedError):
        plan_of(split)


def test_a_block_has_to_name_every_tensor():
    with pytest.raises(NncMalformedError) as caught:
        plan_of(block(("w", "b", "surplus"), (4, 2), 8))
    assert caught.value.expected == "2 names: weight, bias"
    assert caught.value.found == "3 names"


def test_a_block_has_a_first_dimension():
    with pytest.raises(NncMalformedError, match="first dimension"):
        plan_of(block(("w", "b"), (), 8))


@pytest.mark.parametrize("rows", [0, 5])
def test_the_rows_of_g_divide_the_weight(rows):
    ranks = {"decomposition_rank": 2, "g_number_of_rows": rows}
    with pytest.raises(NncMalformedError) as caught:
        plan_of(block(("w_G", "w_H"), (6, 4), 1, **ranks))
    assert caught.value.position.field == "g_number_of_rows"
    assert caught.value.found == str(rows)


def test_a_codebook_with_entries_too_large_is_malformed():
    huge = CODEBOOK | {"codebook_zero_value": (1 << 31) - 2}
    with pytest.raises(NncMalformedError, match="codebook") as caught:
        plan_of(header(shape=(4,), codebook_present_flag=1, codebook=huge))
    assert caught.value.position.field == "codebook"
    assert "32-bit" in caught.value.found


def test_floats_need_quantization_parameters_and_integers_do_not():
    assert plan_of(header(INT, shape=(4,)), mps_quantization_method_flags=0)
    with pytest.raises(NncMalformedError, match="quantization parameters"):
        plan_of(header(FLOAT, shape=(4,)), mps_quantization_method_flags=0)


def test_more_dimensions_than_an_array_can_have_are_refused():
    assert plan_of(header(shape=(1,) * 64))
    with pytest.raises(NncLimitError) as caught:
        plan_of(header(shape=(1,) * 65))
    assert caught.value.found == "65"


def test_streams_without_tensors_have_no_plans():
    assert planned(started().getvalue()) == []
    assert parse_stream(started().getvalue()).profile == 1
    assert BLOCK == 3
