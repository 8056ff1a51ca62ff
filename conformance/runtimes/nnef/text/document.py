"""From the text of ``graph.nnef`` to the graph of the native parser, which only sees flat text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.runtimes.nnef.files.stored import StoredFile
from conformance.runtimes.nnef.libraries import imported
from conformance.runtimes.nnef.text.flattening import flattened
from conformance.runtimes.nnef.text.parse_errors import place_of
from conformance.runtimes.nnef.text.syntax import (
    FlatGraph,
    Reader,
    read_graph,
    read_header,
    read_text,
)
from conformance.runtimes.nnef.text.tokens import Source
from conformance.verdicts import Location, MalformedError


@dataclass(frozen=True, slots=True)
class Document:
    """A graph as it is written, and where its statements are.

    ``has_lines`` is false for a graph that was flattened: its text is not that of the file.
    """

    file: StoredFile
    graph: FlatGraph
    has_lines: bool
    places: Mapping[str, tuple[int, int]]

    def where(self, operation: str, target: str) -> Location:
        """Return the place of the statement that makes the tensor ``target``."""
        element = f"operation {operation} -> {target}"
        place = self.places.get(target)
        if place is None or not self.has_lines:
            return self.file.where(element)
        return self.file.at_line(*place, element)


def read_document(file: StoredFile) -> Document:
    """Return the graph in ``file``, made flat where it has fragments or expressions.

    Raises MalformedError if it is broken, LimitError if it is too large, UnsupportedError for
    a different version or extension of NNEF.
    """
    source = Source(read_text(file), file)
    reader = Reader(source)
    extensions = read_header(reader)
    try:
        graph, has_lines = read_graph(reader), True
    except MalformedError:
        if not extensions:
            raise
        imported("nnef")
        reader = Reader(Source(flattened(source), file))
        read_header(reader)
        graph, has_lines = read_graph(reader), False
    places = {
        target: (statement.call.line, statement.call.column)
        for statement in graph.statements
        for target in statement.targets
    }
    return Document(file, graph, has_lines, places)


def parsed(document: Document) -> Any:
    """Return the ``nnef.Graph`` of a document: attributes with their defaults, types checked.

    Raises MalformedError, with the parser's own words, if it is not valid.
    """
    nnef = imported("nnef")
    try:
        return nnef.parse_string(document.graph.text)
    except MemoryError:
        raise
    except Exception as error:
        raise _invalid(document, str(error)) from error


def outputs_of(operation: Any) -> list[str]:
    """Return the names of the tensors that an operation makes, in order."""
    return _names(operation.outputs.values())


def inputs_of(operation: Any) -> list[Any]:
    """Return the inputs of an operation, those of lists too: names of tensors, or literals."""
    found: list[Any] = []
    for value in operation.inputs.values():
        found += value if isinstance(value, list) else [value]
    return found


def _names(values: Any) -> list[str]:
    found: list[str] = []
    for value in values:
        found += _names(value) if isinstance(value, list | tuple) else [str(value)]
    return found


def _invalid(document: Document, text: str) -> MalformedError:
    place, found = place_of(text)
    where = document.file.where("graph")
    if place and document.has_lines:
        where = document.file.at_line(*place)
    return MalformedError(
        "the graph is not valid NNEF",
        where=where,
        expected="a graph that the NNEF parser reads",
        found=found,
        fix="Correct the graph, or export the model again.",
    )
