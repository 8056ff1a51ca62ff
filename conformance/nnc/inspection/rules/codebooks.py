"""Rules about codebooks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import cast

from conformance.nnc.errors import at
from conformance.nnc.inspection.reading import group
from conformance.nnc.inspection.rules.material import Material
from conformance.nnc.inspection.rules.registry import Breach, rule
from conformance.nnc.quantization import INT32_MAX, INT32_MIN, steps
from conformance.nnc.stream import Unit, Values

_GROUPS = ("codebook", "codebook_dc")


@rule(
    "NNC-CODEBOOK-001",
    "The entries of a codebook are strictly increasing 32-bit integers",
    "Entries beyond 32 bits wrap around: they are no longer in order, or no longer what was meant.",
    fix="write entries between -2^31 and 2^31 - 1",
)
def has_increasing_entries(material: Material) -> Iterator[Breach]:
    """Find entries that do not fit or do not increase."""
    for unit, name, codebook in _codebooks(material):
        entries = _entries(codebook)
        outside = [entry for entry in entries if not INT32_MIN <= entry <= INT32_MAX]
        if outside or any(high <= low for low, high in pairwise(entries)):
            place = at(unit, f"{name}.codebook_zero_value")
            found = f"the entry {outside[0]}" if outside else "entries out of order"
            expected = f"increasing entries from {INT32_MIN} to {INT32_MAX}"
            yield Breach("The codebook has an entry that cannot be", place, expected, found)


@rule(
    "NNC-CODEBOOK-002",
    "A codebook has an entry that is not 0",
    "Every value of the tensor is 0 whatever its levels are.",
    fix="code the tensor without a codebook, or write the entries that were meant",
    severity="warning",
)
def has_a_value(material: Material) -> Iterator[Breach]:
    """Find codebooks of nothing but 0."""
    for unit, name, codebook in _codebooks(material):
        if _entries(codebook) == [0]:
            place = at(unit, f"{name}.codebook_zero_value")
            yield Breach("The only entry of the codebook is 0", place, "another entry", "0")


def _codebooks(material: Material) -> Iterator[tuple[Unit, str, Values]]:
    for unit in material.data_units:
        for name in _GROUPS:
            codebook = group(unit, name)
            if codebook is not None and codebook.get("codebook_size") is not None:
                yield unit, name, codebook


def _entries(codebook: Values) -> list[int]:
    left, right = (
        cast("tuple[int, ...] | None", codebook[f"codebook_deltas_{side}"])
        for side in ("left", "right")
    )
    centre = _number(codebook, "codebook_zero_value")
    return [*[*steps(centre, left, -1)][::-1], centre, *steps(centre, right, 1)]


def _number(codebook: Values, name: str) -> int:
    value = codebook[name]
    return value if isinstance(value, int) else 0


RULES = (has_increasing_entries, has_a_value)
