"""What every NNR unit begins with, its size and the common header; and NNR_STR, the start unit."""

from __future__ import annotations

from conformance.nnc.syntax.items import Constraint, UnitSyntax, constraint, field

FLAG = {0: "no", 1: "yes"}

UNIT_SIZE = (
    field(
        "nnr_unit_size_flag",
        "u(1)",
        "Which form the size has.",
        values={0: "15 bits", 1: "31 bits"},
    ),
    field(
        "nnr_unit_size",
        "u(15 + 16 * nnr_unit_size_flag)",
        "The bytes of the whole unit, these first 2 or 4 bytes included.",
        constraints=(
            constraint(
                "NNC-UNIT-001",
                "A unit shorter than 32768 bytes has the short form of its size",
                "nnr_unit_size_flag == 0 or value - 2 >= 32768",
                "write nnr_unit_size_flag 0 and a size of 15 bits",
                "warning",
            ),
        ),
    ),
)

UNIT_HEADER = (
    field(
        "nnr_unit_type",
        "u(6)",
        "What the unit is.",
        values={
            0: "NNR_STR, start unit",
            1: "NNR_MPS, model parameter set",
            2: "NNR_LPS, layer parameter set",
            3: "NNR_TPL, topology unit",
            4: "NNR_QNT, quantization unit",
            5: "NNR_NDU, compressed data unit",
            6: "NNR_AGG, aggregate unit",
        },
    ),
    field(
        "independently_decodable_flag",
        "u(1)",
        "Whether the unit can be decoded without others of its kind; has no effect here.",
        values=FLAG,
    ),
    field(
        "partial_data_counter_present_flag",
        "u(1)",
        "Whether partial_data_counter follows.",
        values=FLAG,
    ),
    field(
        "partial_data_counter",
        "u(8)",
        "The number of partial data units that follow and belong to the same data.",
        when="partial_data_counter_present_flag == 1",
    ),
)


def zero(rule: str, name: str) -> tuple[Constraint, ...]:
    """Return the constraint that reserved bits are zero."""
    return (constraint(rule, f"{name} is 0", "value == 0", f"write {name} as 0"),)


def align(rule: str) -> tuple[Constraint, ...]:
    """Return the constraint that an alignment is a 1 followed by zeros."""
    return (
        constraint(
            rule,
            "An alignment is one bit 1 and then zeros to the byte boundary",
            "value == 1 << (length - 1)",
            "write a 1 and then zeros up to the byte boundary",
        ),
    )


START_UNIT = UnitSyntax(
    unit_type=0,
    name="STR",
    title="NNR_STR, start unit",
    meaning="The first unit of a stream, and only the first; says which edition the stream is of.",
    header=(
        field(
            "general_profile_idc",
            "u(8)",
            "The profile. NNCodec reads every value but 1 by the rules of 0.",
            values={0: "first edition (2022)", 1: "second edition"},
            constraints=(
                constraint(
                    "NNC-STR-001",
                    "general_profile_idc is 0 or 1",
                    "value <= 1",
                    "write the profile whose syntax the stream has: 0 or 1",
                ),
            ),
        ),
    ),
    payload=(),
    exports=("general_profile_idc",),
)
