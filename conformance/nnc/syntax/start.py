"""NNR_STR, the start unit."""

from __future__ import annotations

from conformance.nnc.syntax.items import UnitSyntax, constraint, field

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
