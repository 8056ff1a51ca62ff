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
