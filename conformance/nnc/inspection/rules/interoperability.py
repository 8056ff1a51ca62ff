"""Rules about what the format allows and NNCodec 2.1.3, the public decoder, cannot read."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.nnc.inspection.rules.headers import BLOCK, FLOAT, PAYLOAD_TYPE, RAW_FLOAT
from conformance.nnc.inspection.rules.rule import Breach, RuleContext, rule

_MEANING = "The stream may be right, but NNCodec 2.1.3 cannot decode it"
_DECOMPOSED = 1
_FACTORS = 2


@rule(
    "NNC-INTEROP-001",
    "The stream has no layer parameter set",
    f"{_MEANING}: it ends at any NNR_LPS.",
    fix="write the quantization parameters into the tensors, which have a qp each",
    severity="warning",
)
def has_no_layer_parameter_set(context: RuleContext) -> Iterator[Breach]:
    """Find layer parameter sets."""
    for unit in context.units:
        if unit.name == "LPS":
            place = unit.at("nnr_unit_type")
            yield Breach("The stream has a layer parameter set", place, "none", "NNR_LPS")


@rule(
    "NNC-INTEROP-002",
    "No factor of a decomposition is coded alone",
    f"{_MEANING}: it fails at a FLOAT unit of a decomposition.",
    fix="code G and H in one BLOCK",
    severity="warning",
)
def has_no_single_factor(context: RuleContext) -> Iterator[Breach]:
    """Find FLOAT units of a decomposition."""
    for unit in context.data_units:
        types = unit.integer("compressed_parameter_types") or 0
        if unit.integer(PAYLOAD_TYPE) == FLOAT and types & _DECOMPOSED:
            place = unit.at("compressed_parameter_types")
            message = "A factor of a decomposition is coded alone"
            yield Breach(message, place, "a BLOCK", f"FLOAT with types {types}")


@rule(
    "NNC-INTEROP-003",
    "A decomposition with codebooks is alone in its block",
    f"{_MEANING}: it fails where other tensors share the block.",
    fix="code the other tensors of the block in separate units",
    severity="warning",
)
def has_codebooks_in_a_block_of_factors(context: RuleContext) -> Iterator[Breach]:
    """Find blocks of G, H, codebooks and more."""
    for unit in context.data_units:
        types = unit.integer("compressed_parameter_types") or 0
        crowded = types & _DECOMPOSED and len(unit.written_names) > _FACTORS
        has_codebook = unit.integer("codebook_present_flag")
        if unit.integer(PAYLOAD_TYPE) == BLOCK and crowded and has_codebook:
            place = unit.at("compressed_parameter_types")
            found = f"{len(unit.written_names)} tensors and codebooks"
            yield Breach("A block mixes factors, codebooks and more", place, "G and H only", found)


@rule(
    "NNC-INTEROP-004",
    "Tensors are named, not indexed",
    f"{_MEANING}: it refuses indices into a topology.",
    fix="write the names, and clear mps_topology_indexed_reference_flag",
    severity="warning",
)
def has_no_indices(context: RuleContext) -> Iterator[Breach]:
    """Find indexed references."""
    for unit in context.units:
        flag = "mps_topology_indexed_reference_flag"
        if unit.name == "MPS" and unit.integer(flag):
            yield Breach("Tensors are named by indices", unit.at(flag), "0", "1")


@rule(
    "NNC-INTEROP-005",
    "A unification performance map has no class accuracies but for a bit mask of their number",
    f"{_MEANING}: it reads as many class accuracies as the value of upm_class_bitmask, not as "
    "upm_count_classes says.",
    fix="leave the class accuracies out of the map",
    severity="warning",
)
def has_countable_classes(context: RuleContext) -> Iterator[Breach]:
    """Find unification maps that NNCodec reads out of step."""
    for unit in context.units:
        for index, entry in enumerate(unit.groups("unification_performance_map")):
            if entry.get("upm_class_bitmask") != entry.get("upm_count_classes"):
                place = unit.at(f"unification_performance_map[{index}].upm_class_bitmask")
                message = "NNCodec reads a different number of class accuracies"
                expected = f"{entry.get('upm_count_classes')}"
                yield Breach(message, place, expected, str(entry.get("upm_class_bitmask")))


@rule(
    "NNC-INTEROP-006",
    "Floating-point tensors are quantized",
    f"{_MEANING} with the NumPy that it asks for: RAW_FLOAT fails before NumPy 2.",
    fix="code the tensor as FLOAT, or install NNCodec with NumPy 2",
    severity="warning",
)
def has_no_raw_values(context: RuleContext) -> Iterator[Breach]:
    """Find RAW_FLOAT units."""
    for unit in context.data_units:
        if unit.integer(PAYLOAD_TYPE) == RAW_FLOAT:
            yield Breach("A unit holds raw values", unit.at(PAYLOAD_TYPE), "FLOAT", "RAW_FLOAT")


RULES = (
    has_no_layer_parameter_set,
    has_no_single_factor,
    has_codebooks_in_a_block_of_factors,
    has_no_indices,
    has_countable_classes,
    has_no_raw_values,
)
