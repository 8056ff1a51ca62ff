"""For every rule of the validator a stream that breaks it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from conformance.nnc.encoder import CodedTensor, LevelTools, UnitCoding, encode_unit
from conformance.nnc.options import Limits, Options
from conformance.nnc.quantization import Codebook
from conformance.nnc.state import DecoderState, Reference
from tests.nnc.inspection.streams import (
    START,
    TOPOLOGY,
    around,
    block_unit,
    data,
    float_unit,
    int_unit,
    join,
    model,
    raw,
    some_levels,
)

MAPS = {"spm": "sparsification", "ppm": "pruning", "upm": "unification"}
COUNTS = {
    "spm": "spm_count_thresholds",
    "ppm": "ppm_count_pruning_ratios",
    "upm": "upm_count_thresholds",
}


DEFAULTS = Options()


@dataclass(frozen=True)
class Case:
    """A stream, how it is read, and the field that is to blame."""

    stream: bytes
    field: str
    options: Options = DEFAULTS
    state: Callable[[], DecoderState | None] = lambda: None


def with_map(prefix: str, **values: Any) -> dict[str, Any]:
    """Return values of a performance map with one entry."""
    kind = MAPS[prefix]
    return {COUNTS[prefix]: 2, f"{kind}_performance_map": [values]}


def layer(**values: Any) -> bytes:
    """Return a stream with a layer parameter set."""
    return around(("LPS", values, b""), data(float_unit()))


def parameters(**values: Any) -> bytes:
    """Return a stream with other model parameters."""
    return around(data(float_unit()), **values)


def unit(**values: Any) -> bytes:
    """Return a stream whose data unit has other values in its header."""
    return around(data(float_unit(), **values))


def chained() -> DecoderState:
    """Return what a stream before left of the tensor ``w``."""
    levels = some_levels((20, 6)).ravel()
    return DecoderState({"w": Reference(levels, 0, 0, 4)})


def update(**values: Any) -> bytes:
    """Return a stream of differences."""
    node = {"node_id_present_flag": 1, "parent_node_id_present_flag": 1, **values}
    return around(data(float_unit(parent=True), **node), mps_parent_signalling_enabled_flag=1)


def damaged(stream: bytes, byte: int, value: int) -> bytes:
    """Return the stream with another byte."""
    changed = bytearray(stream)
    changed[byte] = value
    return bytes(changed)


def decomposed(**values: Any) -> bytes:
    """Return a stream with a block of G and H."""
    block = block_unit(1, ("w_G", "G", (8, 2)), ("w_H", "H", (2, 6)), dimensions=(8, 6))
    return around(data(block, **values))


def skipping() -> bytes:
    """Return rows skipped in blocks, on a trellis, 5 wide."""
    levels = some_levels((16, 5))
    levels[3] = 0
    skipped = np.arange(16) == 3
    tools = LevelTools(skipped=skipped)
    coded = float_unit(shape=(16, 5), levels=levels, tools=tools, dependent=True, scan_order=1)
    return around(data(coded))


def wrong_entries() -> bytes:
    """Return entry points of which one has another offset."""
    coded = float_unit(shape=(20, 6), scan_order=1)
    entries: Any = [dict(entry) for entry in coded.values["entry_points"]]
    entries[1]["value"] ^= 1
    return around(data(coded, entry_points=entries))


def crowded() -> bytes:
    """Return a block of G and H with codebooks, and a bias."""
    codebook = Codebook((-1, 0, 1), 1)
    members = [
        CodedTensor("w_G", "G", (8, 2), np.ones((8, 2), np.int32), -20, codebook),
        CodedTensor("w_H", "H", (2, 6), np.ones((2, 6), np.int32), -20, codebook),
        CodedTensor("b", "bias", (8,), np.ones(8, np.int32), -20),
    ]
    return around(data(encode_unit(members, UnitCoding("BLOCK", dimensions=(8, 6)))))


def factor(name: str) -> bytes:
    """Return a factor of a decomposition in a FLOAT unit, under a name."""
    member = CodedTensor("w_G", "G", (8, 2), np.ones((8, 2), np.int32), -20)
    coded = encode_unit([member], UnitCoding("FLOAT", dimensions=(8, 6), block_types=1))
    return around(data(coded, topology_elem_id=name))


def scalar() -> bytes:
    """Return a tensor without dimensions."""
    coded = float_unit(shape=(1,), levels=[3])
    return around(data(coded, count_tensor_dimensions=0, tensor_dimensions=()))


def without_stop_bit() -> bytes:
    """Return a payload whose last byte has another bit after the stop bit."""
    streams = (around(data(float_unit(shape=(rows, 6)))) for rows in range(10, 40))
    stream = next(stream for stream in streams if not stream[-1] & 1)
    return damaged(stream, len(stream) - 1, stream[-1] | 1)


TENSOR = data(float_unit())
NAMED = data(float_unit("i"))
HUGE = {"count_tensor_dimensions": 2, "tensor_dimensions": (1 << 20, 1 << 20)}
CODEBOOK = {
    "codebook_present_flag": 1,
    "codebook": {"codebook_size": 1, "codebook_zero_value": 1 << 31},
}
BY_INDEX = {"mps_topology_indexed_reference_flag": 1}
LIST = {"topology_storage_format": 6, "topology_elem_ids": ("w", "v")}
INDEXED = data(float_unit(), topology_elem_id=None, topology_elem_id_index=0)

BLOCK = block_unit(8, ("w", "weight", (20, 6)), ("b", "bias", (20,)))

BREACHES: dict[str, Case] = {
    "NNC-STREAM-001": Case(join(START, model(), TOPOLOGY, TENSOR)[4:], "nnr_unit_type"),
    "NNC-STREAM-002": Case(2 * around(TENSOR), "nnr_unit_type"),
    "NNC-STREAM-003": Case(around(TENSOR)[:-1], "nnr_unit_size"),
    "NNC-STREAM-004": Case(around(TENSOR) + b"\0\2\x16\0", "nnr_unit_size"),
    "NNC-STREAM-005": Case(around(TENSOR) + join(START, model())[4:], "nnr_unit_type"),
    "NNC-STREAM-006": Case(around(TENSOR)[:4] + around(TENSOR)[12:], "nnr_unit_type"),
    "NNC-STREAM-007": Case(around(TENSOR) + b"\0\4\x7e\0", "nnr_unit_type"),
    "NNC-STREAM-008": Case(around(), ""),
    "NNC-STREAM-009": Case(around(TENSOR, TOPOLOGY), "nnr_unit_type"),
    "NNC-STREAM-010": Case(join(START, model(), TENSOR), "topology_carriage_flag"),
    "NNC-STREAM-011": Case(
        parameters(independently_decodable_flag=0), "independently_decodable_flag"
    ),
    "NNC-STREAM-012": Case(
        parameters(partial_data_counter_present_flag=1), "partial_data_counter_present_flag"
    ),
    "NNC-UNIT-001": Case(unit(nnr_unit_size_flag=1), "nnr_unit_size"),
    "NNC-STR-001": Case(damaged(around(TENSOR), 3, 1 << 7), "general_profile_idc"),
    "NNC-MPS-001": Case(
        parameters(mps_quantization_method_flags=5), "mps_quantization_method_flags"
    ),
    "NNC-MPS-002": Case(parameters(mps_reserved_zero_bit=1), "mps_reserved_zero_bit"),
    "NNC-MPS-003": Case(parameters(mps_reserved_zero_2bits=2), "mps_reserved_zero_2bits"),
    "NNC-MPS-004": Case(
        join(
            ("STR", {"general_profile_idc": 0}, b""),
            model(mps_reserved_zero_7bits=64),
            TOPOLOGY,
            data(float_unit(profile=0)),
        ),
        "mps_reserved_zero_7bits",
    ),
    "NNC-MPS-005": Case(parameters(align=192), "align"),
    **{
        f"NNC-MPS-{prefix.upper()}": Case(
            parameters(
                **{f"mps_{kind}_flag": 1}, **with_map(prefix, **{f"{prefix}_class_bitmask": 3})
            ),
            f"{kind}_performance_map[0].{prefix}_class_bitmask",
        )
        for prefix, kind in MAPS.items()
    },
    "NNC-LPS-001": Case(
        layer(lps_quantization_method_flags=5, lps_qp_density=2), "lps_quantization_method_flags"
    ),
    "NNC-LPS-002": Case(layer(lps_header_reserved_zero_7bits=1), "lps_header_reserved_zero_7bits"),
    "NNC-LPS-003": Case(layer(lps_reserved_zero_bit=1), "lps_reserved_zero_bit"),
    "NNC-LPS-004": Case(layer(lps_trailing_reserved_zero_bit=1), "lps_trailing_reserved_zero_bit"),
    "NNC-LPS-005": Case(layer(align=0), "align"),
    **{
        f"NNC-LPS-{prefix.upper()}": Case(
            layer(**{f"lps_{kind}_flag": 1}, **with_map(prefix, **{f"{prefix}_class_bitmask": 3})),
            f"{kind}_performance_map[0].{prefix}_class_bitmask",
        )
        for prefix, kind in MAPS.items()
    },
    "NNC-TPL-001": Case(
        around(("TPL", {"topology_storage_format": 7}, b""), TENSOR), "topology_storage_format"
    ),
    "NNC-TPL-002": Case(
        around(("TPL", {"topology_compression_format": 2}, b""), TENSOR),
        "topology_compression_format",
    ),
    "NNC-TPL-003": Case(
        around(("TPL", {**LIST, "topology_elem_ids_align": 0}, b""), TENSOR),
        "topology_elem_ids_align",
    ),
    "NNC-NDU-001": Case(
        around(
            data(float_unit(), nnr_compressed_data_unit_payload_type=3),
        ),
        "nnr_multiple_topology_elements_present_flag",
    ),
    "NNC-NDU-002": Case(around(data(BLOCK, topology_elem_ids_align=1)), "topology_elem_ids_align"),
    "NNC-NDU-003": Case(
        join(
            START,
            model(**BY_INDEX),
            ("TPL", LIST, b""),
            data(
                BLOCK,
                topology_elem_ids=(),
                topology_elem_id_indices=(0, 1),
                topology_elem_id_indices_align=1,
            ),
        ),
        "topology_elem_id_indices_align",
    ),
    "NNC-NDU-004": Case(unit(first_tensor_dimension_shift=2), "first_tensor_dimension_shift"),
    "NNC-NDU-005": Case(unit(align=0), "align"),
    "NNC-NAME-001": Case(around(TENSOR, NAMED, NAMED), "topology_elem_id"),
    "NNC-NAME-002": Case(unit(topology_elem_id=""), "topology_elem_id"),
    "NNC-TENSOR-001": Case(scalar(), "count_tensor_dimensions"),
    "NNC-TENSOR-002": Case(unit(tensor_dimensions=(20, 0)), "tensor_dimensions[1]"),
    "NNC-TENSOR-003": Case(unit(**HUGE), "tensor_dimensions"),
    "NNC-TENSOR-004": Case(
        unit(tensor_dimensions_flag=0),
        "tensor_dimensions_flag",
        Options(dimensions={"w": (20, 6)}),
    ),
    "NNC-TENSOR-005": Case(around(data(float_unit(shape=(1, 40)), scan_order=1)), "scan_order"),
    "NNC-TENSOR-006": Case(
        unit(nnr_decompressed_data_format_present_flag=1, nnr_decompressed_data_format=10),
        "nnr_decompressed_data_format",
    ),
    "NNC-TENSOR-007": Case(
        unit(nnr_decompressed_data_format_present_flag=1, nnr_decompressed_data_format=5),
        "nnr_decompressed_data_format",
    ),
    "NNC-TENSOR-008": Case(around(data(int_unit([[1, 2], [3, 4]]), dq_flag=1)), "dq_flag"),
    "NNC-TENSOR-009": Case(unit(**CODEBOOK, dq_flag=1), "dq_flag"),
    "NNC-TENSOR-010": Case(
        around(data(int_unit([[1, 2], [3, 4]]), compressed_parameter_types=8)),
        "compressed_parameter_types",
    ),
    "NNC-TENSOR-011": Case(factor("weight"), "topology_elem_id"),
    "NNC-TENSOR-012": Case(
        around(data(BLOCK, compressed_parameter_types=2 + 8)), "compressed_parameter_types"
    ),
    "NNC-TENSOR-013": Case(decomposed(g_number_of_rows=7), "g_number_of_rows"),
    "NNC-NUMBER-001": Case(
        parameters(
            validation_set_performance_present_flag=1, validation_set_performance=float("nan")
        ),
        "validation_set_performance",
    ),
    "NNC-NUMBER-002": Case(
        parameters(mps_unification_flag=1, **with_map("upm", upm_align=0)),
        "unification_performance_map[0].upm_align",
    ),
    "NNC-CODEBOOK-001": Case(unit(**CODEBOOK), "codebook.codebook_zero_value"),
    "NNC-CODEBOOK-002": Case(
        around(data(float_unit(codebook=Codebook((0,), 0), levels=np.zeros((20, 6))))),
        "codebook.codebook_zero_value",
    ),
    "NNC-PAYLOAD-001": Case(without_stop_bit(), "the stop pattern"),
    "NNC-ENTRY-001": Case(wrong_entries(), "entry_points[1].value"),
    "NNC-LEVEL-001": Case(skipping(), "levels of 'w'"),
    "NNC-LEVEL-002": Case(
        around(
            data(
                float_unit(tools=LevelTools(history_flag=True), parent=True),
                node_id_present_flag=1,
                put_node_depth=1,
                parent_node_id_present_flag=1,
            ),
            mps_parent_signalling_enabled_flag=1,
        ),
        "levels of 'w'",
    ),
    "NNC-LEVEL-003": Case(
        around(
            data(
                int_unit([[1, 2], [200, 4]]),
                nnr_decompressed_data_format_present_flag=1,
                nnr_decompressed_data_format=5,
            )
        ),
        "nnr_decompressed_data_format",
    ),
    "NNC-STEP-001": Case(around(data(float_unit(qp=116))), "qp of 'w'"),
    "NNC-STEP-002": Case(parameters(mps_quantization_parameter=-700), "qp of 'w'"),
    "NNC-STEP-003": Case(parameters(mps_quantization_parameter=530), "qp of 'w'"),
    "NNC-NODE-001": Case(update(put_node_depth=0), "put_node_depth"),
    "NNC-NODE-002": Case(unit(node_id_present_flag=1, put_node_depth=2), "put_node_depth"),
    "NNC-NODE-003": Case(
        around(
            data(float_unit("a"), node_id_present_flag=1),
            data(float_unit("b"), node_id_present_flag=1),
        ),
        "device_id",
    ),
    "NNC-NODE-004": Case(update(put_node_depth=4), "put_node_depth", state=chained),
    "NNC-READ-001": Case(unit(scan_order=5), "scan_order"),
    "NNC-READ-002": Case(damaged(around(TENSOR), 62, 0), ""),
    "NNC-READ-003": Case(
        around(TENSOR), "tensor_dimensions", Options(limits=Limits(decoded_bytes=8))
    ),
    "NNC-READ-004": Case(
        unit(partial_data_counter_present_flag=1, partial_data_counter=1), "partial_data_counter"
    ),
    "NNC-INTEROP-001": Case(layer(), "nnr_unit_type"),
    "NNC-INTEROP-002": Case(factor("w_G"), "compressed_parameter_types"),
    "NNC-INTEROP-003": Case(crowded(), "compressed_parameter_types"),
    "NNC-INTEROP-004": Case(
        join(START, model(**BY_INDEX), ("TPL", LIST, b""), INDEXED),
        "mps_topology_indexed_reference_flag",
    ),
    "NNC-INTEROP-005": Case(
        parameters(
            mps_unification_flag=1,
            **with_map(
                "upm",
                upm_count_classes=2,
                upm_class_bitmask=3,
                upm_nn_class_accuracy=(0.5, struct.unpack("<f", b"\0\0\0\x3f")[0]),
            ),
        ),
        "unification_performance_map[0].upm_class_bitmask",
    ),
    "NNC-INTEROP-006": Case(around(data(raw())), "nnr_compressed_data_unit_payload_type"),
}
"""A case for every rule, in the order of the catalogue where that does not matter."""
