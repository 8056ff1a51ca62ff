"""Where in a file something of a unit stands, for error messages."""

from __future__ import annotations

from conformance.nnc.errors import Position
from conformance.nnc.stream import Unit


def at(unit: Unit, field: str) -> Position:
    """Return the position of a syntax element of ``unit``, or of its first byte if it has none.

    The name of a group or an array stands for its first element.
    """
    for element in unit.elements:
        if element.name == field or element.name.startswith((f"{field}.", f"{field}[")):
            return Position(element.bit, unit.index, unit.name, field)
    return Position(unit.byte * 8, unit.index, unit.name, field)


def in_payload(unit: Unit, bit: int, field: str) -> Position:
    """Return the position of a bit of the payload of ``unit``."""
    return Position(unit.payload_byte * 8 + bit, unit.index, unit.name, field)
