"""Where the units of a file begin and of what type they are, from sizes and common headers alone.

Rules about the order of units need nothing else, and so hold their ground where a unit cannot be
read. The outline ends where a size leads out of the file or nowhere. :func:`select_units` makes a
part of a bitstream a bitstream in itself, whatever the units after it hold, and even if they are
missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from conformance.nnc.errors import NncMalformedError, Position
from conformance.nnc.syntax import UNITS

_COMMON_HEADER = 1
MOST_UNITS = 1 << 20
"""Units of a file that are looked at."""


@dataclass(frozen=True, slots=True)
class OutlinedUnit:
    """One unit: its index, first byte, stated size in bytes, and type.

    ``left`` are the bytes of the file from ``byte``, ``form`` those of the size itself.
    ``unit_type`` is None where the file ends before it.
    """

    index: int
    byte: int
    size: int
    left: int
    form: int
    unit_type: int | None

    @property
    def name(self) -> str:
        """The short name of the type; none for an unknown one."""
        syntax = None if self.unit_type is None else UNITS.get(self.unit_type)
        return syntax.name if syntax else ""

    @property
    def is_inside(self) -> bool:
        """Whether the unit has room for its header and ends inside the file."""
        return self.form + _COMMON_HEADER <= self.size <= self.left

    def at(self, field: str) -> Position:
        """Return the position of ``nnr_unit_size`` or ``nnr_unit_type``."""
        bit = 8 * self.byte + (8 * self.form if field == "nnr_unit_type" else 1)
        return Position(bit, self.index, self.name, field)


def outline(data: memoryview, most: int) -> Iterator[OutlinedUnit]:
    """Yield the units of a file, at most ``most``; the last may be broken."""
    byte = 0
    for index in range(most):
        if byte >= len(data):
            return
        unit = _unit_at(data, index, byte)
        yield unit
        if not unit.is_inside:
            return
        byte += unit.size


def _unit_at(data: memoryview, index: int, byte: int) -> OutlinedUnit:
    form = 4 if data[byte] & 0x80 else 2
    stated = int.from_bytes(data[byte : byte + form]) & ((1 << (8 * form - 1)) - 1)
    header = data[byte + form : byte + form + 1]
    return OutlinedUnit(
        index=index,
        byte=byte,
        size=stated,
        left=len(data) - byte,
        form=form,
        unit_type=header[0] >> 2 if header else None,
    )


def select_units(
    data: memoryview,
    ranges: Sequence[tuple[int, int]],
    withheld: Sequence[tuple[int, int]] = (),
) -> tuple[bytes, int]:
    """Return the units in ``ranges`` (first, last) as a stream, and the bytes they take.

    The stream holds parameter sets and topology before the last of them as well, which units may
    depend upon; they count for the size only where a range has them. None of ``withheld`` is there,
    whatever depends upon it: those who have this part do not have them. Raises
    :class:`NncMalformedError` where the file ends before a range does.
    """
    last = max(end for _, end in ranges)
    units = list(outline(data, min(last + 1, MOST_UNITS)))
    if len(units) <= last or not units[-1].is_inside:
        raise NncMalformedError(
            f"The stream has no unit {last}",
            position=units[-1].at("nnr_unit_size") if units else Position(0),
            expected=f"{last + 1} whole units",
            found=f"{sum(unit.is_inside for unit in units)}",
            fix="correct the ranges of the layer; `nnr-conformance nnc inspect FILE` lists the "
            "units",
        )
    taken, lacking = _indices(ranges, last), _indices(withheld, last)
    kept = (
        unit
        for unit in units
        if unit.index in taken or (unit.name != "NDU" and unit.index not in lacking)
    )
    stream = b"".join(data[unit.byte : unit.byte + unit.size] for unit in kept)
    return stream, sum(units[index].size for index in taken)


def _indices(ranges: Sequence[tuple[int, int]], last: int) -> set[int]:
    return {index for first, end in ranges for index in range(first, min(end, last) + 1)}


def count_units(data: memoryview) -> int:
    """Return how many whole units the file has, at most :data:`MOST_UNITS`."""
    return sum(unit.is_inside for unit in outline(data, MOST_UNITS))
