"""Rules about the headers of data units: names, dimensions, formats, tools, codebooks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import isfinite, prod
from typing import cast

from conformance.nnc.errors import Position
from conformance.nnc.inspection.rules.rule import Breach, RuleContext, rule
from conformance.nnc.planning import LARGEST_DIMENSION, MOST_DIMENSIONS
from conformance.nnc.quantization import INT32_MAX, INT32_MIN, steps
from conformance.nnc.stream import Unit, Values

INT, FLOAT, RAW_FLOAT, BLOCK = range(4)
PAYLOAD_TYPE = "nnr_compressed_data_unit_payload_type"
_INTEGER_FORMATS = frozenset({0, 2, 3, 4, 5, 6, 7})
_FLOAT_FORMATS = frozenset({1, 8, 9})
_LARGEST_FORMAT = 9
_DECOMPOSED = 1
_CODEBOOKS = ("codebook", "codebook_dc")


@rule(
    "NNC-NAME-001",
    "No two tensors of a stream have the same name",
    "A decoder's result has one tensor per name: of two, one is lost.",
    fix="give every tensor a unique name",
)
def has_own_names(context: RuleContext) -> Iterator[Breach]:
    """Find names that occurred before."""
    seen: dict[str, int] = {}
    for plan in context.plans:
        for tensor in plan.tensors:
            if tensor.name in seen:
                place = _name_position(plan.unit, tensor.name)
                found = f"{tensor.name!r} also in unit {seen[tensor.name]}"
                yield Breach("A tensor's name occurs twice", place, "a new name", found)
            seen.setdefault(tensor.name, plan.unit.index)


@rule(
    "NNC-NAME-002",
    "The name of a tensor is not empty",
    "Nobody knows which parameter of the network the tensor is.",
    fix="write the name that the parameter has in the network",
    severity="warning",
)
def has_names(context: RuleContext) -> Iterator[Breach]:
    """Find empty names."""
    for unit in context.data_units:
        if "" in unit.written_names:
            yield Breach("A tensor has an empty name", _name_position(unit, ""), "a name", '""')


@rule(
    "NNC-TENSOR-001",
    "A tensor has at least one dimension",
    "NNCodec can neither write nor read scalars.",
    fix="write a scalar as a tensor of the shape [1]",
    severity="warning",
)
def has_dimensions(context: RuleContext) -> Iterator[Breach]:
    """Find tensors with a count of dimensions of 0."""
    for unit in context.data_units:
        if unit.integer("count_tensor_dimensions") == 0:
            place = unit.at("count_tensor_dimensions")
            yield Breach("The tensor has no dimensions", place, "1 or more", "0")


@rule(
    "NNC-TENSOR-002",
    "Only the first dimension may be 0",
    "NNCodec is killed by a tensor whose other dimensions include a 0.",
    fix="leave empty tensors out of the stream",
    severity="warning",
)
def has_no_empty_dimension(context: RuleContext) -> Iterator[Breach]:
    """Find dimensions of 0 after the first."""
    for unit in context.data_units:
        for axis, size in enumerate(unit.integers("tensor_dimensions") or ()):
            if axis and size == 0:
                place = unit.at(f"tensor_dimensions[{axis}]")
                yield Breach(f"Dimension {axis} of the tensor is 0", place, "at least 1", "0")


@rule(
    "NNC-TENSOR-003",
    "A tensor has fewer than 2^32 elements",
    "Decoders keep dimensions in 32 bits: 2^32 becomes 0.",
    fix="split the tensor, or write its true dimensions",
)
def has_countable_elements(context: RuleContext) -> Iterator[Breach]:
    """Find dimensions whose product does not fit into 32 bits."""
    for unit in context.data_units:
        total = prod(_dimensions(unit) or ())
        if total >= 1 << 32:
            place = unit.at("tensor_dimensions")
            message = "The tensor has too many elements"
            yield Breach(message, place, f"at most {(1 << 32) - 1}", str(total))


@rule(
    "NNC-TENSOR-004",
    "The dimensions of a tensor are in the stream",
    "The stream cannot be decoded without the shapes of its tensors from elsewhere.",
    fix="write tensor_dimensions, or hand out the shapes with the stream (--dimensions)",
    severity="warning",
)
def states_dimensions(context: RuleContext) -> Iterator[Breach]:
    """Find data units without dimensions."""
    for unit in context.data_units:
        if not unit.integer("tensor_dimensions_flag"):
            field = "tensor_dimensions_flag"
            if not unit.integer("input_parameters_present_flag"):
                field = "input_parameters_present_flag"
            yield Breach("The unit does not say its dimensions", unit.at(field), "1", "0")


@rule(
    "NNC-TENSOR-005",
    "scan_order is 0 for a tensor that is one row or one column",
    "Decoders scan such a tensor row by row; NNCodec cannot write it otherwise.",
    fix="write scan_order 0",
    severity="warning",
)
def scans_matrices_only(context: RuleContext) -> Iterator[Breach]:
    """Find scan orders that no tensor of the unit is scanned by."""
    for plan in context.plans:
        order = plan.unit.integer("scan_order")
        if order and plan.coded and not any(tensor.scan_order for tensor in plan.tensors):
            place = plan.unit.at("scan_order")
            message = f"No tensor of the unit is a matrix: {plan.dimensions}"
            yield Breach(message, place, "0", str(order))


@rule(
    "NNC-TENSOR-006",
    "nnr_decompressed_data_format is one of the formats 0 to 9",
    "Readers cannot know what kind of number is meant.",
    fix="write a format that is defined, or no format",
)
def has_known_format(context: RuleContext) -> Iterator[Breach]:
    """Find reserved data formats."""
    for unit in context.data_units:
        value = unit.integer("nnr_decompressed_data_format")
        if value is not None and value > _LARGEST_FORMAT:
            place = unit.at("nnr_decompressed_data_format")
            yield Breach("The data format is reserved", place, "0 to 9", str(value))


@rule(
    "NNC-TENSOR-007",
    "nnr_decompressed_data_format fits the payload: integers for INT, else floating point",
    "Readers that obey the format get other values than those that do not.",
    fix="write a format of the kind of number that the payload holds, or no format",
    severity="warning",
)
def has_fitting_format(context: RuleContext) -> Iterator[Breach]:
    """Find integer formats of floating-point payloads, and the other way round."""
    for unit in context.data_units:
        value = unit.integer("nnr_decompressed_data_format")
        is_int = unit.integer(PAYLOAD_TYPE) == INT
        wrong = _FLOAT_FORMATS if is_int else _INTEGER_FORMATS
        if value in wrong:
            kind = "integer" if is_int else "floating-point"
            place = unit.at("nnr_decompressed_data_format")
            message = "The data format does not fit the payload type"
            yield Breach(message, place, f"a {kind} format", str(value))


@rule(
    "NNC-TENSOR-008",
    "dq_flag is 0 in a unit of integers",
    "The flag is read, but integers are never coded with dependent quantization.",
    fix="write dq_flag 0",
    severity="warning",
)
def quantizes_no_integers(context: RuleContext) -> Iterator[Breach]:
    """Find dependent quantization of INT."""
    for unit in context.data_units:
        if unit.integer(PAYLOAD_TYPE) == INT and unit.integer("dq_flag"):
            yield Breach("A unit of integers has dq_flag set", unit.at("dq_flag"), "0", "1")


@rule(
    "NNC-TENSOR-009",
    "dq_flag is 0 in a unit with a codebook",
    "Dependent quantization moves levels by their neighbours; indices of a codebook mean entries.",
    fix="write dq_flag 0, or no codebook",
)
def quantizes_by_one_tool(context: RuleContext) -> Iterator[Breach]:
    """Find codebooks together with dependent quantization."""
    for unit in context.data_units:
        if unit.integer("codebook_present_flag") and unit.integer("dq_flag"):
            yield Breach("A unit with a codebook has dq_flag set", unit.at("dq_flag"), "0", "1")


@rule(
    "NNC-TENSOR-010",
    "compressed_parameter_types is 0 for integers and raw values",
    "Decomposition, scaling, batch norm and bias exist for FLOAT and BLOCK only.",
    fix="write compressed_parameter_types 0",
)
def types_floats_only(context: RuleContext) -> Iterator[Breach]:
    """Find parameter types of INT and RAW_FLOAT."""
    for unit in context.data_units:
        types = unit.integer("compressed_parameter_types")
        if unit.integer(PAYLOAD_TYPE) in {INT, RAW_FLOAT} and types:
            place = unit.at("compressed_parameter_types")
            message = "A unit that cannot be part of a block says that it is"
            yield Breach(message, place, "0", str(types))


@rule(
    "NNC-TENSOR-011",
    "A decomposed tensor that is coded alone is named as its factor, ..._G or ..._H",
    "Only the name says which of the two factors it is; it gets the shape of the whole otherwise.",
    fix="name the factors <weight>_G and <weight>_H",
    severity="warning",
)
def names_factors(context: RuleContext) -> Iterator[Breach]:
    """Find FLOAT units of a decomposition that are named otherwise."""
    for unit in context.data_units:
        types = unit.integer("compressed_parameter_types") or 0
        if unit.integer(PAYLOAD_TYPE) == FLOAT and types & _DECOMPOSED:
            for name in unit.written_names:
                if not name.endswith(("_G", "_H")):
                    place = _name_position(unit, name)
                    message = "Nothing says which factor the tensor is"
                    yield Breach(message, place, "a name that ends in _G or _H", repr(name))


@rule(
    "NNC-TENSOR-012",
    "The names of a block are as many as its tensors",
    "The names cannot be matched with the tensors of the payload.",
    fix="make compressed_parameter_types and the list of names agree",
)
def names_every_tensor(context: RuleContext) -> Iterator[Breach]:
    """Find blocks with more or fewer names than tensors."""
    for unit in context.data_units:
        types = unit.integer("compressed_parameter_types") or 0
        names = len(unit.written_names)
        expected = 1 + _members(types)
        if unit.integer(PAYLOAD_TYPE) == BLOCK and names and names != expected:
            place = unit.at("compressed_parameter_types")
            found = f"{names} names for compressed_parameter_types {types}"
            yield Breach("The block has a wrong number of names", place, str(expected), found)


@rule(
    "NNC-TENSOR-013",
    "The rows of G divide the elements of the weight, and the rank is at least 1",
    "The number of columns of H would not be an integer.",
    fix="write the number of rows and columns of G",
)
def decomposes_evenly(context: RuleContext) -> Iterator[Breach]:
    """Find ranks and rows that give no matrices."""
    for unit in context.data_units:
        rank, rows = unit.integer("decomposition_rank"), unit.integer("g_number_of_rows")
        dimensions = _dimensions(unit)
        if rank == 0:
            place = unit.at("decomposition_rank")
            yield Breach("The decomposition has rank 0", place, "at least 1", "0")
        if rows is not None and dimensions and (not rows or prod(dimensions) % rows):
            place = unit.at("g_number_of_rows")
            expected = f"a divisor of {prod(dimensions)}"
            yield Breach("G and H cannot have the shapes stated", place, expected, str(rows))


@rule(
    "NNC-NUMBER-001",
    "Accuracies, thresholds and ratios are finite numbers",
    "NaN and infinity are not measurements.",
    fix="write a number, or leave the performance out",
)
def measures_finite(context: RuleContext) -> Iterator[Breach]:
    """Find floating-point elements that are NaN or infinite."""
    for unit in context.units:
        for element in unit.elements:
            if isinstance(element.value, float) and not isfinite(element.value):
                place = Position(element.bit, unit.index, unit.name, element.name)
                yield Breach(
                    "The value is not a finite number", place, "a number", str(element.value)
                )


@rule(
    "NNC-NUMBER-002",
    "An alignment inside a performance map is one bit 1 and then zeros to the byte boundary",
    "Decoding does not depend on it; the map may not be what was meant.",
    fix="write a 1 and then zeros up to the byte boundary",
)
def aligns_maps(context: RuleContext) -> Iterator[Breach]:
    """Find alignments of unification maps with other bits."""
    for unit in context.units:
        for element in unit.elements:
            wanted = 1 << (element.length - 1) if element.length else 0
            if element.name.endswith(".upm_align") and element.value != wanted:
                place = Position(element.bit, unit.index, unit.name, element.name)
                yield Breach("The alignment is wrong", place, str(wanted), str(element.value))


@rule(
    "NNC-CODEBOOK-001",
    "The entries of a codebook are strictly increasing 32-bit integers",
    "Entries beyond 32 bits wrap around: they are no longer in order, or no longer what was meant.",
    fix="write entries between -2^31 and 2^31 - 1",
)
def has_increasing_entries(context: RuleContext) -> Iterator[Breach]:
    """Find entries that do not fit or do not increase."""
    for unit, name, codebook in _codebooks(context):
        entries = _entries(codebook)
        outside = [entry for entry in entries if not INT32_MIN <= entry <= INT32_MAX]
        if outside or any(high <= low for low, high in pairwise(entries)):
            place = unit.at(f"{name}.codebook_zero_value")
            found = f"the entry {outside[0]}" if outside else "entries out of order"
            expected = f"increasing entries from {INT32_MIN} to {INT32_MAX}"
            yield Breach("The codebook has an entry that cannot be", place, expected, found)


@rule(
    "NNC-CODEBOOK-002",
    "A codebook has an entry that is not 0",
    "Every value of the tensor is 0 whatever its levels are.",
    fix="code the tensor without a codebook, or write the entries that were meant",
    severity="warning",
)
def has_a_value(context: RuleContext) -> Iterator[Breach]:
    """Find codebooks of nothing but 0."""
    for unit, name, codebook in _codebooks(context):
        if _entries(codebook) == [0]:
            place = unit.at(f"{name}.codebook_zero_value")
            yield Breach(
                "The only entry of the codebook is 0", place, "an entry that is not 0", "0"
            )


def _codebooks(context: RuleContext) -> Iterator[tuple[Unit, str, Values]]:
    for unit in context.data_units:
        for name in _CODEBOOKS:
            codebook = unit.group(name)
            if codebook is not None and codebook.get("codebook_size") is not None:
                yield unit, name, codebook


def _entries(codebook: Values) -> list[int]:
    left, right = (
        cast("tuple[int, ...] | None", codebook[f"codebook_deltas_{side}"])
        for side in ("left", "right")
    )
    centre = _number(codebook, "codebook_zero_value")
    return [*[*steps(centre, left, -1)][::-1], centre, *steps(centre, right, 1)]


def _number(codebook: Values, name: str) -> int:
    value = codebook[name]
    return value if isinstance(value, int) else 0


def _dimensions(unit: Unit) -> tuple[int, ...] | None:
    """Return the dimensions of a unit; None where no array has them, which is an error as such."""
    dimensions = unit.integers("tensor_dimensions")
    if dimensions is None or len(dimensions) > MOST_DIMENSIONS:
        return None
    return None if max(dimensions, default=0) > LARGEST_DIMENSION else dimensions


def _members(types: int) -> int:
    counts = {_DECOMPOSED: 1, 2: 1, 4: 4, 8: 1}
    return sum(count for bit, count in counts.items() if types & bit)


def _name_position(unit: Unit, name: str) -> Position:
    for element in unit.elements:
        if element.name.startswith("topology_elem_id") and element.value == name:
            return Position(element.bit, unit.index, unit.name, element.name)
    return unit.at("topology_elem_id")


RULES = (
    has_own_names,
    has_names,
    has_dimensions,
    has_no_empty_dimension,
    has_countable_elements,
    states_dimensions,
    scans_matrices_only,
    has_known_format,
    has_fitting_format,
    quantizes_no_integers,
    quantizes_by_one_tool,
    types_floats_only,
    names_factors,
    names_every_tensor,
    decomposes_evenly,
    measures_finite,
    aligns_maps,
    has_increasing_entries,
    has_a_value,
)
