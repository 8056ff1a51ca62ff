"""Bytes of an ONNX model that nothing reads: documentation, metadata, dead functions and the like.

PyTorch's exporter notes with each node where it comes from (modules, a stack trace): on average
0.6 KiB in a plain CNN, 1.3 KiB in a ResNet-50 or a transformer, which is 0.1 % of a ResNet-50, 7 %
of a CNN of 73 kB and 23 % of a transformer of 0.9 MB. A required check must not refuse what the
most used exporter writes by default, so that this is overhead of the graph, like names: under the
exporter's own keys, up to 2 KiB for each node that an output depends on. All other documentation
and metadata counts in full.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any, final

from google.protobuf.message import Message
from onnx import (
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    OperatorSetIdProto,
    StringStringEntryProto,
    TensorShapeProto,
    ValueInfoProto,
)

from conformance.runtimes._protocol import Unread
from conformance.runtimes.onnx.functions import (
    STANDARD,
    all_nodes,
    call_key,
    function_key,
    subgraphs,
)
from conformance.runtimes.onnx.layout import Layout
from conformance.runtimes.onnx.messages import parse_model
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.usage import Usage, own_names
from conformance.runtimes.wire import Span

_OF_OPERATOR = 2 << 10
"""Bytes that the exporter may note for each operator, wherever it does."""

_EXPORTER = ("pkg.torch.", "pkg.onnxscript.", "namespace")
"""How the keys of PyTorch's exporter begin."""

_LONGEST_NAME = 256
"""Bytes of a name, a domain or a version that are overhead; those of a shape's sizes together."""

_NOTES = frozenset({"doc_string", "denotation"})
_STRIP = (
    "in Python, with the loaded model: `for each in (model, model.graph, *model.graph.node): "
    'each.ClearField("doc_string"); each.ClearField("metadata_props")`'
)
_ANY_STRING = frozenset({"Constant", "RegexFullMatch"})
"""Standard operators that read a string of any length; others know a few words or read none."""

_STORED = frozenset(("t", "tensors", "sparse_tensor", "sparse_tensors", "floats", "ints"))

_ALIGNED, _LARGE, _PAGE = 64, 1 << 20, 64 << 10


def unread_in_model(layout: Layout, file: str) -> Iterator[Unread]:
    """Yield what nothing reads in the model file of ``layout``, stored tensors aside.

    The graph is parsed once more: opening removes from it what this is about.
    """
    model = parse_model(layout.rest)
    model.DiscardUnknownFields()
    spare = len(layout.rest) - model.ByteSize()
    yield Unread(file, "fields that ONNX does not have, or has once", spare)
    taken = _Taken(model, {record.name for record in layout.records})
    for piece, size in taken.pieces():
        yield Unread(file, piece, size)
    noted: list[int] = []
    for piece, size in _notes(model, "model", noted):
        yield Unread(file, piece, size, _STRIP)
    beyond = sum(noted) - taken.operators * _OF_OPERATOR
    name = f"what PyTorch's exporter notes, beyond {_OF_OPERATOR} bytes for each operator"
    yield Unread(file, name, beyond, _STRIP)
    for record in layout.records:
        yield Unread(file, f"documentation of {record.element}", record.spare)


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


