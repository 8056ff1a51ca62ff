"""What a parsed stream is made of: units, and in each its syntax elements and values.

A :class:`Unit` shows its header twice: ``elements`` is what was read, in stream order and with
the place of every bit; ``values`` is what it means, by name, with what is inferred filled in::

    stream = parse_stream(data)
    for unit in stream.units:
        print(unit.name, unit.values["nnr_unit_size"], unit.elements[0].bit)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from conformance.nnc.errors import Position
from conformance.nnc.options import Interpretation

Scalar: TypeAlias = int | float | str
Value: TypeAlias = "Scalar | tuple[Value, ...] | Mapping[str, Value] | None"
Values: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Element:
    """One syntax element as read.

    ``name`` leads through groups and arrays (``entry_points[3].dq_state``). ``code`` is how it is
    written (``u(7)``, ``ue(2)``, ``st(v)``). ``bit`` is the first bit, counted from the start of
    the file, ``length`` the number of bits.
    """

    name: str
    code: str
    bit: int
    length: int
    value: Scalar


@dataclass(frozen=True, slots=True)
class Unit:
    """One NNR unit.

    ``index`` counts from 0; ``name`` is the short name of the type (``NDU``). ``byte`` and
    ``size`` bound the whole unit in the file. ``elements`` are those of unit size, headers and
    header-coded payload. ``values`` has every name of the unit's description: the value read,
    else the inferred one, else None; arrays are tuples, groups mappings, repeated groups tuples
    of mappings. ``payload_byte`` and ``payload_size`` bound the payload of an NDU; in other units
    ``payload_size`` is 0.
    """

    index: int
    unit_type: int
    name: str
    byte: int
    size: int
    elements: tuple[Element, ...]
    values: Values
    payload_byte: int
    payload_size: int

    def integer(self, name: str) -> int | None:
        """Return the value of an integer, or None where the unit has none of that name."""
        value = self.values.get(name)
        return value if isinstance(value, int) else None

    def integers(self, name: str) -> tuple[int, ...] | None:
        """Return the values of an array of integers, or None where there is no such array."""
        values = self.values.get(name)
        if not isinstance(values, tuple):
            return None
        return tuple(each for each in values if isinstance(each, int))

    def group(self, name: str) -> Values | None:
        """Return the values of a group, or None where the unit has none of that name."""
        value = self.values.get(name)
        return value if isinstance(value, Mapping) else None

    def groups(self, name: str) -> tuple[Values, ...]:
        """Return the entries of a repeated group; none where it is absent."""
        value = self.values.get(name)
        entries = value if isinstance(value, tuple) else ()
        return tuple(each for each in entries if isinstance(each, Mapping))

    @property
    def written_names(self) -> tuple[str, ...]:
        """The topology element ids of an NDU as in its header; none where it has indices."""
        several, single = self.values.get("topology_elem_ids"), self.values.get("topology_elem_id")
        names = several if isinstance(several, tuple) and several else (single,)
        return tuple(each for each in names if isinstance(each, str))

    def at(self, field: str) -> Position:
        """Return the position of a syntax element, or of the unit's first byte if it has none.

        The name of a group or an array stands for its first element.
        """
        for element in self.elements:
            if element.name == field or element.name.startswith((f"{field}.", f"{field}[")):
                return Position(element.bit, self.index, self.name, field)
        return Position(self.byte * 8, self.index, self.name, field)

    def in_payload(self, bit: int, field: str) -> Position:
        """Return the position of a bit of the payload, counted from its first bit."""
        return Position(self.payload_byte * 8 + bit, self.index, self.name, field)


@dataclass(frozen=True, slots=True)
class Stream:
    """All units of a file, and the interpretation under which they were read."""

    data: memoryview
    units: tuple[Unit, ...]
    interpretation: Interpretation

    @property
    def profile(self) -> int:
        """``general_profile_idc`` of the start unit."""
        profile = self.units[0].values["general_profile_idc"]
        return profile if isinstance(profile, int) else 0
