"""NNR_NDU, the compressed data unit: one tensor, or the tensors of one block."""

from __future__ import annotations

from conformance.nnc.syntax.codebook import codebook
from conformance.nnc.syntax.common import FLAG, align
from conformance.nnc.syntax.entry_points import ENTRY_POINTS
from conformance.nnc.syntax.items import (
    UnitSyntax,
    constraint,
    derived,
    field,
    malformed,
    unsupported,
)
from conformance.nnc.syntax.node_ids import NODE_IDS
from conformance.nnc.syntax.topology import count_of_elements, element_names

_INPUT = "input_parameters_present_flag == 1"
_MANY = "nnr_multiple_topology_elements_present_flag == 1"
_ONE = "nnr_multiple_topology_elements_present_flag == 0"
_BY_INDEX = "mps_topology_indexed_reference_flag == 1"
_BY_NAME = "mps_topology_indexed_reference_flag == 0"
_BLOCK = "nnr_compressed_data_unit_payload_type == 3"
_DECOMPOSED = "compressed_parameter_types & 1 == 1"
_MATRIX = "count_tensor_dimensions > 1"

_KIND = (
    field(
        "nnr_compressed_data_unit_payload_type",
        "u(5)",
        "What the payload holds, and how it is coded.",
        values={
            0: "NNR_PT_INT, integers",
            1: "NNR_PT_FLOAT, quantized numbers",
            2: "NNR_PT_RAW_FLOAT, numbers of 32 bits as they are",
            3: "NNR_PT_BLOCK, several quantized tensors",
        },
    ),
    unsupported(
        "nnr_compressed_data_unit_payload_type",
        "nnr_compressed_data_unit_payload_type > 3",
        "The type of the payload is not known",
        expected="0 (INT), 1 (FLOAT), 2 (RAW_FLOAT) or 3 (BLOCK)",
        fix="write one of the known types",
    ),
    field(
        "nnr_multiple_topology_elements_present_flag",
        "u(1)",
        "Whether the unit is of several tensors.",
        values=FLAG,
        constraints=(
            constraint(
                "NNC-NDU-001",
                "A BLOCK names several tensors",
                f"value == 1 or not {_BLOCK}",
                "list the ids of all tensors of the block",
            ),
        ),
    ),
    field(
        "nnr_decompressed_data_format_present_flag",
        "u(1)",
        "Whether nnr_decompressed_data_format follows.",
        values=FLAG,
    ),
    field(
        "input_parameters_present_flag",
        "u(1)",
        "Whether dimensions and other parameters of the tensors follow.",
        values=FLAG,
    ),
)

_NAMES = (
    count_of_elements(_MANY),
    *element_names(f"{_MANY} and {_BY_NAME}", "NNC-NDU-002"),
    field(
        "topology_elem_id_indices",
        "ue(7)",
        "The index of a name in the list of the topology unit.",
        when=f"{_MANY} and {_BY_INDEX}",
        count="count_topology_elements_minus2 + 2",
    ),
    field(
        "topology_elem_id_indices_align",
        "align",
        "Up to the byte boundary after the last index.",
        when=f"{_MANY} and {_BY_INDEX}",
        constraints=align("NNC-NDU-003"),
    ),
    field("topology_elem_id", "st(v)", "The name of the tensor.", when=f"{_ONE} and {_BY_NAME}"),
    field(
        "topology_elem_id_index",
        "ue(7)",
        "The index of the name in the list of the topology unit.",
        when=f"{_ONE} and {_BY_INDEX}",
    ),
    derived(
        "tensor_name",
        f"(topology_elem_id if {_BY_NAME} else item(reference_list, topology_elem_id_index)) "
        f"if {_ONE} else (item(topology_elem_ids, 0) if {_BY_NAME} "
        "else item(reference_list, item(topology_elem_id_indices, 0)))",
        "The name of the tensor, of a block that of its weight; None where it is not known.",
    ),
)

_QUANTIZATION = (
    field(
        "codebook_present_flag",
        "u(1)",
        "Whether the levels select entries of a codebook.",
        when="nnr_compressed_data_unit_payload_type == 1 "
        "or nnr_compressed_data_unit_payload_type == 3",
        inferred="0",
        values=FLAG,
    ),
    codebook("codebook", "The codebook of the weight, or of G.", "codebook_present_flag == 1"),
    field(
        "dq_flag",
        "u(1)",
        "Whether the quantization is dependent: 8 states, two quantizers.",
        when="nnr_compressed_data_unit_payload_type != 2",
        inferred="0",
        values=FLAG,
    ),
    field(
        "nnr_decompressed_data_format",
        "u(7)",
        "The type the tensor should have; has no effect on decoding.",
        when="nnr_decompressed_data_format_present_flag == 1",
        values={
            0: "int32",
            1: "float32",
            2: "int2",
            3: "int3",
            4: "int4",
            5: "int8",
            6: "int16",
            7: "int64",
            8: "float16",
            9: "float64",
        },
    ),
)

