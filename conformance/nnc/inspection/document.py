"""All that is known of a stream as one JSON-able document, whose form is stable.

``docs/nnc-inspect.md`` describes it. Bits count from the start of the file; ``bit`` of 531 is in
byte 66, the fourth from the left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from conformance.nnc.cabac.coding import GROUPS
from conformance.nnc.errors import NncError, NncLimitError, NncUnsupportedError, Position
from conformance.nnc.inspection.claims import plain, stream_claims
from conformance.nnc.inspection.examination import (
    OFFSET_BITS,
    BrokenUnit,
    DecodedTensor,
    Examination,
    LevelStatistics,
)
from conformance.nnc.inspection.features import stream_features
from conformance.nnc.inspection.lazy import Lazy
from conformance.nnc.inspection.meanings import codebooks_of, field_of, meaning_of
from conformance.nnc.payload import TensorRecord
from conformance.nnc.quantization import Codebook
from conformance.nnc.stream import Element, Unit, Values
from conformance.nnc.syntax import UNIT_HEADER, UNITS, Field, Group

VERSION = 1
"""Of the form of the document: it is raised when a name is removed or changes its meaning."""


def document_of(examination: Examination, *, bits: bool = False) -> dict[str, Any]:
    """Return the document; ``bits`` adds the raw bits of every element.

    Its units, and the elements of these, are made when they are asked for.
    """
    stream = examination.stream
    tensors: dict[int, list[DecodedTensor]] = {}
    for tensor in examination.tensors:
        tensors.setdefault(tensor.record.unit, []).append(tensor)
    units: Sequence[Unit | BrokenUnit] = examination.units
    if examination.broken is not None:
        units = (*units, examination.broken)

    def unit_facts(unit: Unit | BrokenUnit) -> dict[str, Any]:
        if isinstance(unit, BrokenUnit):
            return _broken(examination.data, unit, bits)
        return _unit(examination.data, unit, tensors.get(unit.index, ()), bits)

    return {
        "version": VERSION,
        "bytes": len(examination.data),
        "dialect": examination.options.interpretation.dialect,
        "profile": stream.profile if examination.units else None,
        "unit_count": len(units),
        "units": Lazy(units, unit_facts),
        "features": list(stream_features(stream, examination.records)) if stream.units else [],
        "claims": finite(stream_claims(stream)) if stream.units else {},
        "error": None if examination.error is None else error_facts(examination.error),
    }


def error_facts(error: NncError) -> dict[str, Any]:
    """Return an error as JSON."""
    kind = "malformed"
    if isinstance(error, NncLimitError):
        kind = "limit"
    elif isinstance(error, NncUnsupportedError):
        kind = "unsupported"
    return {
        "kind": kind,
        "message": error.message,
        "position": position_facts(error.position),
        "expected": error.expected,
        "found": error.found,
        "fix": error.fix,
    }


def position_facts(position: Position) -> dict[str, Any]:
    """Return a position as JSON."""
    return {
        "bit": position.bit,
        "byte": position.byte,
        "unit": position.unit,
        "unit_name": position.unit_name,
        "field": position.field,
    }


def finite(value: Any) -> Any:
    """Return a JSON value in which NaN and infinity, which JSON has not, are strings."""
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {name: finite(each) for name, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list | tuple) else value


def raw_bits(data: memoryview, bit: int, length: int) -> str:
    """Return bits of the file as a string of 0 and 1."""
    last = (bit + length + 7) // 8
    word = int.from_bytes(data[bit // 8 : last])
    shifted = word >> (8 * last - bit - length)
    return f"{shifted & ((1 << length) - 1):0{length}b}" if length else ""


def _unit(
    data: memoryview, unit: Unit, tensors: Sequence[DecodedTensor], bits: bool
) -> dict[str, Any]:
    return {
        "index": unit.index,
        "type": unit.unit_type,
        "name": unit.name,
        "title": UNITS[unit.unit_type].title,
        "byte": unit.byte,
        "size": unit.size,
        "complete": True,
        "elements": _elements(data, unit.unit_type, unit.values, unit.elements, bits),
        "absent": _absent(unit),
        "payload": _payload(unit, tensors),
        "tensors": [tensor_facts(each) for each in tensors],
    }


def _broken(data: memoryview, broken: BrokenUnit, bits: bool) -> dict[str, Any]:
    values: dict[str, Any] = {element.name: element.value for element in broken.elements}
    unit_type = values.get("nnr_unit_type")
    known = UNITS.get(unit_type) if isinstance(unit_type, int) else None
    return {
        "index": broken.index,
        "type": unit_type,
        "name": broken.name,
        "title": known.title if known else "unit of an unknown type",
        "byte": broken.byte,
        "size": values.get("nnr_unit_size"),
        "complete": False,
        "elements": _elements(data, unit_type, values, broken.elements, bits),
        "absent": [],
        "payload": None,
        "tensors": [],
    }


def _elements(
    data: memoryview,
    unit_type: int | None,
    values: Values,
    elements: Sequence[Element],
    bits: bool,
) -> Lazy[Element]:
    codebooks = codebooks_of(values)
    return Lazy(elements, lambda each: _element(data, unit_type, values, codebooks, each, bits))


def _element(
    data: memoryview,
    unit_type: int | None,
    values: Values,
    codebooks: Mapping[str, Codebook],
    element: Element,
    bits: bool,
) -> dict[str, Any]:
    field = field_of(unit_type, element)
    facts = {
        "name": element.name,
        "code": element.code,
        "bit": element.bit,
        "length": element.length,
        "value": finite(element.value),
        "meaning": meaning_of(unit_type, values, codebooks, element),
        "when": field.when.text if field and field.when else None,
    }
    if bits:
        facts["bits"] = raw_bits(data, element.bit, element.length)
    return facts


def _absent(unit: Unit) -> list[dict[str, Any]]:
    syntax = UNITS[unit.unit_type]
    present = {element.name.partition("[")[0].partition(".")[0] for element in unit.elements}
    absent, before = [], UNIT_HEADER[-1].name
    for item in (*syntax.header, *syntax.payload):
        if isinstance(item, Field | Group) and item.name not in present:
            absent.append(_absent_item(item, unit, before))
        if isinstance(item, Field | Group):
            before = item.name
    return absent


def _absent_item(item: Field | Group, unit: Unit, before: str) -> dict[str, Any]:
    return {
        "name": item.name,
        "after": before,
        "when": item.when.text if item.when else None,
        "value": finite(plain(unit.values.get(item.name))),
        "meaning": item.meaning,
    }


def _payload(unit: Unit, tensors: Sequence[DecodedTensor]) -> dict[str, Any] | None:
    if not unit.payload_size:
        return None
    total = 8 * unit.payload_size
    start = OFFSET_BITS if any(each.record.coding is not None for each in tensors) else 0
    coded = sum(each.record.payload_bits for each in tensors)
    bits = {"total": total, "start": start, "tensors": coded, "rest": total - start - coded}
    return {"byte": unit.payload_byte, "size": unit.payload_size, "bits": bits}


def tensor_facts(tensor: DecodedTensor) -> dict[str, Any]:
    """Return what is known of a tensor; what does not apply to it is None."""
    record = tensor.record
    return {
        "name": record.name,
        "role": record.role,
        "shape": list(record.shape),
        "dtype": record.dtype,
        "payload_type": record.payload_type,
        "quantization": _quantization(record),
        "codebook": None if record.codebook is None else list(record.codebook),
        "zero_offset": None if record.codebook is None else record.zero_offset,
        "coding": _coding(record),
        "levels": None if tensor.levels is None else _levels(tensor.levels),
        "bits": _bits(record),
    }


def _quantization(record: TensorRecord) -> dict[str, Any] | None:
    if record.qp is None:
        return None
    method = "dependent" if record.coding and record.coding.dependent else "uniform"
    return {
        "method": "codebook" if record.codebook is not None else method,
        "qp": record.qp,
        "qp_density": record.qp_density,
        "step": record.step,
    }


def _coding(record: TensorRecord) -> dict[str, Any] | None:
    coding, report = record.coding, record.report
    if coding is None or report is None:
        return None
    return {
        "matrix": [coding.height, coding.width],
        "scan_order": coding.scan_order,
        "unary_length": coding.unary_length,
        "row_skip": report.row_skip,
        "skipped_rows": report.skipped_rows,
        "temporal_context": record.temporal,
        "history_dependent_significance": report.hdsp,
        "has_history": record.history,
        "initialisation": [list(pair) for pair in report.initialisation],
        "entry_points": [
            {"value": each.value, "dq_state": each.dq_state, "bit_offset": each.bit_offset}
            for each in report.entry_points
        ],
    }


def _levels(levels: LevelStatistics) -> dict[str, Any]:
    return {
        "count": levels.count,
        "minimum": levels.minimum,
        "maximum": levels.maximum,
        "zeros": levels.zeros,
        "nonzero": levels.nonzero,
        "histogram": dict(levels.histogram()),
    }


def _bits(record: TensorRecord) -> dict[str, int]:
    """Return the bits by group; they sum to the tensor's part of the payload."""
    if record.report is None:
        return {"total": record.payload_bits, "values": record.payload_bits}
    groups = {name: record.report.bits.get(name, 0) for name in GROUPS}
    rest = record.payload_bits - sum(groups.values())
    return {"total": record.payload_bits, "quantization parameter": rest, **groups}
