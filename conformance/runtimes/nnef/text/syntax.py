"""Flat NNEF: a graph whose every statement calls one operation with literals and names.

What is read here is all that the native parser gets to see; it adds the defaults and checks the
types. Anything deeper (fragments, expressions) is flattened first, by :mod:`.flattening`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from conformance.runtimes.nnef.files.stored import StoredFile
from conformance.runtimes.nnef.text.tokens import Source, Token, number_of
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

MAX_TEXT = 8 << 20
"""The most bytes of graph.nnef and of graph.quant."""

MAX_STATEMENTS = 1 << 15
"""The most statements of a graph: the interpreter's time grows with their square."""

EXTENSIONS = ("KHR_enable_fragment_definitions", "KHR_enable_operator_expressions")
"""The extensions of NNEF 1.0; no other is known here."""

_MAX_DEPTH = 10
_TYPES = ("scalar", "integer", "logical")


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a tensor, as an argument."""

    text: str


Value: TypeAlias = "bool | int | float | str | Name | tuple[Value, ...]"
"""An argument; lists and tuples are both tuples here."""


@dataclass(frozen=True, slots=True)
class Call:
    """An operation with its arguments, of which those before the first named one have none."""

    operation: str
    arguments: tuple[tuple[str | None, Value], ...]
    line: int
    column: int

    def argument(self, name: str) -> Value | None:
        """Return the argument called ``name``, if it is given by name."""
        return dict(self.arguments).get(name)


@dataclass(frozen=True, slots=True)
class Statement:
    """A call, and the names of all tensors that it makes."""

    targets: tuple[str, ...]
    call: Call


@dataclass(frozen=True, slots=True)
class FlatGraph:
    """A graph as it is written; ``text`` is what was read, without comments."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    statements: tuple[Statement, ...]
    text: str


