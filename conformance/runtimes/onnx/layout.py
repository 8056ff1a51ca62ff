"""The layout of a model file: its large tensors as records, and everything else as one message.

They are the initializers of the main graph and what its Constant nodes hold.

Field numbers: ``onnx.proto``, messages ModelProto and GraphProto.
"""

from __future__ import annotations

from dataclasses import dataclass

from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.onnx.constants import read_constant
from conformance.runtimes.onnx.header import read_record
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.wire import LENGTH, Field, Span, WireReader, varint
from conformance.verdicts import LimitError, Location

_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_INITIALIZER = 7, 1, 5
_MAX_INITIALIZERS = 100_000
MAX_MESSAGE = (1 << 31) - 1
"""Bytes of a protocol buffer at most."""


@dataclass(frozen=True, slots=True)
class Layout:
    """``rest`` is the serialised ModelProto without the tensors that have a record.

    An initializer is left out of it altogether; a Constant node loses its value.
    """

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
    kept: list[Span | bytes] = []
    count = dict.fromkeys((_GRAPH_NODE, _GRAPH_INITIALIZER), 0)
    for entry in reader.fields(graph.span, "graph"):
        if entry.number not in count or entry.wire_type != LENGTH:
            _keep(kept, Span(entry.start, entry.span.end))
            continue
        index = count[entry.number]
        count[entry.number] += 1
        if entry.number == _GRAPH_INITIALIZER:
            _check_count(reader, records, entry.start)
            records.append(read_record(reader, entry.span, f"graph.initializer[{index}]"))
            continue
        constant = read_constant(reader, file, entry.span, f"graph.node[{index}]")
        if constant is None:
            _keep(kept, Span(entry.start, entry.span.end))
        else:
            _check_count(reader, records, entry.start)
            records.append(constant.record)
            kept.append(constant.stub)
    _check_names(reader, records)
    check_limit(reader.file, limit_bytes, "parameters", sum(record.nbytes for record in records))
    limit_of_graph = min(limit_bytes, MAX_MESSAGE)
    check_limit(reader.file, limit_of_graph, "graph", sum(_size(piece) for piece in kept))
    return Layout(tuple(records), _without_tensors(reader, file.whole, graph, kept))


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


def _size(piece: Span | bytes) -> int:
    return piece.size if isinstance(piece, Span) else len(piece)


def _keep(kept: list[Span | bytes], span: Span) -> None:
    """Add ``span`` to the pieces to copy, joined to the last one where they touch."""
    last = kept[-1] if kept else None
    if isinstance(last, Span) and last.end == span.begin:
        kept[-1] = Span(last.begin, span.end)
    else:
        kept.append(span)


def _without_tensors(
    reader: WireReader, whole: Span, graph: Field, kept: list[Span | bytes]
) -> bytes:
    body = b"".join(
        reader.data[piece.begin : piece.end] if isinstance(piece, Span) else piece for piece in kept
    )
    header = bytes([_MODEL_GRAPH << 3 | LENGTH]) + varint(len(body))
    before, after = reader.data[: graph.start], reader.data[graph.span.end : whole.end]
    return b"".join((before, header, body, after))


def _check_count(reader: WireReader, records: list[TensorRecord], offset: int) -> None:
    if len(records) == _MAX_INITIALIZERS:
        raise LimitError(
            "the graph holds too many stored tensors",
            where=Location(file=reader.file, byte_offset=offset, element="graph.initializer"),
            expected=f"at most {_MAX_INITIALIZERS}",
            found="more",
            fix="Store the parameters in fewer tensors.",
        )


def _check_names(reader: WireReader, records: list[TensorRecord]) -> None:
    seen: dict[str, TensorRecord] = {}
    for record in records:
        if record.name in seen:
            raise reader.malformed(
                f"two stored tensors are called {record.name!r}",
                *(record.span.begin, record.element, "a unique name for each tensor"),
                f"the name of {seen[record.name].element} again",
            )
        seen[record.name] = record


def check_limit(file: str, limit: int, what: str, size: int) -> None:
    """Raise LimitError if ``what`` of the model takes more than ``limit`` bytes."""
    if size > limit:
        raise LimitError(
            f"the {what} of the model would take too much memory",
            where=Location(file=file, element="graph"),
            expected=f"at most {limit} bytes",
            found=f"{size} bytes",
            fix="Submit a smaller model, or judge it with a higher memory limit.",
        )