@final
class _Taken:
    """Takes out of a model the messages that nothing reads as a whole; their places stay, empty.

    ``stored`` are names of tensors of the main graph that the model itself no longer has.
    ``operators`` counts the nodes that outputs depend on.
    """

    def __init__(self, model: ModelProto, stored: Set[str]) -> None:
        self._model = model
        self._stored = stored
        self._usage = Usage(model)
        self._functions = {function_key(each): each for each in model.functions}
        self._called = self._usage.called(model.graph)
        self.operators = 0

    def pieces(self) -> Iterator[tuple[str, int]]:
        """Yield the pieces and their sizes."""
        domains = set[str]()
        yield from self._of_graph(self._model.graph, "graph", self._stored, domains)
        for index, function in enumerate(self._model.functions):
            if function_key(function) in self._called:
                yield from self._of_function(function, f"functions[{index}]", domains)
            else:
                yield f"function {function.name}, which no output depends on", _take(function)
        yield from _imports(self._model.opset_import, "", domains)
        for field in ("training_info", "configuration"):
            yield field, sum(_take(each) for each in getattr(self._model, field))

    def _of_function(
        self, function: FunctionProto, place: str, domains: set[str]
    ) -> Iterator[tuple[str, int]]:
        own = set[str]()
        needed = self._usage.of_function(function)
        idle = [name for name in function.input if name not in needed]
        read = {each.ref_attr_name for node in all_nodes(function.node) for each in node.attribute}
        idle += [name for name in function.attribute if name not in read]
        defaults = (each for each in function.attribute_proto if each.name not in read)
        size = sum(map(_size, idle)) + sum(map(_take, defaults))
        yield f"inputs and attributes that {place} does not read", size
        yield from self._of_nodes(function.node, needed, f"{place}.", own)
        values = {*function.input, *(name for node in function.node for name in node.output)}
        yield from _infos(function.value_info, values, f"{place}.")
        yield from _imports(function.opset_import, f"{place}.", own)
        domains |= own

    def _of_graph(
        self, graph: GraphProto, place: str, stored: Set[str], domains: set[str]
    ) -> Iterator[tuple[str, int]]:
        values = {*stored, *own_names(graph)}
        needed = self._usage.of_graph(graph)
        yield from self._of_nodes(graph.node, needed, f"{place}.", domains)
        yield from _infos(graph.value_info, values, f"{place}.")
        size = sum(_take(each) for each in graph.quantization_annotation)
        yield f"{place}.quantization_annotation", size

    def _of_nodes(
        self, nodes: Sequence[NodeProto], needed: Set[str], place: str, domains: set[str]
    ) -> Iterator[tuple[str, int]]:
        for index, node in enumerate(nodes):
            name = f"{place}node[{index}]"
            if needed.isdisjoint(node.output):
                yield f"{name}, which no output depends on", _take_all_but_tensors(node)
                continue
            self.operators += 1
            domains.add(_domain(node.domain))
            yield f"device_configurations of {name}", sum(map(_take, node.device_configurations))
            yield f"attributes of {name} that nothing reads", sum(self._idle(node))
            for inner, graph in subgraphs(node):
                yield from self._of_graph(graph, f"{name}.{inner}", frozenset(), domains)

    def _idle(self, node: NodeProto) -> Iterator[int]:
        """Yield the sizes of attributes that a called function does not have, and of long words."""
        function = self._functions.get(call_key(node))
        named = (each.name for each in function.attribute_proto) if function else ()
        known = {*function.attribute, *named} if function else None
        for attribute in node.attribute:
            if known is not None and attribute.name not in known:
                yield _take(attribute)
            elif node.domain in STANDARD and node.op_type not in _ANY_STRING:
                yield max(0, len(attribute.s) - _LONGEST_NAME)


def _imports(
    imports: Iterable[OperatorSetIdProto], place: str, used: Set[str]
) -> Iterator[tuple[str, int]]:
    seen = set[str]()
    for index, entry in enumerate(imports):
        domain = _domain(entry.domain)
        if domain not in used or domain in seen:
            yield f"{place}opset_import[{index}], which no operator is of", _take(entry)
        seen.add(domain)


def _infos(
    infos: Iterable[ValueInfoProto], values: Set[str], place: str
) -> Iterator[tuple[str, int]]:
    seen = set[str]()
    for index, info in enumerate(infos):
        if info.name not in values or info.name in seen:
            yield f"{place}value_info[{index}], of no value", _take(info)
        else:
            seen.add(info.name)


def _notes(message: Message, element: str, noted: list[int]) -> Iterator[tuple[str, int]]:
    """Yield documentation, metadata, and what is longer than names are.

    To ``noted`` goes the size of each entry that is the exporter's.
    """
    notes = 0
    for field, value in message.ListFields():
        if field.name in _NOTES:
            notes += _size(value)
        elif field.type == field.TYPE_STRING:
            long = sum(max(0, _size(text) - _LONGEST_NAME) for text in _several(value))
            yield f"{field.name} of {element}", long
        elif field.type == field.TYPE_MESSAGE:
            for index, inner in enumerate(_several(value)):
                if not isinstance(inner, StringStringEntryProto):
                    yield from _notes(inner, _place(element, field.name, index, inner), noted)
                elif inner.key.startswith(_EXPORTER):
                    noted.append(inner.ByteSize())
                else:
                    notes += inner.ByteSize()
    yield f"documentation of {element}", notes
    if isinstance(message, TensorShapeProto):
        long = sum(_size(each.dim_param) for each in message.dim)
        yield f"names of sizes of {element}", max(0, long - _LONGEST_NAME)


def _take(message: Message) -> int:
    size: int = message.ByteSize()
    message.Clear()
    return size


def _take_all_but_tensors(node: NodeProto) -> int:
    """Return the size of a node without stored tensors, which are counted as such."""
    for each in all_nodes([node]):
        for attribute in each.attribute:
            for field in _STORED:
                attribute.ClearField(field)
        for _, graph in subgraphs(each):
            graph.ClearField("initializer")
            graph.ClearField("sparse_initializer")
    return _take(node)


def _domain(name: str) -> str:
    return "" if name in STANDARD else name


def _place(element: str, field: str, index: int, inner: Message) -> str:
    around = "" if element == "model" else f"{element}."
    if isinstance(inner, GraphProto):
        return f"{around}{field}"
    return f"{around}{field}[{index}]"


def _several(value: Any) -> Sequence[Any]:
    return [value] if isinstance(value, (str, Message)) else list(value)


def _size(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))
