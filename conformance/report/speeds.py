"""The table of inference with compressed networks, as strings for the pages.

Part of :mod:`conformance.report.view`; all strings are as hostile as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.report import words
from conformance.verdicts import Json


@dataclass(frozen=True, slots=True)
class Speed:
    """A row of the table of inference: strings of run time and of memory, of both forms."""

    sample: str
    vectors: str
    rounds: int
    items: int
    cells: tuple[tuple[str, str], ...]
    """Value and spread of: the original's time, the compressed form's, their ratio; then memory."""


def speeds_of(report: Mapping[str, Json]) -> tuple[Speed, ...]:
    """Return the rows of the table of inference with compressed networks."""
    return tuple(_speed(entry) for entry in report["timing"].get("compressed_inference", ()))


def _speed(entry: Mapping[str, Json]) -> Speed:
    original, compressed = entry["original"], entry["compressed"]
    cells: list[tuple[str, str]] = []
    for name, text in (("seconds", words.seconds), ("peak_bytes", _bytes)):
        for form in (original, compressed):
            spread = form[name]
            low, high = text(spread["low"]), text(spread["high"])
            cells.append((text(spread["median"]), f"{low} to {high}"))
        cells.append((words.ratio(compressed[name]["median"], original[name]["median"]), ""))
    return Speed(entry["sample"], entry["vectors"], entry["rounds"], entry["items"], tuple(cells))


def _bytes(value: Json) -> str:
    """Return a number of bytes that may be a mean, or none that is finite."""
    return words.number(value) if isinstance(value, str) else words.size(round(value))
