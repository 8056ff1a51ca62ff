"""Constant nodes of the main graph whose tensor is taken for an initializer.

ONNX Runtime does the same when it loads a graph; done here, the tensor need not be read, and can
be replaced. Field numbers: ``onnx.proto``, messages NodeProto and AttributeProto.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.onnx.header import read_record
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.wire import LENGTH, VARINT, Span, WireReader, varint

_OUTPUT, _NAME, _OP_TYPE, _ATTRIBUTE, _DOMAIN = 2, 3, 4, 5, 7
_ATTRIBUTE_NAME, _ATTRIBUTE_TENSOR, _ATTRIBUTE_DOC, _ATTRIBUTE_TYPE = 1, 5, 13, 20
_TENSOR = 4
_CONSTANT = bytes([_OP_TYPE << 3 | LENGTH, 8]) + b"Constant"
_STANDARD = ("", "ai.onnx")
_ATTRIBUTE_BYTES = 16
"""Bytes of an attribute in addition to its tensor: its name, ``value``, its type, and headers."""


@dataclass(frozen=True, slots=True)
class ConstantNode:
    """The tensor of a Constant node, and the node without it, as a field."""

    record: TensorRecord
    stub: bytes


def read_constant(
    reader: WireReader, file: MappedFile, span: Span, element: str
) -> ConstantNode | None:
    """Return the tensor of the node in ``span``; None if it is not a Constant with a tensor.

    Nodes that say anything twice, or hold their numbers in another way, are None too. Errors as
    for :func:`read_record`.
    """
    if not file.find(_CONSTANT, span):
        return None
    texts: dict[int, str] = {}
    kept: list[bytes | memoryview] = []
    tensor: Span | None = None
    spare = 0
    for entry in reader.fields(span, element):
        if entry.number in (_OUTPUT, _NAME, _OP_TYPE, _DOMAIN) and entry.wire_type == LENGTH:
            if entry.number in texts:
                return None
            texts[entry.number] = reader.text(entry.span, element)
        elif entry.number == _ATTRIBUTE and entry.wire_type == LENGTH:
            if tensor is not None:
                return None
            tensor = _value(reader, entry.span, element)
            if tensor is None:
                return None
            spare += max(0, entry.span.size - tensor.size - _ATTRIBUTE_BYTES)
            continue
        kept.append(reader.data[entry.start : entry.span.end])
    output = texts.get(_OUTPUT, "")
    is_constant = texts.get(_OP_TYPE) == "Constant" and texts.get(_DOMAIN, "") in _STANDARD
    if tensor is None or not is_constant or not output:
        return None
    name = texts.get(_NAME, "")
    place = f"{element} Constant{f' {name}' if name else ''}.value"
    record = read_record(reader, tensor, place, output)
    return ConstantNode(replace(record, spare=record.spare + spare), _stub(b"".join(kept)))


def _value(reader: WireReader, span: Span, element: str) -> Span | None:
    """Return the tensor of the attribute ``value``; None if the attribute is anything else."""
    name, tensor = "", None
    for entry in reader.fields(span, element):
        if entry.number == _ATTRIBUTE_NAME and entry.wire_type == LENGTH:
            name = reader.text(entry.span, element)
        elif entry.number == _ATTRIBUTE_TENSOR and entry.wire_type == LENGTH and tensor is None:
            tensor = entry.span
        elif entry.number == _ATTRIBUTE_TYPE and entry.wire_type == VARINT:
            if entry.value != _TENSOR:
                return None
        elif entry.number != _ATTRIBUTE_DOC:
            return None
    return tensor if name == "value" else None


def _stub(body: bytes) -> bytes:
    """Return a node as field ``node`` of a graph."""
    return bytes([1 << 3 | LENGTH]) + varint(len(body)) + body
