"""Reading the units of a stream: from bytes to elements and values, and nothing else.

::

    stream = parse_stream(Path("model.nnc").read_bytes())
    names = [unit.values["topology_elem_id"] for unit in stream.units if unit.name == "NDU"]

Units are read by the description in :mod:`conformance.nnc.syntax`. The parser is as lenient as
NNCodec 2.1.3 with what has no effect on decoding; such rules are constraints of the description,
checked by :mod:`conformance.nnc.syntax.constraints`. Broken structure raises at the first damage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from conformance.nnc.bits import BitReader
from conformance.nnc.errors import (
    NncError,
    NncLimitError,
    NncMalformedError,
    NncUnsupportedError,
    Position,
    memory_for,
)
from conformance.nnc.options import DEFAULT_OPTIONS, Options
from conformance.nnc.stream import Element, Scalar, Stream, Unit, Value
from conformance.nnc.syntax import UNIT_HEADER, UNIT_SIZE, UNITS, Field, Refusal, UnitSyntax
from conformance.nnc.syntax.walk import Context, walk

MakeReader: TypeAlias = "Callable[[memoryview, int, list[Element], int], Reader]"
"""From the data, the first bit of a unit, where elements go, and how many, to what reads them."""

_ERRORS = {"malformed": NncMalformedError, "unsupported": NncUnsupportedError}


def parse_stream(
    data: bytes | bytearray | memoryview,
    options: Options = DEFAULT_OPTIONS,
) -> Stream:
    """Read all units of a stream; raises :class:`NncError` at the first damage."""
    view = _bytes_of(data)
    units = tuple(parse_units(view, options))
    if not units:
        raise NncMalformedError(
            "The stream is empty",
            position=Position(bit=0),
            expected="an NNR_STR unit",
            found="no bytes",
            fix="begin the stream with an NNR_STR unit",
        )
    return Stream(view, units, options.interpretation)


def parse_units(
    data: bytes | bytearray | memoryview,
    options: Options = DEFAULT_OPTIONS,
) -> Iterator[Unit]:
    """Read the units of a stream one by one; raises :class:`NncError` at the first damage."""
    reader = UnitReader(data, options)
    while (unit := reader.read()) is not None:
        yield unit


class UnitReader:
    """Reads unit after unit, carrying over what later units refer to.

    ``reader`` makes what reads the elements of a unit, if the bytes must be fetched before.

    After an error ``elements`` holds what was read of the broken unit, and ``index``, ``byte``
    and ``name`` say which one it is; ``name`` is empty as long as it is not known.
    """

    def __init__(
        self,
        data: bytes | bytearray | memoryview,
        options: Options = DEFAULT_OPTIONS,
        reader: MakeReader | None = None,
    ) -> None:
        self._data = _bytes_of(data)
        self._reader: MakeReader = reader or Reader
        self._options = options
        self._context = Context(options.interpretation)
        self._elements_left = options.limits.elements
        self.index = -1
        self.byte = 0
        self.name = ""
        self.elements: list[Element] = []

    def read(self) -> Unit | None:
        """Return the next unit, or None at the end; raises :class:`NncError`."""
        if self.byte == len(self._data):
            return None
        self.index += 1
        self.name = ""
        self.elements = []
        coder = self._reader(self._data, 8 * self.byte, self.elements, self._elements_left)
        try:
            with memory_for("The syntax elements of the stream"):
                unit = self._read(coder)
        except NncError as error:
            field = error.position.field or coder.field
            error.position = replace(
                error.position, unit=self.index, unit_name=self.name, field=field
            )
            raise
        self.byte += unit.size
        self._elements_left -= len(self.elements)
        return unit

    def _read(self, coder: Reader) -> Unit:
        _check_number(self.index, coder, self._options)
        scope = self._context.scope(self._known_dimensions, self._options.cabac_unary_length)
        values = walk(UNIT_SIZE, coder, scope, {})
        coder.limit_to(scope["nnr_unit_size"])
        values |= walk(UNIT_HEADER, coder, scope, {})
        syntax = _syntax_of(scope["nnr_unit_type"], coder)
        self.name = syntax.name
        self._context.check_order(syntax, coder.position_of("nnr_unit_type"))
        values |= walk(syntax.header, coder, scope, {})
        values |= walk(syntax.payload, coder, scope, {})
        self._context.update(syntax, scope)
        return self._unit(syntax, values, coder)

    def _known_dimensions(self, name: str | None) -> Sequence[int] | None:
        return None if name is None else self._options.dimensions.get(name)

    def _unit(self, syntax: UnitSyntax, values: Mapping[str, Value], coder: Reader) -> Unit:
        end = coder.bits.end // 8
        payload_byte = (coder.bits.position + 7) // 8
        if not syntax.has_coded_payload:
            coder.expect_end()
        return Unit(
            index=self.index,
            unit_type=syntax.unit_type,
            name=syntax.name,
            byte=self.byte,
            size=end - self.byte,
            elements=tuple(self.elements),
            values=values,
            payload_byte=payload_byte,
            payload_size=end - payload_byte,
        )


class Reader:
    """The coder that reads."""

    def __init__(self, data: memoryview, position: int, elements: list[Element], most: int) -> None:
        self.bits = BitReader(data, position)
        self.field = ""
        self._start = position
        self._elements = elements
        self._most = most
        bits = self.bits
        self._read: dict[str, Callable[[int], Scalar]] = {
            "u": bits.u,
            "i": bits.i,
            "ue": bits.ue,
            "ie": bits.ie,
            "flt": bits.flt,
            "hex": bits.hex,
            "st": lambda _: bits.st(),
            "align": lambda _: bits.align(),
            "bytes": lambda _: bits.rest(),
        }

    def code(self, field: Field, name: str, parameter: int, given: Any) -> Scalar:  # noqa: ARG002
        """Read one element."""
        self.field = name
        if len(self._elements) >= self._most:
            raise self._too_many_elements()
        bit = self.bits.position
        code = field.code
        value = self._read[code.kind](parameter)
        length = self.bits.position - bit
        text = code.text if code.parameter is None else code.resolved(parameter)
        self._elements.append(Element(name, text, bit, length, value))
        return value

    def repeat(self, name: str, count: int, given: Any) -> int:  # noqa: ARG002
        """Refuse more repetitions than there are bits."""
        left = self.bits.end - self.bits.position
        if count > left:
            raise NncMalformedError(
                "An array has more entries than the unit has bits",
                position=Position(bit=self.bits.position, field=name),
                expected=f"at most {left} entries",
                found=f"{count} entries",
                fix="correct the number of entries, or nnr_unit_size",
            )
        return count

    def refuse(self, refusal: Refusal, scope: Mapping[str, Any]) -> None:
        """Raise the error that the description asks for."""
        raise _ERRORS[refusal.error](
            refusal.message.format_map(scope),
            position=self.position_of(refusal.field),
            expected=refusal.expected,
            found=f"{refusal.field} {scope[refusal.field.rpartition('.')[2]]}",
            fix=refusal.fix,
        )

    def position_of(self, field: str) -> Position:
        """Return the place of an element, or where it would be."""
        places = (element.bit for element in reversed(self._elements) if element.name == field)
        return Position(bit=next(places, self.bits.position), field=field)

    def limit_to(self, size: int) -> None:
        """End the unit after ``size`` bytes."""
        end = self._start + 8 * size
        if not self.bits.position < end <= self.bits.end:
            raise NncMalformedError(
                "The size of a unit is wrong",
                position=self.position_of("nnr_unit_size"),
                expected=f"{(self.bits.position - self._start) // 8 + 1} to "
                f"{(self.bits.end - self._start) // 8} bytes, what is left of the stream",
                found=f"{size} bytes",
                fix="write the bytes of the whole unit, and all of them",
            )
        self.bits.end = end

    def expect_end(self) -> None:
        """Refuse what is left of a unit that should be over."""
        left = self.bits.end - self.bits.position
        if left:
            raise NncMalformedError(
                "A unit is longer than its syntax",
                position=Position(bit=self.bits.position, field="nnr_unit_size"),
                expected=f"nnr_unit_size {(self.bits.position - self._start + 7) // 8}",
                found=f"nnr_unit_size {(self.bits.end - self._start) // 8}",
                fix="write the size of the unit as it is",
            )

    def _too_many_elements(self) -> NncLimitError:
        return NncLimitError(
            "The stream has too many syntax elements",
            position=Position(bit=self.bits.position, field=self.field),
            expected=f"at most {self._most} elements in this unit, as Limits.elements leaves it",
            found="one more",
            fix="raise Limits.elements if the stream is trusted",
        )


def _syntax_of(unit_type: int, coder: Reader) -> UnitSyntax:
    if unit_type not in UNITS:
        raise NncUnsupportedError(
            "The type of a unit is not known",
            position=coder.position_of("nnr_unit_type"),
            expected=f"0 to {max(UNITS)}",
            found=f"nnr_unit_type {unit_type}",
            fix="leave the unit out, or use a decoder that knows it",
        )
    return UNITS[unit_type]


def _check_number(index: int, coder: Reader, options: Options) -> None:
    if index >= options.limits.units:
        raise NncLimitError(
            "The stream has too many units",
            position=Position(bit=coder.bits.position),
            expected=f"at most {options.limits.units} units",
            found="one more",
            fix="raise Limits.units if the stream is trusted",
        )


def _bytes_of(data: bytes | bytearray | memoryview) -> memoryview:
    return memoryview(data).cast("B")
