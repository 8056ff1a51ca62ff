"""The header syntax of ISO/IEC 15938-17, written once.

:data:`UNITS` describes every NNR unit as data: fields with name, code, condition, inferred value,
meaning and constraints. The parser, the writer, the check of constraints, the inspector and the
page ``docs/nnc-syntax.md`` all follow this one description::

    from conformance.nnc.syntax import UNITS

    ndu = UNITS[5]
    print([item.name for item in ndu.header if isinstance(item, Field)])

One module per part of the format: :mod:`~conformance.nnc.syntax.common` (unit size, common
header, start unit), :mod:`~conformance.nnc.syntax.parameter_sets`,
:mod:`~conformance.nnc.syntax.topology`, :mod:`~conformance.nnc.syntax.compressed_data`;
:mod:`~conformance.nnc.syntax.payload` names the entropy-coded elements of a payload.
:mod:`~conformance.nnc.syntax.items` has the words of the description,
:mod:`~conformance.nnc.syntax.walk` follows it.

The names are those of the standard where NNCodec 2.1.3 uses or implies them.
"""

from __future__ import annotations

from conformance.nnc.syntax.common import START_UNIT, UNIT_HEADER, UNIT_SIZE
from conformance.nnc.syntax.compressed_data import COMPRESSED_DATA_UNIT
from conformance.nnc.syntax.items import (
    Constraint,
    Derived,
    Field,
    Group,
    Item,
    Refusal,
    UnitSyntax,
)
from conformance.nnc.syntax.parameter_sets import LAYER_PARAMETER_SET, MODEL_PARAMETER_SET
from conformance.nnc.syntax.payload import PAYLOAD_ELEMENTS, PayloadElement
from conformance.nnc.syntax.topology import AGGREGATE_UNIT, QUANTIZATION_UNIT, TOPOLOGY_UNIT

UNITS = {
    unit.unit_type: unit
    for unit in (
        START_UNIT,
        MODEL_PARAMETER_SET,
        LAYER_PARAMETER_SET,
        TOPOLOGY_UNIT,
        QUANTIZATION_UNIT,
        COMPRESSED_DATA_UNIT,
        AGGREGATE_UNIT,
    )
}
"""The types of NNR units, by ``nnr_unit_type``."""

__all__ = [
    "PAYLOAD_ELEMENTS",
    "UNITS",
    "UNIT_HEADER",
    "UNIT_SIZE",
    "Constraint",
    "Derived",
    "Field",
    "Group",
    "Item",
    "PayloadElement",
    "Refusal",
    "UnitSyntax",
]
