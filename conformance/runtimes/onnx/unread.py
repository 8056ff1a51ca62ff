"""Bytes of an ONNX model that nothing reads: documentation, metadata, what is not called, gaps.

Exporters note with each node where it comes from (names of modules, a stack trace). That is
overhead of the graph, as far as it stays as short as they write it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from google.protobuf.message import Message
from onnx import FunctionProto, GraphProto, NodeProto, StringStringEntryProto

from conformance.runtimes._protocol import Unread
from conformance.runtimes.onnx.functions import FunctionKey, function_key
from conformance.runtimes.onnx.layout import Layout
from conformance.runtimes.onnx.messages import parse_model
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.usage import Usage
from conformance.runtimes.onnx.wire import Span

_NOTES = ("doc_string", "metadata_props")
_FREE_OF_NODE = 2 << 10
"""Bytes that an exporter may note with a node: PyTorch's writes 800 for a shallow network."""

_MOST_OF_NODE, _SHARE_OF_NODES = 16 << 10, 4
"""With modules within modules it writes up to 9 KiB: let pass up to a quarter of the parameters."""

_FREE = 256
"""Bytes that it may note with a value, a tensor or a graph."""

LONGEST_NAME = 1 << 10
"""Bytes of a name, a domain or a version that are not spare."""

_ALIGNED, _LARGE, _PAGE = 64, 1 << 20, 64 << 10


def unread_in_model(layout: Layout, file: str, used_bytes: int) -> Iterator[Unread]:
    """Yield what nothing reads in the model file of ``layout``, stored tensors aside.

    ``used_bytes`` are those of the parameters that outputs depend on. The graph is parsed once
    more: opening removes from it what this is about.
    """
    model = parse_model(layout.rest)
    model.DiscardUnknownFields()
    spare = len(layout.rest) - model.ByteSize()
    yield Unread(file, "fields that ONNX does not have, or has once", spare)
    called = Usage(model).called(model.graph)
    for function in model.functions:
        if function_key(function) not in called:
            name = f"function {function.name}, which no output depends on"
            yield Unread(file, name, function.ByteSize())
    for info in model.training_info:
        yield Unread(file, "training_info", info.ByteSize())
    model.ClearField("training_info")
    traces: list[tuple[str, int]] = []
    for element, size in _notes(model, "model", called, traces):
        yield Unread(file, element, size)
    usual = all(size <= _MOST_OF_NODE - _FREE_OF_NODE for _, size in traces)
    if not usual or sum(size for _, size in traces) > used_bytes // _SHARE_OF_NODES:
        yield from (Unread(file, element, size) for element, size in traces)
    for record in layout.records:
        if record.spare > _FREE:
            yield Unread(file, f"documentation of {record.element}", record.spare - _FREE)


def gaps(claimed: Iterable[tuple[Span, TensorRecord]], size: int, file: str) -> Iterator[Unread]:
    """Yield the bytes of a file of external data that no tensor names.

    Large tensors may begin at a page, as ``onnx`` writes them.
    """
    after = 0
    for span, record in sorted(claimed, key=lambda each: each[0]):
        most = _PAGE if span.size >= _LARGE else _ALIGNED
        if span.begin - after >= most:
            piece = f"bytes {after} to {span.begin}, before {record.name}, which no tensor names"
            yield Unread(file, piece, span.begin - after)
        after = max(after, span.end)
    if size - after >= _ALIGNED:
        piece = f"bytes {after} to {size}, after the last tensor, which no tensor names"
        yield Unread(file, piece, size - after)


def _notes(
    message: Message,
    element: str,
    called: frozenset[FunctionKey],
    traces: list[tuple[str, int]],
) -> Iterator[tuple[str, int]]:
    """Yield what documentation, metadata and names are longer than exporters write them.

    What is noted with nodes goes to ``traces``.
    """
    notes = 0
    for field, value in message.ListFields():
        if field.name in _NOTES:
            notes += _size(value)
        elif field.type == field.TYPE_STRING:
            long = sum(max(0, _size(text) - LONGEST_NAME) for text in _several(value))
            yield f"{field.name} of {element}", long
        elif field.type == field.TYPE_MESSAGE:
            for index, inner in enumerate(_several(value)):
                if isinstance(inner, FunctionProto) and function_key(inner) not in called:
                    continue
                yield from _notes(inner, _place(element, field.name, index, inner), called, traces)
    if not isinstance(message, NodeProto):
        yield f"documentation of {element}", notes - _FREE
    elif notes > _FREE_OF_NODE:
        traces.append((f"documentation of {element}", notes - _FREE_OF_NODE))


def _place(element: str, field: str, index: int, inner: Message) -> str:
    around = "" if element == "model" else f"{element}."
    if isinstance(inner, GraphProto):
        return f"{around}{field}"
    return f"{around}{field}[{index}]"


def _several(value: object) -> Sequence[object]:
    return [value] if isinstance(value, (str, bytes, Message)) else list(value)  # type: ignore[call-overload]


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode(errors="surrogatepass"))
    if isinstance(value, (bytes, Message)):
        return len(value) if isinstance(value, bytes) else value.ByteSize()
    return sum(
        each.ByteSize() for each in _several(value) if isinstance(each, StringStringEntryProto)
    )
