"""A part of a bitstream as a bitstream of its own: some data units, and the sets they need.

Units are told apart by their sizes alone, so that a part can be read whatever the units behind it
hold, and even if they are missing.
"""

from __future__ import annotations

from collections.abc import Sequence

from conformance.nnc.errors import NncMalformedError, Position
from conformance.nnc.inspection.rules.outline import outline

MOST_UNITS = 1 << 20
"""Units of a file that are looked at."""


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
