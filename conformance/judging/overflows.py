"""What a watch found in 16-bit types, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from conformance.plan.results import HalfPrecision
from conformance.verdicts import Location, Problem

SHOWN = 5
"""Overflows that have a finding each; the last one counts the others."""

_INFINITE_FROM = {"float16": "65520", "bfloat16": "3.3961e38"}


def overflows_in(measured: HalfPrecision, place_of: Callable[[str], Location]) -> Iterator[Problem]:
    """Yield the first overflows in the order of the graph, each at the place of its tensor."""
    found = measured.overflows
    for place, each in enumerate(found[:SHOWN]):
        on = "a batch" if each.item is None else f"item {each.item}"
        rest = len(found) - SHOWN
        others = "1 more tensor overflows" if rest == 1 else f"{rest} more tensors overflow"
        more = f"; {others}" if place == SHOWN - 1 and rest > 0 else ""
        yield Problem(
            message=f"{each.tensor!r}, which {each.operator} writes, overflows in {each.type}",
            expected=f"magnitudes below {_INFINITE_FROM[each.type]}: larger ones round to "
            f"infinity in {each.type}",
            found=f"{each.value:.8g} on {on}, from {each.operator} ({each.place}){more}",
            where=place_of(each.tensor),
            fix="scale the values down, compute this operator in float32"
            + (", or use bfloat16" if each.type == "float16" else ""),
        )
