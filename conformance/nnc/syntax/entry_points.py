"""The entry points of an NNR_NDU: where decoding of each block row but the first can begin."""

from __future__ import annotations

from conformance.nnc.syntax.items import Item, derived, field, group, unsupported

_PRESENT = "count_tensor_dimensions > 1 and scan_order > 0"
_DECOMPOSED = "compressed_parameter_types & 1 == 1"
_FACTOR = f"{_PRESENT} and nnr_compressed_data_unit_payload_type == 1 and {_DECOMPOSED}"

ENTRY_POINTS: tuple[Item, ...] = (
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
        when=_PRESENT,
    ),
    derived(
        "matrix_heights",
        "(g_number_of_rows, decomposition_rank)",
        "in a decomposed block those of G and of H,",
        when=f"{_PRESENT} and nnr_compressed_data_unit_payload_type == 3 and {_DECOMPOSED}",
    ),
    derived(
        "matrix_heights",
        "(g_number_of_rows,)",
        "of a G in a unit of its own, its own,",
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
        when=_PRESENT,
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
        when=_PRESENT,
        count="number_of_entry_points",
    ),
)
