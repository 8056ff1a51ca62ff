"""Protocol buffers on the wire: walk the fields of a message without building it.

A model file of many gigabytes is walked in a memory map, and only the bytes of field headers are
touched::

    reader = WireReader(view, "model.onnx")
    for field in reader.fields(Span(0, len(view)), "model"):
        field.number, field.span

Encoding: https://protobuf.dev/programming-guides/encoding/. Everything is checked against the
enclosing message; what does not fit is a MalformedError with its byte offset.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from conformance.verdicts import Location, MalformedError

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""Wire types; the groups of old (3 and 4) occur in no ONNX file."""

_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
_SEVEN_BITS = 0x7F
_VARINT_BYTES = 10
_UINT64 = (1 << 64) - 1
_DAMAGED = "Export the model again: the file is damaged or was cut short."


def varint(value: int) -> bytes:
    """Return an unsigned number as it is written on the wire."""
    encoded = bytearray()
    while value > _SEVEN_BITS:
        encoded.append(value & _SEVEN_BITS | _SEVEN_BITS + 1)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


class Span(NamedTuple):
    """A range of bytes: ``begin`` belongs to it, ``end`` does not."""

    begin: int
    end: int

    @property
    def size(self) -> int:
        """Bytes in the range."""
        return self.end - self.begin


class Field(NamedTuple):
    """One field: where its header starts, its number, its wire type and its content.

    ``span`` is the content without header and length; ``value`` is the number of a VARINT field,
    as an unsigned 64-bit integer, and 0 for other wire types.
    """

    start: int
    number: int
    wire_type: int
    span: Span
    value: int


@dataclass(frozen=True, slots=True)
class WireReader:
    """Reads fields from ``data``; ``file`` names it in messages.

    Where ``data`` is not a whole file (``is_file`` false), errors have no byte offset.
    """

    data: memoryview
    file: str
    is_file: bool = True

    def fields(self, span: Span, element: str) -> Iterator[Field]:
        """Yield the fields of the message in ``span``; ``element`` names it in messages."""
        position = span.begin
        while position < span.end:
            field = self._field(position, span.end, element)
            yield field
            position = field.span.end

    def varints(self, span: Span, element: str) -> Iterator[int]:
        """Yield the unsigned numbers of a packed repeated field."""
        position = span.begin
        while position < span.end:
            value, position = self._varint(position, span.end, element)
            yield value

    def text(self, span: Span, element: str) -> str:
        """Return the bytes in ``span`` as UTF-8 text."""
        try:
            return bytes(self.data[span.begin : span.end]).decode()
        except UnicodeDecodeError as error:
            place = span.begin + error.start
            raise self.malformed(
                "text is not UTF-8", place, element, "UTF-8", f"byte {self.data[place]:#04x}"
            ) from error

    def malformed(
        self, message: str, offset: int, element: str, expected: str, found: str
    ) -> MalformedError:
        """Return the error for damage at a byte offset."""
        return MalformedError(
            message,
            where=Location(
                file=self.file, byte_offset=offset if self.is_file else None, element=element
            ),
            expected=expected,
            found=found,
            fix=_DAMAGED,
        )

    def _field(self, start: int, end: int, element: str) -> Field:
        key, position = self._varint(start, end, element)
        number, wire_type = key >> 3, key & 7
        value = 0
        if wire_type == VARINT:
            begin = position
            value, stop = self._varint(position, end, element)
        elif wire_type == LENGTH:
            size, begin = self._varint(position, end, element)
            stop = begin + size
        elif wire_type in _FIXED_SIZES:
            begin, stop = position, position + _FIXED_SIZES[wire_type]
        else:
            raise self.malformed(
                "a field has a wire type that model files do not use",
                *(start, element, "wire type 0, 1, 2 or 5", f"{wire_type} (field {number})"),
            )
        if number == 0 or stop > end:
            raise self.malformed(
                "a field does not fit into the message that holds it",
                *(start, element, f"a field number above 0, and at most {end - begin} bytes"),
                f"field {number} with {stop - begin} bytes",
            )
        return Field(start, number, wire_type, Span(begin, stop), value)

    def _varint(self, start: int, end: int, element: str) -> tuple[int, int]:
        """Return the number that starts at ``start``, and the position after it."""
        value = 0
        last = min(end, start + _VARINT_BYTES)
        for position in range(start, last):
            byte = self.data[position]
            value |= (byte & _SEVEN_BITS) << (7 * (position - start))
            if byte <= _SEVEN_BITS:
                return value & _UINT64, position + 1
        cut = last == end
        raise self.malformed(
            "a number does not end",
            *(start, element, f"a last byte within {_VARINT_BYTES} bytes"),
            "the end of the message" if cut else "more bytes",
        )
