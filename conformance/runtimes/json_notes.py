"""Strings and notes in a JSON document that are longer than a network needs them to be."""

from __future__ import annotations

import json
from collections.abc import Iterator

from conformance.runtimes._protocol import Unread
from conformance.verdicts import Json

_LONGEST_STRING = 1 << 10


def long_notes(document: Json, file: str, member: str, notes: str, usual: int) -> Iterator[Unread]:
    """Yield what strings take beyond 1 KiB, and values of the key ``notes`` beyond ``usual`` bytes.

    The document is in ``member`` of ``file``.
    """
    waiting: list[tuple[str, Json]] = [(member, document)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield Unread(file, f"{place}: a long string", len(value) - _LONGEST_STRING)
        elif isinstance(value, list):
            waiting += ((place, each) for each in value)
        elif isinstance(value, dict):
            for key, each in value.items():
                if key == notes:
                    yield Unread(file, f"{member}: {notes}", json_length(each) - usual)
                else:
                    waiting += ((place, key), (f"{member}: {key[:80]}", each))


def json_length(value: Json) -> int:
    """Return the length of a value as JSON; 0 where it is nested too deeply to be written."""
    try:
        return len(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return 0
