"""Going through raw metadata, whatever may be wrong with them: values, sections, ids."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from conformance.submission.positions import Pointer
from conformance.verdicts import Json

SECTIONS = ("use_cases", "models", "datasets", "metrics", "vectors", "samples")
"""The keys of a submission whose entries have ids."""
MEASUREMENTS = (
    ("models", "metric_values"),
    ("samples", "metrics"),
    ("samples", "claims", "metric_values"),
    ("samples", "layers", "claims", "metric_values"),
)
"""The paths of lists whose entries are distinguished by metric and vectors."""


def entries(data: Json, *keys: str) -> Iterator[tuple[Pointer, dict[str, Json]]]:
    """Yield every object below ``keys`` with its pointer; lists are gone through."""
    level: list[tuple[Pointer, Json]] = [((), data)] if isinstance(data, dict) else []
    for key in keys:
        held = (((*at, key), each[key]) for at, each in level if key in each)
        level = [each for at, value in held for each in _objects(at, value)]
    yield from level


def _objects(pointer: Pointer, value: Json) -> list[tuple[Pointer, Json]]:
    members = enumerate(value) if isinstance(value, list) else ()
    found = [((*pointer, index), each) for index, each in members] or [(pointer, value)]
    return [(at, each) for at, each in found if isinstance(each, dict)]


def iterate_values(data: Json) -> Iterator[tuple[Pointer, Json]]:
    """Yield every value with its pointer, in the order of the text."""
    stack: list[tuple[Pointer, Json]] = [((), data)]
    while stack:
        pointer, value = stack.pop()
        yield pointer, value
        inner: Collection[tuple[Any, Json]] = ()
        if isinstance(value, dict):
            inner = list(value.items())
        elif isinstance(value, list):
            inner = list(enumerate(value))
        stack.extend(((*pointer, key), each) for key, each in reversed(list(inner)))


def ids_of(data: Json, section: str) -> dict[str, Pointer]:
    """Return the ids of a section, each with the pointer of the entry that has it first."""
    ids: dict[str, Pointer] = {}
    for pointer, entry in entries(data, section):
        if isinstance(entry.get("id"), str):
            ids.setdefault(entry["id"], pointer)
    return ids