_INPUT_PARAMETERS = (
    field(
        "tensor_dimensions_flag",
        "u(1)",
        "Whether the dimensions are in the stream.",
        when=_INPUT,
        inferred="0",
        values=FLAG,
    ),
    field(
        "cabac_unary_length_flag",
        "u(1)",
        "Whether cabac_unary_length_minus1 follows.",
        when=_INPUT,
        inferred="0",
        values=FLAG,
    ),
    field(
        "compressed_parameter_types",
        "u(4)",
        "The sum of 1 decomposition, 2 local scaling, 4 batch norm and 8 bias.",
        when=_INPUT,
        inferred="0",
    ),
    field(
        "decomposition_rank",
        "ue(3)",
        "The columns of G and the rows of H.",
        when=f"{_INPUT} and {_DECOMPOSED}",
    ),
    field(
        "g_number_of_rows",
        "ue(3)",
        "The rows of G.",
        when=f"{_INPUT} and {_DECOMPOSED}",
    ),
    derived(
        "outside_dimensions",
        "dimensions_of(out_of_band, tensor_name) if tensor_dimensions_flag == 0 else ()",
        "Dimensions that are not in the stream and that the caller gave.",
    ),
    unsupported(
        "tensor_dimensions_flag",
        "outside_dimensions is None",
        "The dimensions of {tensor_name!r} are not in the stream",
        expected="the dimensions, from the stream or from the caller",
        fix="give the dimensions by the name of the tensor to the decoder, or write them",
    ),
    field(
        "count_tensor_dimensions",
        "ue(1)",
        "The number of dimensions.",
        when="tensor_dimensions_flag == 1",
        inferred="len(outside_dimensions)",
    ),
    field(
        "tensor_dimensions",
        "ue(7)",
        "The dimensions of the tensor, of a block those of its weight before decomposition.",
        when="tensor_dimensions_flag == 1",
        count="count_tensor_dimensions",
        inferred="outside_dimensions",
    ),
    unsupported(
        "nnr_multiple_topology_elements_present_flag",
        f"{_INPUT} and {_MANY} and not {_BLOCK}",
        "A tensor is split over several topology elements",
        expected="one tensor, or the payload type BLOCK",
        fix="write a unit for each tensor",
    ),
    field(
        "cabac_unary_length_minus1",
        "u(8)",
        "The number of unary flags of a level before its Exp-Golomb part, less 1.",
        when="cabac_unary_length_flag == 1",
        inferred="out_of_band_unary_length - 1",
    ),
)

_SCAN = (
    field(
        "first_tensor_dimension_shift",
        "ue(1)",
        "Which dimension comes first; has no effect on decoding.",
        when=f"general_profile_idc == 1 and {_MATRIX}",
        inferred="0",
        constraints=(
            constraint(
                "NNC-NDU-004",
                "first_tensor_dimension_shift is less than the number of dimensions",
                "value < count_tensor_dimensions",
                "write first_tensor_dimension_shift as 0",
            ),
        ),
    ),
    field(
        "scan_order",
        "u(4)",
        "The order of the levels.",
        when=_MATRIX,
        inferred="0",
        values={
            0: "row by row",
            1: "blocks of 8 x 8",
            2: "blocks of 16 x 16",
            3: "blocks of 32 x 32",
            4: "blocks of 64 x 64",
        },
    ),
    malformed(
        "scan_order",
        "scan_order > 4",
        "The scan order is not one of the format",
        expected="0 to 4",
        fix="write scan_order 0 (row by row) to 4 (blocks of 64 x 64)",
    ),
)

COMPRESSED_DATA_UNIT = UnitSyntax(
    unit_type=5,
    name="NDU",
    title="NNR_NDU, compressed data unit",
    meaning="One tensor, or a weight with its scaling, bias and batch norm (BLOCK).",
    header=(
        *_KIND,
        *_NAMES,
        *NODE_IDS,
        *_QUANTIZATION,
        *_INPUT_PARAMETERS,
        codebook(
            "codebook_dc",
            "The codebook of H.",
            f"{_BLOCK} and {_DECOMPOSED} and codebook_present_flag == 1",
        ),
        *_SCAN,
        *ENTRY_POINTS,
        field(
            "align",
            "align",
            "Up to the byte at which the payload begins.",
            constraints=align("NNC-NDU-005"),
        ),
    ),
    payload=(),
    has_coded_payload=True,
)
