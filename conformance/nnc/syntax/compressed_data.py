"""NNR_NDU, the compressed data unit: one tensor, or the tensors of one block.

In the order of the header: what the unit is of and its names, its node in a parameter update tree
(second edition), quantization with the codebooks, dimensions, scan order and entry points.
"""

from __future__ import annotations

from conformance.nnc.syntax.common import FLAG, align
from conformance.nnc.syntax.items import (
    Field,
    Group,
    Item,
    UnitSyntax,
    constraint,
    derived,
    field,
    group,
    malformed,
    unsupported,
)
from conformance.nnc.syntax.topology import count_of_elements, element_names

_INPUT = "input_parameters_present_flag == 1"
_MANY = "nnr_multiple_topology_elements_present_flag == 1"
_ONE = "nnr_multiple_topology_elements_present_flag == 0"
_BY_INDEX = "mps_topology_indexed_reference_flag == 1"
_BY_NAME = "mps_topology_indexed_reference_flag == 0"
_BLOCK = "nnr_compressed_data_unit_payload_type == 3"
_DECOMPOSED = "compressed_parameter_types & 1 == 1"
_MATRIX = "count_tensor_dimensions > 1"
_NODE_ID = "node_id_present_flag == 1"
_PARENT = "parent_node_id_present_flag == 1"
_BY_ID = f"{_PARENT} and parent_node_id_type == 0"
_WITHOUT_OWN_ID = f"{_BY_ID} and node_id_present_flag == 0"
_IN_BLOCKS = "count_tensor_dimensions > 1 and scan_order > 0"
_FACTOR = f"{_IN_BLOCKS} and nnr_compressed_data_unit_payload_type == 1 and {_DECOMPOSED}"

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


def _id(name: str, code: str, meaning: str, when: str) -> Field:
    return field(name, code, meaning, when=when)


_OWN_ID = (
    field(
        "node_id_present_flag",
        "u(1)",
        "Whether the unit has an id in a parameter update tree.",
        when="general_profile_idc == 1",
        inferred="0",
        values=FLAG,
    ),
    _id("device_id", "ue(1)", "The device that the update comes from.", _NODE_ID),
    _id("parameter_id", "ue(5)", "The tensor that is updated.", _NODE_ID),
    _id("put_node_depth", "ue(4)", "How many updates this one builds upon.", _NODE_ID),
)

_PARENT_ID = (
    field(
        "parent_node_id_present_flag",
        "u(1)",
        "Whether the unit is a difference to a parent node.",
        when="general_profile_idc == 1 and mps_parent_signalling_enabled_flag == 1",
        inferred="0",
        values=FLAG,
    ),
    field(
        "parent_node_id_type",
        "u(2)",
        "How the parent is named.",
        when=_PARENT,
        values={0: "ICNN_NDU_ID", 1: "ICNN_NDU_PL_SHA256", 2: "ICNN_NDU_PL_SHA512"},
    ),
    malformed(
        "parent_node_id_type",
        f"{_PARENT} and parent_node_id_type > 2",
        "The parent node is named in a way that the format does not know",
        expected="0 (device id), 1 (SHA-256) or 2 (SHA-512)",
        fix="name the parent by an id or a hash",
    ),
    field(
        "temporal_context_modeling_flag",
        "u(1)",
        "Whether contexts depend on the levels of the parent.",
        when=_PARENT,
        inferred="0",
        values=FLAG,
    ),
    _id("parent_device_id", "ue(1)", "The device_id of the parent.", _BY_ID),
    _id("parent_parameter_id", "ue(5)", "The parameter_id of the parent.", _WITHOUT_OWN_ID),
    _id("parent_put_node_depth", "ue(4)", "The put_node_depth of the parent.", _WITHOUT_OWN_ID),
    field(
        "parent_node_payload_sha256",
        "hex(256)",
        "The SHA-256 of the payload of the parent.",
        when=f"{_PARENT} and parent_node_id_type == 1",
    ),
    field(
        "parent_node_payload_sha512",
        "hex(512)",
        "The SHA-512 of the payload of the parent.",
        when=f"{_PARENT} and parent_node_id_type == 2",
    ),
)

_NODE_IDS: tuple[Item, ...] = (*_OWN_ID, *_PARENT_ID)


