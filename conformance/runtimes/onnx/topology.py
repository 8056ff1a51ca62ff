"""The graph of a model without its stored tensors."""

from __future__ import annotations

from onnx import ModelProto

from conformance.runtimes.onnx.layout import Layout
from conformance.runtimes.onnx.messages import DecodeError, parse_model
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
            mend="Export the model again: the file is damaged or was cut short.",
        ) from error
    stored = {record.name for record in layout.records}
    free = [value for value in model.graph.input if value.name not in stored]
    del model.graph.input[:]
    model.graph.input.extend(free)
    return model
