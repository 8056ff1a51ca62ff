"""The graph of a model without its stored tensors."""

from __future__ import annotations

from collections import Counter

from onnx import ModelProto

from conformance.runtimes.onnx.layout import Layout
from conformance.runtimes.onnx.messages import DecodeError, parse_model
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.texts import check_texts
from conformance.verdicts import Location, MalformedError


def read_topology(layout: Layout, file: str) -> ModelProto:
    """Return the model without initializers; MalformedError if it cannot be parsed.

    Initializers are no longer among the inputs either. (Before IR version 4 every initializer had
    to be an input too, as a default that a caller could override.)
    """
    try:
        model = parse_model(layout.rest)
    except DecodeError as error:
        raise MalformedError(
            "the graph cannot be read",
            where=Location(file=file, byte_offset=0, element="graph"),
            expected="a protocol buffer message of type ModelProto",
            found=str(error)[:200],
            fix="Export the model again: the file is damaged or was cut short.",
        ) from error
    check_texts(model, file)
    _check_sources(model, layout.records, file)
    stored = {record.name for record in layout.records if not record.constant}
    free = [value for value in model.graph.input if value.name not in stored]
    del model.graph.input[:]
    model.graph.input.extend(free)
    return model


def _check_sources(model: ModelProto, records: tuple[TensorRecord, ...], file: str) -> None:
    """Refuse a stored tensor whose name a node or, if it is a Constant, an input has too."""
    sources = Counter(name for node in model.graph.node for name in node.output)
    inputs = {value.name for value in model.graph.input}
    for record in records:
        again = sources[record.name] > record.constant
        if again or (record.constant and record.name in inputs):
            raise MalformedError(
                f"two things in the graph are called {record.name!r}",
                where=Location(file=file, byte_offset=record.byte_offset, element=record.element),
                expected="a unique name for each stored tensor",
                found="the output of a node" if again else "an input",
                fix="Correct the graph: one of them must be renamed.",
            )
