"""The elements of a payload, which are not header codes, in their order.

Payloads are not parsed by a description, for the sake of speed; :mod:`conformance.nnc.cabac`
decodes them. This table names their elements, for the documentation and the inspector.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PayloadElement:
    """One kind of element.

    ``coding``: ``context``, a bin with a context model; ``bypass(n)``, n bins of even odds;
    ``iae(n)``, n such bins as an integer in two's complement; ``terminate``; ``flt(32)``;
    ``u(n)``. ``models`` are the numbers of the context models, with N =
    cabac_unary_length_minus1 + 1. ``group`` is the name under which its bits are counted.
    """

    name: str
    coding: str
    models: str
    when: str
    meaning: str
    group: str


_QUANTIZED = "FLOAT or BLOCK"
_CODED = "INT, FLOAT or BLOCK"
_MATRIX = "second edition, more than one row and column, codebook size not 1"

PAYLOAD_ELEMENTS = (
    PayloadElement(
        "raw_float_value",
        "flt(32)",
        "",
        "RAW_FLOAT",
        "An element of the tensor, once for each, in C order; nothing else is in the payload.",
        "",
    ),
    PayloadElement(
        "qp_value",
        "iae(6 + qp_density)",
        "",
        f"{_QUANTIZED}, once for each tensor",
        "qp = qp_value + quantization_parameter.",
        "flags",
    ),
    PayloadElement(
        "hist_dep_sig_prob_enabled_flag",
        "bypass(1)",
        "",
        f"{_MATRIX}; parent_node_id_present_flag == 1",
        "Whether significance depends on which elements were changed by earlier updates.",
        "flags",
    ),
    PayloadElement(
        "row_skip_flag",
        "bypass(1)",
        "",
        _MATRIX,
        "Whether the rows that are all zero are listed.",
        "flags",
    ),
    PayloadElement(
        "row_skip_list",
        "context",
        "53 + 4N + 36",
        "row_skip_flag == 1, once for each row, top to bottom",
        "1: the row is all zero and is not coded.",
        "flags",
    ),
    PayloadElement(
        "shift_idx_present_flag",
        "context",
        "53 + 4N + 34",
        f"{_CODED}, once for each context model that the tensor can use",
        "Whether the model has an initial state other than the first of the table.",
        "initialisation",
    ),
    PayloadElement(
        "shift_idx_minus1",
        "bypass(3)",
        "",
        "shift_idx_present_flag == 1",
        "The number of the initial state in the table, less 1.",
        "initialisation",
    ),
    PayloadElement(
        "sig_flag",
        "context",
        "0..23; 24..39 with a temporal context; 40..47 with history",
        "once for each level, unless its row is skipped or the codebook has one entry",
        "Whether the level is not 0.",
        "significance",
    ),
    PayloadElement(
        "sign_flag",
        "context",
        "48..50; 51..52 with a temporal context",
        "sig_flag == 1, unless the codebook has entries on one side of the zero offset only",
        "1: the level is negative.",
        "sign",
    ),
    PayloadElement(
        "abs_level_greater_x",
        "context",
        "53 .. 53 + 2N - 1; 53 + 2N .. 53 + 4N - 1 with a temporal context",
        "sig_flag == 1, up to N times, as long as the one before is 1",
        "Whether the absolute level is greater than 1, 2, 3, ...",
        "greater-than",
    ),
    PayloadElement(
        "abs_level_greater_x2",
        "context",
        "53 + 4N .. 53 + 4N + 30; one more in NNCodec 1.0",
        "all abs_level_greater_x are 1, up to 31 times, as long as the one before is 1",
        "The prefix of an Exp-Golomb code of order 0 of what is left of the absolute level.",
        "remainder",
    ),
    PayloadElement(
        "abs_remainder",
        "bypass(n)",
        "",
        "after n > 0 times abs_level_greater_x2 = 1",
        "The suffix of the Exp-Golomb code.",
        "bypass",
    ),
    PayloadElement(
        "end_of_payload",
        "terminate",
        "",
        f"{_CODED}, after the last tensor",
        "Always 1.",
        "",
    ),
    PayloadElement(
        "stop_pattern",
        "u(n)",
        "",
        f"{_CODED}, the last bit read and the rest of its byte",
        "One bit 1 and then zeros.",
        "",
    ),
)
"""All elements of payloads."""