def _codebook(name: str, meaning: str, when: str) -> Group:
    """Return the group of codebook(): the levels that quantization indices select.

    The entry that index 0 selects is number z, the zero offset, and is written first; then come
    the entries below it, downwards, and those above it, upwards, each by its distance to the one
    before.
    """
    return group(
        name,
        (
            field("codebook_egk", "u(4)", "k, the order of the codes of the distances."),
            field("codebook_size", "ue(2)", "n, the number of entries."),
            field(
                "codebook_centre_offset",
                "ie(2)",
                "z = (codebook_size >> 1) + codebook_centre_offset.",
            ),
            derived(
                "zero_offset",
                "(codebook_size >> 1) + codebook_centre_offset",
                "z, the number of the entry that index 0 selects.",
            ),
            malformed(
                f"{name}.codebook_centre_offset",
                "not 0 <= zero_offset < codebook_size",
                "The zero offset of a codebook is outside the codebook",
                expected="0 <= (codebook_size >> 1) + codebook_centre_offset < codebook_size",
                fix="write the number of the entry of index 0, less half the size",
            ),
            field(
                "codebook_zero_value",
                "ie(7)",
                "c[z], the level of index 0.",
            ),
            field(
                "codebook_deltas_left",
                "ue(codebook_egk)",
                "Entries below, downwards: c[j] = c[j + 1] - 1 - delta.",
                count="zero_offset",
            ),
            field(
                "codebook_deltas_right",
                "ue(codebook_egk)",
                "Entries above, upwards: c[j] = c[j - 1] + 1 + delta.",
                count="codebook_size - zero_offset - 1",
            ),
        ),
        meaning,
        when=when,
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
    _codebook("codebook", "The codebook of the weight, or of G.", "codebook_present_flag == 1"),
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

_ENTRY_POINTS: tuple[Item, ...] = (
    unsupported(
        "topology_elem_id_index",
        f"{_FACTOR} and tensor_name is None",
        "The name of a decomposed tensor is not known, and with it not which factor it is",
        expected="a topology unit that lists the name of this index",
        fix="put an NNR_TPL of the format REFLIST before the unit, or write the name itself",
    ),
    derived(
        "matrix_heights",
        "(tensor_dimensions[0],)",
        "The rows of the matrices that have entry points: those of the tensor,",
        when=_IN_BLOCKS,
    ),
    derived(
        "matrix_heights",
        "(g_number_of_rows, decomposition_rank)",
        "in a decomposed block those of G and of H,",
        when=f"{_IN_BLOCKS} and nnr_compressed_data_unit_payload_type == 3 and {_DECOMPOSED}",
    ),
    derived(
        "matrix_heights",
        "(g_number_of_rows,)",
        "of a G in a separate unit, its rows,",
        when=f"{_FACTOR} and ends_with(tensor_name, '_G')",
    ),
    derived(
        "matrix_heights",
        "(decomposition_rank,)",
        "and likewise of an H.",
        when=f"{_FACTOR} and ends_with(tensor_name, '_H')",
    ),
    derived(
        "number_of_entry_points",
        "max(rows_of_blocks(matrix_heights, 4 << scan_order) - len(matrix_heights), 0)",
        "One for each block row but the first of a matrix; a block has 4 << scan_order rows.",
        when=_IN_BLOCKS,
    ),
    group(
        "entry_points",
        (
            field("value", "u(8)", "The offset register of the arithmetic decoder."),
            field(
                "dq_state",
                "u(3)",
                "The state of dependent quantization.",
                when="dq_flag == 1",
                inferred="0",
            ),
            field(
                "bit_offset_delta",
                "ie(7)",
                "The difference to the bit_offset of the entry before.",
                when="index > 0",
            ),
            field(
                "bit_offset",
                "ue(11)",
                "The bits from the begin of the block row before to that of this one.",
                when="index == 0",
                inferred="bit_offset + bit_offset_delta",
            ),
        ),
        "Where the block rows from the second on begin; a sequential decoder may ignore it.",
        when=_IN_BLOCKS,
        count="number_of_entry_points",
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
        *_NODE_IDS,
        *_QUANTIZATION,
        *_INPUT_PARAMETERS,
        _codebook(
            "codebook_dc",
            "The codebook of H.",
            f"{_BLOCK} and {_DECOMPOSED} and codebook_present_flag == 1",
        ),
        *_SCAN,
        *_ENTRY_POINTS,
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
