"""Rules about the order, size and common header of units."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.nnc.errors import Position
from conformance.nnc.inspection.rules.rule import Breach, RuleContext, rule
from conformance.nnc.outline import OutlinedUnit
from conformance.nnc.syntax import UNITS

_KINDS = ", ".join(f"{number} {unit.name}" for number, unit in sorted(UNITS.items()))


@rule(
    "NNC-STREAM-001",
    "A stream begins with a start unit",
    "Without general_profile_idc nobody knows the syntax of the other units.",
    fix="put NNR_STR (00 04 02 and the profile) before everything else",
)
def begins_with_start(context: RuleContext) -> Iterator[Breach]:
    """Find a file that begins with something else, or with nothing."""
    first = next(iter(context.outline), None)
    if first is None:
        place = Position(0, 0, "", "nnr_unit_size_flag")
        yield Breach("The file is empty", place, "a start unit", "no byte")
    elif first.unit_type != 0:
        yield _misplaced(first, "The first unit is not a start unit", "type 0 (STR)")


@rule(
    "NNC-STREAM-002",
    "A stream has one start unit",
    "Two streams in one file are not one stream: a decoder stops at the second start unit.",
    fix="keep the streams in separate files",
)
def has_one_start(context: RuleContext) -> Iterator[Breach]:
    """Find start units after the first unit."""
    for unit in context.outline[1:]:
        if unit.unit_type == 0:
            yield _misplaced(unit, "There is a second start unit", "any other type")


@rule(
    "NNC-STREAM-003",
    "Every unit ends inside the file",
    "The file was cut, or nnr_unit_size is wrong.",
    fix="write the whole unit, or its true size",
)
def ends_inside(context: RuleContext) -> Iterator[Breach]:
    """Find a unit that is longer than what is left of the file."""
    for unit in context.outline:
        if unit.size > unit.left or unit.left <= unit.form:
            expected = f"at most {unit.left} bytes, all that is left of the file"
            message = "The unit goes on past the end of the file"
            yield Breach(message, unit.at("nnr_unit_size"), expected, f"{unit.size} bytes")


@rule(
    "NNC-STREAM-004",
    "nnr_unit_size counts the whole unit, its own bytes included",
    "The unit has no room for its own header; whatever follows cannot be found.",
    fix="count the bytes from the first of nnr_unit_size to the last of the payload",
)
def has_room_for_its_header(context: RuleContext) -> Iterator[Breach]:
    """Find sizes that do not even cover size and common header."""
    for unit in context.outline:
        if unit.size <= unit.form:
            expected = f"at least {unit.form + 1} bytes for size and common header"
            message = "The size of the unit is too small"
            yield Breach(message, unit.at("nnr_unit_size"), expected, f"{unit.size} bytes")


@rule(
    "NNC-STREAM-005",
    "A stream has at most one model parameter set",
    "Two sets contradict or repeat each other.",
    fix="write one NNR_MPS; what differs between layers goes into layer parameter sets",
)
def has_one_model_parameter_set(context: RuleContext) -> Iterator[Breach]:
    """Find model parameter sets after the first."""
    for unit in [unit for unit in context.outline if unit.name == "MPS"][1:]:
        yield _misplaced(unit, "There is a second model parameter set", "any other type")


@rule(
    "NNC-STREAM-006",
    "A model parameter set precedes the first compressed data unit",
    "Without it there is no quantization parameter.",
    fix="write NNR_MPS after NNR_STR",
)
def has_parameters_before_data(context: RuleContext) -> Iterator[Breach]:
    """Find a first data unit without a model parameter set before it."""
    for unit in context.outline:
        if unit.name == "MPS":
            return
        if unit.name == "NDU":
            message = "A compressed data unit comes before any model parameter set"
            yield _misplaced(unit, message, "type 1 (MPS) first")
            return


@rule(
    "NNC-STREAM-007",
    "nnr_unit_type is one of the seven types",
    "The types 7 to 63 are reserved: decoders of these editions cannot read the unit.",
    fix="write a type that the edition defines",
)
def has_known_types(context: RuleContext) -> Iterator[Breach]:
    """Find units of reserved types."""
    for unit in context.outline:
        if unit.unit_type is not None and unit.unit_type not in UNITS:
            yield _misplaced(unit, "The type of the unit is reserved", _KINDS)


@rule(
    "NNC-STREAM-008",
    "A stream has a compressed data unit",
    "A file cut between two units is still a stream; this one holds no tensor.",
    fix="check that the file is complete",
    severity="warning",
)
def has_data(context: RuleContext) -> Iterator[Breach]:
    """Find a stream of parameter sets only."""
    if context.outline and not any(unit.name == "NDU" for unit in context.outline):
        last = context.outline[-1]
        place = Position(8 * (last.byte + last.size), last.index, last.name)
        yield Breach("The stream holds no tensor", place, "a compressed data unit", "none")


@rule(
    "NNC-STREAM-009",
    "What applies to later units is followed by one that it applies to",
    "A parameter set or topology after the last compressed data unit has no effect.",
    fix="move the unit before the data units it is meant for, or leave it out",
    severity="warning",
)
def ends_with_data(context: RuleContext) -> Iterator[Breach]:
    """Find units after the last compressed data unit."""
    types = [unit.name for unit in context.outline]
    if "NDU" not in types:
        return
    for unit in context.outline[len(types) - types[::-1].index("NDU") :]:
        if unit.name in {"MPS", "LPS", "TPL", "QNT"}:
            yield _misplaced(unit, "Nothing follows that the unit applies to", "a data unit later")


@rule(
    "NNC-STREAM-010",
    "A stream whose topology_carriage_flag is 1 has a topology unit",
    "The flag promises a topology that is not there.",
    fix="write NNR_TPL, or clear topology_carriage_flag",
    severity="warning",
)
def carries_its_topology(context: RuleContext) -> Iterator[Breach]:
    """Find the promise of a topology unit that is not there."""
    has_topology = any(unit.name == "TPL" for unit in context.outline)
    for unit in context.units:
        if unit.integer("topology_carriage_flag") == 1 and not has_topology:
            place = unit.at("topology_carriage_flag")
            yield Breach("There is no topology unit", place, "a unit of type 3 (TPL)", "none")


@rule(
    "NNC-STREAM-011",
    "A unit that others need is marked as independently decodable",
    "The flag has no known effect, but every known writer sets it, and readers may rely on it.",
    fix="write independently_decodable_flag as 1",
    severity="warning",
)
def is_independently_decodable(context: RuleContext) -> Iterator[Breach]:
    """Find start units, parameter sets and topologies that are marked as dependent."""
    for unit in context.units:
        flag = "independently_decodable_flag"
        if unit.name in {"STR", "MPS", "TPL"} and unit.integer(flag) == 0:
            message = f"A unit of type {unit.name} is marked as depending on others"
            yield Breach(message, unit.at(flag), "1", "0")


@rule(
    "NNC-STREAM-012",
    "Only compressed data units are parts of a larger unit",
    "partial_data_counter has no known meaning in other units.",
    fix="write partial_data_counter_present_flag as 0",
    severity="warning",
)
def counts_parts_of_data_only(context: RuleContext) -> Iterator[Breach]:
    """Find partial data counters in other units."""
    for unit in context.units:
        flag = "partial_data_counter_present_flag"
        if unit.name != "NDU" and unit.integer(flag) == 1:
            message = f"A unit of type {unit.name} has a partial data counter"
            yield Breach(message, unit.at(flag), "0", "1")


def _misplaced(unit: OutlinedUnit, message: str, expected: str) -> Breach:
    found = "the end of the file" if unit.unit_type is None else f"type {unit.unit_type}"
    if unit.name:
        found += f" ({unit.name})"
    return Breach(message, unit.at("nnr_unit_type"), expected, found)


RULES = (
    begins_with_start,
    has_one_start,
    ends_inside,
    has_room_for_its_header,
    has_one_model_parameter_set,
    has_parameters_before_data,
    has_known_types,
    has_data,
    ends_with_data,
    carries_its_topology,
    is_independently_decodable,
    counts_parts_of_data_only,
)