class Reader:
    """Reads the tokens of a file one after another."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._place = 0

    @property
    def token(self) -> Token:
        """The next token."""
        return self.source.tokens[self._place]

    def take(self) -> Token:
        """Return the next token and go on after it."""
        token = self.token
        if token.kind != "end":
            self._place += 1
        return token

    def skip(self, text: str) -> bool:
        """Go on after the next token if it is ``text``, and return whether it was."""
        found = self.token.text == text and self.token.kind in {"sign", "name"}
        if found:
            self.take()
        return found

    def need(self, text: str) -> None:
        """Go on after the next token, which must be ``text``."""
        if not self.skip(text):
            self.refuse(repr(text))

    def name(self, what: str) -> str:
        """Return the next token, which must be a name."""
        if self.token.kind != "name" or self.token.is_keyword:
            self.refuse(what)
        return self.take().text

    def refuse(self, expected: str) -> NoReturn:
        """Raise MalformedError: the next token is not what is expected."""
        self.source.refuse(
            self.token.offset, "the text is not NNEF's flat syntax", expected, self.token.shown
        )

    def where(self, element: str | None = None) -> Location:
        """Return the place of the next token."""
        return self.source.file.at_line(*self.source.position(self.token.offset), element)

    def call(self) -> Call:
        """Return an operation and its arguments."""
        line, column = self.source.position(self.token.offset)
        operation = self.name("the name of an operation")
        if self.skip("<"):
            if self.token.text not in _TYPES:
                self.refuse(" or ".join(_TYPES))
            self.take()
            self.need(">")
        self.need("(")
        arguments: list[tuple[str | None, Value]] = []
        while not self.skip(")"):
            if arguments:
                self.need(",")
            arguments.append(self._argument())
        return Call(operation, tuple(arguments), line, column)

    def targets(self, depth: int = 0) -> list[str]:
        """Return the names on the left of an assignment, brackets left out."""
        found = self._target(depth)
        while self.skip(","):
            found += self._target(depth)
        return found

    def _target(self, depth: int) -> list[str]:
        for opening, closing in ("[]", "()"):
            if depth < _MAX_DEPTH and self.skip(opening):
                found = [] if self.token.text == closing else self.targets(depth + 1)
                self.need(closing)
                return found
        return [self.name("the name of a tensor")]

    def _argument(self) -> tuple[str | None, Value]:
        if self.token.kind == "name" and not self.token.is_keyword:
            text = self.take().text
            return (text, self._value(0)) if self.skip("=") else (None, Name(text))
        return None, self._value(0)

    def _value(self, depth: int) -> Value:
        for opening, closing in ("[]", "()"):
            if depth < _MAX_DEPTH and self.skip(opening):
                return self._items(closing, depth + 1)
        sign = -1 if self.skip("-") else 1
        token = self.token
        if token.kind == "number":
            return sign * number_of(self.take())
        if sign > 0 and token.kind == "string":
            return self.take().text[1:-1]
        if sign > 0 and token.text in {"true", "false"}:
            return self.take().text == "true"
        if sign > 0 and token.kind == "name" and not token.is_keyword:
            return Name(self.take().text)
        return self.refuse("a number, a string, true, false, the name of a tensor, or a list")

    def _items(self, closing: str, depth: int) -> tuple[Value, ...]:
        items: list[Value] = []
        while not self.skip(closing):
            if items:
                self.need(",")
            items.append(self._value(depth))
        return tuple(items)


def read_text(file: StoredFile) -> str:
    """Return the text of ``file``.

    Raises LimitError beyond MAX_TEXT bytes, MalformedError if it is not UTF-8.
    """
    data = file.read(MAX_TEXT)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError(
            "the file is not text",
            where=file.where(offset=error.start),
            expected="UTF-8",
            found=f"the byte {data[error.start]:#04x}",
            fix="Put the file in place again, or export the model again.",
        ) from error


def read_header(reader: Reader) -> tuple[str, ...]:
    """Return the extensions of a document, and go on after them.

    Raises UnsupportedError for a different version than 1.0, or an extension that is not known.
    """
    reader.need("version")
    if reader.token.kind != "number":
        reader.refuse("a version")
    if reader.token.text != "1.0":
        raise _unknown(reader, "version", "version 1.0")
    reader.take()
    reader.need(";")
    found: list[str] = []
    while reader.skip("extension"):
        while not reader.skip(";"):
            if reader.token.text not in EXTENSIONS:
                raise _unknown(reader, "extension", f"no extension but {', '.join(EXTENSIONS)}")
            found.append(reader.take().text)
            reader.skip(",")
    return tuple(found)


def read_graph(reader: Reader) -> FlatGraph:
    """Return the flat graph that follows; MalformedError if there is anything else."""
    reader.need("graph")
    reader.name("the name of the graph")
    inputs = _names(reader)
    reader.need("->")
    outputs = _names(reader)
    reader.need("{")
    statements: list[Statement] = []
    while not reader.skip("}"):
        if len(statements) == MAX_STATEMENTS:
            raise _too_many(reader)
        targets = reader.targets()
        reader.need("=")
        statements.append(Statement(tuple(targets), reader.call()))
        reader.need(";")
    if reader.token.kind != "end":
        reader.refuse("nothing after the graph")
    return FlatGraph(inputs, outputs, tuple(statements), reader.source.clean)


def _names(reader: Reader) -> tuple[str, ...]:
    reader.need("(")
    found = [reader.name("the name of a tensor")]
    while reader.skip(","):
        found.append(reader.name("the name of a tensor"))
    reader.need(")")
    return tuple(found)


def _unknown(reader: Reader, what: str, expected: str) -> UnsupportedError:
    return UnsupportedError(
        f"the {what} of NNEF that the graph needs is not supported",
        where=reader.where(what),
        expected=expected,
        found=reader.token.shown,
        fix="Export the model as NNEF 1.0, without extensions of a vendor.",
    )


def _too_many(reader: Reader) -> LimitError:
    return LimitError(
        "the graph has too many statements",
        where=reader.where(),
        expected=f"at most {MAX_STATEMENTS}",
        found="more",
        fix="Submit a smaller network, or unroll it over fewer steps.",
    )
