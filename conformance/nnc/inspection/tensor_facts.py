"""What is known of one decoded tensor, as JSON: quantization, tools, levels, and what it cost."""

from __future__ import annotations

from typing import Any

from conformance.nnc.inspection.examination import DecodedTensor
from conformance.nnc.inspection.statistics import LevelStatistics
from conformance.nnc.tensors import TensorRecord

GROUPS = (
    "flags",
    "initialisation",
    "significance",
    "sign",
    "greater-than",
    "remainder",
    "bypass",
)
"""What the bits of levels are counted under, in the order of the payload."""


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
