"""Rules about decoded payloads: entry points, step sizes, levels, tools that go wrong together."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from conformance.nnc.cabac.coding import EntryPoint
from conformance.nnc.errors import Position
from conformance.nnc.inspection.examination import OFFSET_BITS, DecodedTensor
from conformance.nnc.inspection.rules.rule import Breach, RuleContext, rule
from conformance.nnc.planning import MATRICES
from conformance.nnc.stream import Unit, Value

_LARGE_STEP = float(1 << 16)
_SMALLEST_STEP = 2.0**-150
_LARGEST_FLOATS = {"float32": float((1 << 24) - 1 << 104), "float64": sys.float_info.max}
_INTEGER_BITS = {0: 32, 2: 2, 3: 3, 4: 4, 5: 8, 6: 16, 7: 64}
_TRELLIS_PERIOD = 4


@rule(
    "NNC-PAYLOAD-001",
    "A payload ends with one bit 1, and then zeros to the byte boundary",
    "Decoding does not depend on it; the bits show that the encoder ended its codeword otherwise.",
    fix="write the stop bit after the terminating bin, and fill up its byte with zeros",
)
def ends_with_a_stop_pattern(context: RuleContext) -> Iterator[Breach]:
    """Find payloads that end with other bits."""
    ends: dict[int, int] = {}
    for tensor in context.tensors:
        if tensor.record.coding is not None:
            index = tensor.record.unit
            ends[index] = ends.get(index, OFFSET_BITS) + tensor.record.payload_bits
    failed = context.failed_unit
    for index, end in ends.items():
        unit = context.units[index]
        stop = unit.in_payload(end - 1, "the stop pattern")
        last = context.examination.data[unit.payload_byte + (end - 1) // 8]
        found = last & 0xFF >> (end - 1) % 8
        bits = 8 - (end - 1) % 8
        if index != failed and found != 1 << (bits - 1):
            expected = f"{1 << (bits - 1):0{bits}b}"
            yield Breach("The stop pattern is wrong", stop, expected, f"{found:0{bits}b}")


@rule(
    "NNC-ENTRY-001",
    "Every entry point is the state of the decoder where its block row begins",
    "Decoders that begin block rows at their entry points, as NNCodec does, decode other levels or "
    "fail; those that decode in order are not affected.",
    fix="write offset register, trellis state and bits as they are at the start of the block row",
)
def enters_where_block_rows_begin(context: RuleContext) -> Iterator[Breach]:
    """Find entry points that differ from what decoding in order meets."""
    stated: dict[int, list[EntryPoint]] = {}
    taken: dict[int, int] = {}
    for tensor in context.tensors:
        unit = context.unit_of(tensor)
        entries = stated.setdefault(unit.index, _entry_points(unit))
        first = taken.get(unit.index, 0)
        count = _entry_count(tensor, unit)
        taken[unit.index] = first + count
        if tensor.record.coding and tensor.record.coding.scan_order and tensor.record.report:
            yield from _compared(
                unit, first, entries[first : first + count], tensor.record.report.entry_points
            )


@rule(
    "NNC-LEVEL-001",
    "Rows that dependent quantization skips in blocks have a width divisible by 4",
    "The trellis moves by the whole width at each skipped part of a row; NNCodec's own encoder "
    "assumes one move per level, and the levels decoded are not those it meant.",
    fix="scan row by row, or do not skip rows, or quantize uniformly",
    severity="warning",
)
def skips_whole_periods(context: RuleContext) -> Iterator[Breach]:
    """Find rows skipped in blocks, with dependent quantization, of a width that shifts states."""
    for tensor in context.tensors:
        coding, report = tensor.record.coding, tensor.record.report
        if coding is None or report is None or not report.skipped_rows:
            continue
        if coding.dependent and coding.scan_order and coding.width % _TRELLIS_PERIOD:
            message = f"Skipped rows shift the trellis states of {tensor.record.name!r}"
            found = f"width {coding.width}, {report.skipped_rows} rows skipped"
            place = _levels_of(context, tensor)
            yield Breach(message, place, "a width divisible by 4", found)


@rule(
    "NNC-LEVEL-002",
    "A history of significance is used only by what follows an earlier stream",
    "Without a history the flag only costs bits; NNCodec's encoder records one here that its "
    "decoder does not have, so that later streams differ.",
    fix="clear hist_dep_sig_prob_enabled_flag in the first stream of a chain",
    severity="warning",
)
def has_history(context: RuleContext) -> Iterator[Breach]:
    """Find tensors that are coded with a history nobody has."""
    for tensor in context.tensors:
        report = tensor.record.report
        if report is not None and report.hdsp and not tensor.record.history:
            message = f"No earlier stream gave {tensor.record.name!r} a history"
            place = _levels_of(context, tensor)
            yield Breach(message, place, "hist_dep_sig_prob_enabled_flag 0", "1")


@rule(
    "NNC-LEVEL-003",
    "The integers of a tensor fit into nnr_decompressed_data_format",
    "Readers that store the tensor in its format lose the values outside.",
    fix="write a wider format",
)
def fits_its_format(context: RuleContext) -> Iterator[Breach]:
    """Find integers outside the range of their format."""
    for tensor in context.tensors:
        unit, levels = context.unit_of(tensor), tensor.levels
        bits = _INTEGER_BITS.get(_or(unit.integer("nnr_decompressed_data_format"), -1))
        if bits is None or levels is None or levels.minimum is None or levels.maximum is None:
            continue
        least, most = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        if tensor.record.dtype == "int32" and not least <= levels.minimum <= levels.maximum <= most:
            message = f"Values of {tensor.record.name!r} do not fit into int{bits}"
            place = unit.at("nnr_decompressed_data_format")
            found = f"{levels.minimum} to {levels.maximum}"
            yield Breach(message, place, f"{least} to {most}", found)


@rule(
    "NNC-STEP-001",
    "The step size of a tensor is less than 65536",
    "Weights are not that large. NNCodec cuts a quantization parameter that does not fit its bits "
    "without a word: -140 becomes 116, and weights of 0.1 come back as 1e17.",
    fix="encode with a quantization parameter that fits 6 + qp_density bits",
    severity="warning",
)
def has_a_likely_step(context: RuleContext) -> Iterator[Breach]:
    """Find step sizes that a cut quantization parameter gives."""
    for tensor in context.tensors:
        step = tensor.record.step
        if step is not None and step >= _LARGE_STEP:
            message = f"The step size of {tensor.record.name!r} is huge"
            found = f"{step:g}, from qp {tensor.record.qp}"
            yield Breach(message, _levels_of(context, tensor, "qp"), "less than 65536", found)


@rule(
    "NNC-STEP-002",
    "A step size is not 0 as a float32",
    "Every value of the tensor becomes 0.",
    fix="encode with a larger quantization parameter",
    severity="warning",
)
def has_a_step(context: RuleContext) -> Iterator[Breach]:
    """Find step sizes too small for a float32."""
    for tensor in context.tensors:
        step = tensor.record.step
        if step is not None and step <= _SMALLEST_STEP and tensor.record.dtype == "float32":
            message = f"The step size of {tensor.record.name!r} is 0 as a float32"
            found = f"{step:g}, from qp {tensor.record.qp}"
            yield Breach(message, _levels_of(context, tensor, "qp"), "more than 2^-150", found)


@rule(
    "NNC-STEP-003",
    "The values of a tensor are finite",
    "Step size times level is infinite as a float32, with a codebook as a float64.",
    fix="encode with a smaller quantization parameter",
)
def has_finite_values(context: RuleContext) -> Iterator[Breach]:
    """Find levels whose values overflow."""
    for tensor in context.tensors:
        step, limit = tensor.record.step, _LARGEST_FLOATS.get(tensor.record.dtype)
        if step is None or limit is None:
            continue
        largest = max((abs(level) for level in _outermost(tensor)), default=0)
        if step * largest > limit:
            message = f"A value of {tensor.record.name!r} is infinite"
            found = f"{largest} times {step:g}"
            expected = f"at most {limit:g}"
            yield Breach(message, _levels_of(context, tensor, "qp"), expected, found)


def _outermost(tensor: DecodedTensor) -> Iterator[int]:
    """Yield the least and the greatest of a tensor's levels, or of its codebook's entries in use.

    Entries increase, so that those of the outermost levels are the outermost.
    """
    levels, entries = tensor.levels, tensor.record.codebook
    for level in (levels.minimum, levels.maximum) if levels is not None else ():
        if level is not None:
            place = level + tensor.record.zero_offset
            if entries is None:
                yield level
            elif 0 <= place < len(entries):
                yield entries[place]


def _compared(
    unit: Unit, first: int, stated: Sequence[EntryPoint], met: Sequence[EntryPoint]
) -> Iterator[Breach]:
    for index, (said, true) in enumerate(zip_longest(stated, met), start=first):
        if said is None or true is None:
            continue
        for field in ("value", "dq_state", "bit_offset"):
            expected, found = getattr(true, field), getattr(said, field)
            if expected != found:
                yield _wrong_entry(unit, index, field, expected, found)
                return


def _wrong_entry(unit: Unit, index: int, field: str, expected: int, found: int) -> Breach:
    coded = f"{field}_delta" if field == "bit_offset" and index else field
    place = unit.at(f"entry_points[{index}].{coded}")
    message = f"Entry point {index} is not where block row {index + 1} begins"
    return Breach(message, place, f"{field} {expected}", f"{field} {found}")


def _entry_points(unit: Unit) -> list[EntryPoint]:
    points: list[EntryPoint] = []
    for entry in unit.groups("entry_points"):
        value, state, delta, offset = (
            _or(_integer(entry.get(name)), 0)
            for name in ("value", "dq_state", "bit_offset_delta", "bit_offset")
        )
        before = points[-1].bit_offset + delta if points else offset
        points.append(EntryPoint(value, state, before))
    return points


def _entry_count(tensor: DecodedTensor, unit: Unit) -> int:
    order, shape = unit.integer("scan_order"), tensor.record.shape
    if not order or not shape or tensor.record.role not in MATRICES:
        return 0
    return max(0, -(-shape[0] // (4 << order)) - 1)


def _levels_of(context: RuleContext, tensor: DecodedTensor, what: str = "levels") -> Position:
    return context.unit_of(tensor).in_payload(0, f"{what} of {tensor.record.name!r}")


def _integer(value: Value) -> int | None:
    return value if isinstance(value, int) else None


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value


RULES = (
    ends_with_a_stop_pattern,
    enters_where_block_rows_begin,
    skips_whole_periods,
    has_history,
    fits_its_format,
    has_a_likely_step,
    has_a_step,
    has_finite_values,
)
