"""FlatBuffers without trust: every table, vector and text is checked to lie inside the file.

A file is walked from its root by :mod:`conformance.runtimes.tflite.schema`, before native code
sees it::

    reader = Reader(view, "model.tflite")
    model = reader.root("Model", b"TFL3")
    model.tables("subgraphs")[0].tables("operators")

A table is a signed offset back to its vtable, and fields; the vtable says where each field is. All
other offsets are unsigned and lead forward, so that nothing can contain itself. Encoding:
https://flatbuffers.dev/internals/.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, NamedTuple, final

from conformance.runtimes.tflite.schema import FIELDS, UNIONS, Field, Kind
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

_MOST_ENTRIES = 2_000_000
_FEWEST_BYTES = 8
_HEADER, _OFFSET, _SLOT = 4, 4, 2
_MOST_PADDING = 7
"""Bytes before a number of 8 bytes."""
_TEXT = "text"
_DAMAGED = "Convert the model again: the file is damaged or was cut short."


class Numbers(NamedTuple):
    """A vector of numbers that has not been read: where it begins, how many, and their type."""

    begin: int
    length: int
    code: str

    @property
    def end(self) -> int:
        """The position after the last number."""
        return self.begin + self.length * struct.calcsize(f"<{self.code}")


@final
@dataclass(frozen=True, slots=True)
class Table:
    """A table that was checked; fields that the file leaves out are not in ``values``.

    ``places`` are the positions in the file of the fields' own bytes: of a number, or of the
    offset to anything else.
    """

    kind: str
    position: int
    element: str
    values: dict[str, Any] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """Return an integer or flag; 0 if it is left out."""
        return int(self.values.get(name, 0))

    def text(self, name: str) -> str:
        """Return a string; an empty one if it is left out."""
        return str(self.values.get(name, ""))

    def table(self, name: str) -> Table | None:
        """Return a table, or what a union holds; None if it is left out."""
        found: Table | None = self.values.get(name)
        return found

    def tables(self, name: str) -> tuple[Table, ...]:
        """Return a vector of tables; an empty one if it is left out."""
        return tuple(self.values.get(name, ()))

    def vector(self, name: str) -> Numbers | None:
        """Return a vector of numbers, unread; None if it is left out."""
        found: Numbers | None = self.values.get(name)
        return found


@final
class Reader:
    """Reads tables from ``data``; ``file`` names it in messages.

    ``claimed`` are the ranges of bytes that have been walked: what for, and the element there.
    ``padding`` are the bytes that tables may have after their last field, by where it ends.
    """

    def __init__(self, data: memoryview, file: str) -> None:
        self.data = data
        self.file = file
        self.claimed: dict[tuple[int, int], tuple[str, str]] = {}
        self.padding: dict[int, int] = {}
        self._entries = 0
        self._known: dict[tuple[str, int], Table] = {}

    def root(self, kind: str, identifier: bytes) -> Table:
        """Return the root table; MalformedError if the file is not of this kind, or damaged.

        Raises LimitError for a file that takes too long to walk, UnsupportedError for one that
        uses a newer schema.
        """
        found = bytes(self.data[_HEADER:_FEWEST_BYTES])
        if found != identifier:
            raise self.malformed(
                "not a TFLite model (bad magic)",
                *(_HEADER, "identifier", f"{identifier!r} as bytes 4 to 7"),
                f"{found!r}" if found else f"a file of {len(self.data)} bytes",
            )
        self.claim(0, _FEWEST_BYTES, "header", "header")
        return self._table(kind, self._number("I", 0, "header"), "model")

    def integers(self, table: Table, name: str) -> tuple[int, ...] | None:
        """Return a vector of integers; None if it is left out."""
        vector = table.vector(name)
        if vector is None:
            return None
        self._spend(vector.length, vector.begin, f"{table.element}.{name}")
        return struct.unpack_from(f"<{vector.length}{vector.code}", self.data, vector.begin)

    def malformed(
        self, message: str, offset: int, element: str, expected: str, found: str
    ) -> MalformedError:
        """Return the error for damage at an offset; one before the file counts as its start."""
        return MalformedError(
            message,
            where=Location(file=self.file, byte_offset=max(0, offset), element=element),
            expected=expected,
            found=found,
            fix=_DAMAGED,
        )

    def _table(self, kind: str, position: int, element: str) -> Table:
        if (kind, position) in self._known:
            return self._known[kind, position]
        vtable, fields, size = self._vtable(position, element)
        table = Table(kind, position, element)
        known = FIELDS[kind]
        self._spend(1 + len(known), position, element)
        end = position + _OFFSET
        for slot in range(fields):
            offset = self._number("H", vtable + _HEADER + _SLOT * slot, element)
            if not offset:
                continue
            if slot >= len(known):
                raise self._newer(position, element, f"field {slot} of {kind}")
            end = max(end, position + offset + _width(known[slot]))
            if known[slot].kind is not Kind.UNUSED:
                self._read(table, known[slot], position + offset, position + size)
        self._claim_table(kind, position, end, position + size, element)
        self._known[kind, position] = table
        return table

    def _claim_table(self, kind: str, position: int, end: int, padded: int, element: str) -> None:
        """Claim a table up to the end of its last field.

        A vtable says how long the table is that it was written for, with the bytes that align what
        is after. Builders share it between tables with the same fields, which may have fewer.
        """
        self.claim(position, end, element, kind)
        self.padding[end] = min(max(padded - end, 0), _MOST_PADDING)

    def _vtable(self, position: int, element: str) -> tuple[int, int, int]:
        """Return where the vtable of a table is, how many fields it has, and the table's size."""
        vtable = position - self._number("i", position, element)
        length = self._number("H", vtable, element)
        size = self._number("H", vtable + _SLOT, element)
        if length < _HEADER or length % _SLOT or size < _OFFSET:
            raise self.malformed(
                "invalid vtable",
                *(vtable, element, "a vtable of at least 4 bytes, an even number"),
                f"{length} bytes, for a table of {size} bytes",
            )
        self.claim(vtable, vtable + length, element, "vtable")
        return vtable, (length - _HEADER) // _SLOT, size

    def _read(self, table: Table, spec: Field, place: int, end: int) -> None:
        element = f"{table.element}.{spec.name}"
        width = _width(spec)
        if place + width > end:
            raise self.malformed(
                "a field does not fit into its table",
                *(
                    place,
                    element,
                    f"{width} bytes before byte {end}",
                    f"{max(end - place, 0)} bytes",
                ),
            )
        table.places[spec.name] = place
        if spec.kind is Kind.NUMBER:
            table.values[spec.name] = self._number(spec.of, place, element)
            return
        target = place + self._number("I", place, element)
        value = self._target(table, spec, target, element)
        if value is not None:
            table.values[spec.name] = value

    def _target(self, table: Table, spec: Field, target: int, element: str) -> Any:
        if spec.kind is Kind.TEXT:
            return self._text(target, element)
        if spec.kind is Kind.TABLE:
            return self._table(spec.of, target, element)
        if spec.kind is Kind.UNION:
            return self._union(table, spec, target, element)
        if spec.kind is Kind.NUMBERS:
            begin, count = self._vector(
                target, struct.calcsize(f"<{spec.of}"), element, f"list of {spec.of}"
            )
            return Numbers(begin, count, spec.of)
        begin, count = self._vector(target, _OFFSET, element, f"list of {spec.of}")
        self._spend(count, begin, element)
        places = range(begin, begin + _OFFSET * count, _OFFSET)
        return tuple(
            self._table(spec.of, place + self._number("I", place, element), f"{element}[{index}]")
            for index, place in enumerate(places)
        )

    def _union(self, table: Table, spec: Field, target: int, element: str) -> Table | None:
        number, known = table.number(f"{spec.name}_type"), UNIONS[spec.of]
        if number >= len(known):
            raise self._newer(target, element, f"{spec.of} number {number}")
        return self._table(known[number], target, element) if number else None

    def _text(self, target: int, element: str) -> str:
        begin, count = self._vector(target, 1, element, _TEXT)
        self._spend(count // _HEADER, begin, element)
        try:
            return bytes(self.data[begin : begin + count]).decode()
        except UnicodeDecodeError as error:
            place = begin + error.start
            raise self.malformed(
                "a string is not UTF-8", place, element, "UTF-8", f"byte {self.data[place]:#04x}"
            ) from error

    def _vector(self, target: int, width: int, element: str, use: str) -> tuple[int, int]:
        """Return begin and count of a vector; a zero byte follows a string."""
        closing = int(use == _TEXT)
        count = self._number("I", target, element)
        begin = target + _OFFSET
        end = begin + count * width + closing
        if end > len(self.data):
            raise self.malformed(
                "a vector or text goes past the end of the file",
                *(target, element, f"at most {len(self.data) - begin} bytes"),
                f"{count} elements of {width} bytes",
            )
        if any(self.data[end - closing : end]):
            raise self.malformed(
                "a string does not end with a zero byte",
                *(end - closing, element, "0", str(self.data[end - closing])),
            )
        self.claim(target, end, element, use)
        return begin, count

    def _number(self, code: str, position: int, element: str) -> int:
        width = struct.calcsize(f"<{code}")
        if position < 0 or position + width > len(self.data):
            raise self.malformed(
                "an offset leads out of the file",
                *(position, element, f"a position from 0 to {len(self.data) - width}"),
                str(position),
            )
        number: int = struct.unpack_from(f"<{code}", self.data, position)[0]
        return number

    def claim(self, begin: int, end: int, element: str, use: str) -> None:
        """Note what a range of bytes is used for; nothing may be used for two things.

        Raises MalformedError if it is, or if the range goes past the end of the file.
        """
        if end > len(self.data):
            raise self.malformed(
                f"a {use} goes past the end of the file",
                *(begin, element, f"an end at byte {len(self.data)} or before", f"byte {end}"),
            )
        known, earlier = self.claimed.setdefault((begin, end), (use, element))
        if known != use:
            raise self.malformed(
                "two parts of the file overlap",
                *(begin, element, f"bytes that are a {use} only", f"a {known}, {earlier}, too"),
            )

    def _spend(self, entries: int, position: int, element: str) -> None:
        """Count what was walked: offsets may share targets, so that it may be more than bytes."""
        self._entries += entries
        if self._entries > _MOST_ENTRIES:
            raise LimitError(
                "the model has too many entries",
                where=Location(file=self.file, byte_offset=position, element=element),
                expected=f"at most {_MOST_ENTRIES} fields and elements of lists",
                found="more",
                fix="Convert the model again, into fewer tensors and operators.",
            )

    def _newer(self, position: int, element: str, found: str) -> UnsupportedError:
        return UnsupportedError(
            "the model uses a part of the schema that is not known here",
            where=Location(file=self.file, byte_offset=position, element=element),
            expected="schema version 3, as of LiteRT 2.3",
            found=found,
            fix="Convert the model with an older converter, or update this tool.",
        )


def _width(spec: Field) -> int:
    """Return the bytes that a field takes in its table; at least 1 for one that is not read."""
    if spec.kind is Kind.UNUSED:
        return 1
    return struct.calcsize(f"<{spec.of}") if spec.kind is Kind.NUMBER else _OFFSET
