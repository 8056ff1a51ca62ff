"""NNR_TPL, NNR_QNT and NNR_AGG: topology, quantization and aggregate units.

None of them changes how tensors are decoded. What has no known syntax is kept as bytes.
"""

from __future__ import annotations

from conformance.nnc.syntax.common import align
from conformance.nnc.syntax.items import Field, UnitSyntax, constraint, derived, field

_STORAGE_FORMATS = {
    0: "NNR_TPL_UNREC, unspecified",
    1: "NNR_TPL_NNEF",
    2: "NNR_TPL_ONNX",
    3: "NNR_TPL_PYT, PyTorch",
    4: "NNR_TPL_TEF, TensorFlow",
    5: "NNR_TPL_PRUN, pruning information",
    6: "NNR_TPL_REFLIST, list of element ids",
}
_COMPRESSION_FORMATS = {0: "raw", 1: "deflate"}
_IS_TEXT = "topology_compression_format == 0 and topology_storage_format <= 4"
_IS_LIST = "topology_compression_format == 0 and topology_storage_format == 6"


def count_of_elements(when: str) -> Field:
    """Return the first field of topology_elements_ids_list."""
    return field(
        "count_topology_elements_minus2",
        "ue(7)",
        "The number of element ids, less 2.",
        when=when,
    )


def element_names(when: str, rule: str) -> tuple[Field, Field]:
    """Return the rest of topology_elements_ids_list where ids are names."""
    return (
        field(
            "topology_elem_ids_align",
            "align",
            "Up to the byte boundary at which the first id begins.",
            when=when,
            constraints=align(rule),
        ),
        field(
            "topology_elem_ids",
            "st(v)",
            "The name of a tensor.",
            when=when,
            count="count_topology_elements_minus2 + 2",
        ),
    )


TOPOLOGY_UNIT = UnitSyntax(
    unit_type=3,
    name="TPL",
    title="NNR_TPL, topology unit",
    meaning="The topology of the network, or the list of names that indices refer to.",
    header=(
        field(
            "topology_storage_format",
            "u(8)",
            "The format of the topology.",
            values=_STORAGE_FORMATS,
            constraints=(
                constraint(
                    "NNC-TPL-001",
                    "topology_storage_format is at most 6",
                    "value <= 6",
                    "write one of the formats 0 to 6",
                ),
            ),
        ),
        field(
            "topology_compression_format",
            "u(8)",
            "How the topology is compressed.",
            values=_COMPRESSION_FORMATS,
            constraints=(
                constraint(
                    "NNC-TPL-002",
                    "topology_compression_format is 0 or 1",
                    "value <= 1",
                    "write 0 for raw or 1 for deflate",
                ),
            ),
        ),
    ),
    payload=(
        count_of_elements(_IS_LIST),
        *element_names(_IS_LIST, "NNC-TPL-003"),
        field("topology_data", "st(v)", "The topology.", when=_IS_TEXT),
        field(
            "topology_data_bytes",
            "bytes",
            "The topology, compressed or of a format whose syntax is not known.",
            when=f"not ({_IS_TEXT}) and not ({_IS_LIST})",
        ),
        derived(
            "reference_list",
            f"topology_elem_ids if {_IS_LIST} else None",
            "The names that indices of later data units refer to.",
        ),
    ),
    exports=("reference_list",),
)

QUANTIZATION_UNIT = UnitSyntax(
    unit_type=4,
    name="QNT",
    title="NNR_QNT, quantization unit",
    meaning="Quantization information of the network; NNCodec does not decode it.",
    header=(
        field("quantization_storage_format", "u(8)", "The format of the quantization data."),
        field(
            "quantization_compression_format",
            "u(8)",
            "How the quantization data is compressed.",
            values=_COMPRESSION_FORMATS,
        ),
    ),
    payload=(
        field(
            "quantization_data",
            "st(v)",
            "The quantization data.",
            when="quantization_compression_format == 0",
        ),
        field(
            "quantization_data_bytes",
            "bytes",
            "The quantization data, compressed.",
            when="quantization_compression_format != 0",
        ),
    ),
)

AGGREGATE_UNIT = UnitSyntax(
    unit_type=6,
    name="AGG",
    title="NNR_AGG, aggregate unit",
    meaning="Several units in one; NNCodec has no syntax for it.",
    header=(),
    payload=(
        field("aggregate_unit_bytes", "bytes", "What the unit holds; its syntax is not known."),
    ),
)
