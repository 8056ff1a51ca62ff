"""The tools that a stream uses, as the short names that samples declare.

::

    stream_features(stream, records)  # ('edition:second', 'payload:float', ...)

What a header only makes possible is not a feature: ``scan:8x8`` says that a tensor was scanned in
blocks, not that scan_order is 1. Without the records of its tensors a stream shows only what its
headers say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from conformance.nnc.payload import TensorRecord
from conformance.nnc.stream import Stream, Unit

_EDITIONS = {0: "first", 1: "second"}
_PAYLOADS = {0: "int", 1: "float", 2: "raw-float", 3: "block"}
_PARENTS = {0: "ndu-id", 1: "sha256", 2: "sha512"}
_TOPOLOGIES = {1: "nnef", 2: "onnx", 3: "pyt", 4: "tef", 5: "prun", 6: "reflist"}
_RAW_FLOAT = 2
_USUAL_UNARY_LENGTH = 10

_FLAGS: Mapping[str, str] = {
    "mps_parent_signalling_enabled_flag": "parent-signalling",
    "nnr_pre_flag": "pre-flag",
    "base_model_id_present_flag": "base-model-id",
    "validation_set_performance_present_flag": "validation-set-performance",
    "mps_topology_indexed_reference_flag": "indexed-references",
    "mps_sparsification_flag": "performance-map:sparsification",
    "lps_sparsification_flag": "performance-map:sparsification",
    "mps_pruning_flag": "performance-map:pruning",
    "lps_pruning_flag": "performance-map:pruning",
    "mps_unification_flag": "performance-map:unification",
    "lps_unification_flag": "performance-map:unification",
    "mps_decomposition_performance_map_flag": "performance-map:decomposition",
    "node_id_present_flag": "node-ids",
    "partial_data_counter_present_flag": "partial-data-counter",
}
"""Flags that are features by themselves, in whatever unit they are set."""

_ROLES: Mapping[str, str] = {
    "G": "decomposition",
    "H": "decomposition",
    "local-scaling": "local-scaling",
    "bias": "bias",
    **dict.fromkeys(("bn-beta", "bn-gamma", "bn-mean", "bn-var"), "batch-norm"),
}


def stream_features(stream: Stream, records: Sequence[TensorRecord] = ()) -> tuple[str, ...]:
    """Return the features of a stream, sorted; ``records`` are those of its decoded tensors."""
    return tuple(sorted({*_of_headers(stream), *_of_tensors(records)}))


def _of_headers(stream: Stream) -> Iterator[str]:
    if stream.profile in _EDITIONS:
        yield f"edition:{_EDITIONS[stream.profile]}"
    if stream.interpretation.dialect != "nncodec-2":
        yield f"dialect:{stream.interpretation.dialect}"
    for unit in stream.units:
        yield from (name for flag, name in _FLAGS.items() if unit.integer(flag) == 1)
        if unit.name == "LPS":
            yield "layer-parameter-set"
        elif unit.name == "TPL":
            yield from _named("topology", _TOPOLOGIES, unit, "topology_storage_format")
        elif unit.name == "NDU":
            yield from _of_data_unit(unit)


def _of_data_unit(unit: Unit) -> Iterator[str]:
    yield from _named("payload", _PAYLOADS, unit, "nnr_compressed_data_unit_payload_type")
    if unit.integer("parent_node_id_present_flag"):
        yield from _named("parent", _PARENTS, unit, "parent_node_id_type")
    if unit.values.get("entry_points"):
        yield "entry-points"
    if not unit.integer("tensor_dimensions_flag"):
        yield "out-of-band-dimensions"
    unary_length = (unit.integer("cabac_unary_length_minus1") or 0) + 1
    is_coded = unit.integer("nnr_compressed_data_unit_payload_type") != _RAW_FLOAT
    if is_coded and unary_length != _USUAL_UNARY_LENGTH:
        yield f"unary-length:{unary_length}"


def _named(kind: str, names: Mapping[int, str], unit: Unit, field: str) -> Iterator[str]:
    value = unit.integer(field)
    if value is not None and value in names:
        yield f"{kind}:{names[value]}"


def _of_tensors(records: Iterable[TensorRecord]) -> Iterator[str]:
    qps = set()
    for record in records:
        if record.role in _ROLES:
            yield _ROLES[record.role]
        if record.qp is not None:
            qps.add(record.qp)
            yield f"quantization:{_quantization(record)}"
        yield from _of_coding(record)
    if len(qps) > 1:
        yield "qp-per-tensor"


def _quantization(record: TensorRecord) -> str:
    if record.codebook is not None:
        return "codebook"
    return "dependent" if record.coding and record.coding.dependent else "uniform"


def _of_coding(record: TensorRecord) -> Iterator[str]:
    if record.coding and record.coding.scan_order:
        block = 4 << record.coding.scan_order
        yield f"scan:{block}x{block}"
    if record.temporal:
        yield "temporal-context"
    if record.report and record.report.row_skip:
        yield "row-skip"
    if record.report and record.report.hdsp:
        yield "history-dependent-significance"
