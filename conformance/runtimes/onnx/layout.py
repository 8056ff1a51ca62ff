"""The layout of a model file: its initializers as records, and everything else as one message.

Field numbers: ``onnx.proto``, messages ModelProto and GraphProto.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.runtimes.onnx.header import read_record
from conformance.runtimes.onnx.mapped import MappedFile
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.wire import LENGTH, Field, Span, WireReader
from conformance.verdicts import LimitError, Location

_MODEL_GRAPH, _GRAPH_INITIALIZER = 7, 5
_SEVEN_BITS = 0x7F
_MAX_INITIALIZERS = 100_000
_MAX_MESSAGE = (1 << 31) - 1  # more, no protocol buffer can hold


@dataclass(frozen=True, slots=True)
class Layout:
    """``rest`` is the serialised ModelProto without the initializers of its main graph."""

    records: tuple[TensorRecord, ...]
    rest: bytes


def read_layout(file: MappedFile, limit_bytes: int) -> Layout:
    """Walk a model file without reading its parameters.

    Raises MalformedError for damage, LimitError if the parameters, or the model without them,
    are larger than ``limit_bytes``, UnsupportedError for unknown element types.
    """
    reader = WireReader(file.view(), file.display)
    graph = _graph(reader, file.whole)
    records: list[TensorRecord] = []
    kept: list[Span] = []
    for entry in reader.fields(graph.span, "graph"):
        if entry.number == _GRAPH_INITIALIZER and entry.wire_type == LENGTH:
            element = f"graph.initializer[{len(records)}]"
            _check_count(reader, records, entry.start)
            records.append(read_record(reader, entry.span, element))
        else:
            _keep(kept, Span(entry.start, entry.span.end))
    _check_names(reader, records)
    _check_limit(reader, limit_bytes, "parameters", sum(record.nbytes for record in records))
    limit_of_graph = min(limit_bytes, _MAX_MESSAGE)
    _check_limit(reader, limit_of_graph, "graph", sum(span.size for span in kept))
    return Layout(tuple(records), _without_initializers(reader, file.whole, graph, kept))


def _graph(reader: WireReader, whole: Span) -> Field:
    found: Field | None = None
    for entry in reader.fields(whole, "model"):
        if entry.number != _MODEL_GRAPH:
            continue
        if found is not None or entry.wire_type != LENGTH:
            raise reader.malformed(
                "the model does not hold one graph", entry.start, "graph", "one graph", "another"
            )
        found = entry
    if found is None:
        raise reader.malformed(
            "the file holds no graph", 0, "model", "an ONNX model (ModelProto)", "no graph field"
        )
    return found


def _keep(kept: list[Span], span: Span) -> None:
    """Add ``span`` to the spans to copy, joined to the last one where they touch."""
    if kept and kept[-1].end == span.begin:
        kept[-1] = Span(kept[-1].begin, span.end)
    else:
        kept.append(span)


def _without_initializers(reader: WireReader, whole: Span, graph: Field, kept: list[Span]) -> bytes:
    body = b"".join(reader.data[span.begin : span.end] for span in kept)
    header = bytes([_MODEL_GRAPH << 3 | LENGTH]) + _varint(len(body))
    before, after = reader.data[: graph.start], reader.data[graph.span.end : whole.end]
    return b"".join((before, header, body, after))


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > _SEVEN_BITS:
        encoded.append(value & _SEVEN_BITS | _SEVEN_BITS + 1)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _check_count(reader: WireReader, records: list[TensorRecord], offset: int) -> None:
    if len(records) == _MAX_INITIALIZERS:
        raise LimitError(
            "the graph holds too many initializers",
            where=Location(file=reader.file, byte_offset=offset, element="graph.initializer"),
            expected=f"at most {_MAX_INITIALIZERS}",
            found="more",
            mend="Store the parameters in fewer tensors.",
        )


def _check_names(reader: WireReader, records: list[TensorRecord]) -> None:
    seen: dict[str, TensorRecord] = {}
    for record in records:
        if record.name in seen:
            raise reader.malformed(
                f"two initializers are called {record.name!r}",
                *(record.span.begin, record.element, "a name of its own for each initializer"),
                f"the name of {seen[record.name].element} again",
            )
        seen[record.name] = record


def _check_limit(reader: WireReader, limit: int, what: str, size: int) -> None:
    if size > limit:
        raise LimitError(
            f"the {what} of the model would take too much memory",
            where=Location(file=reader.file, element="graph"),
            expected=f"at most {limit} bytes",
            found=f"{size} bytes",
            mend="Submit a smaller model, or judge it with a higher memory limit.",
        )
