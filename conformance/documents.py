"""JSON files that somebody else may have written, read under limits of size and depth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from conformance.verdicts import Json

MOST_BYTES = 256 << 20
MOST_DEPTH = 64


def read_json(path: Path, most_bytes: int = MOST_BYTES, **options: Any) -> Json:
    """Return what a JSON file says; ``options`` are those of :func:`json.loads`.

    Raises ValueError for what is not JSON, is longer than ``most_bytes`` or nested deeper than
    ``MOST_DEPTH``, and OSError for a file that cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(f"it is longer than {most_bytes} bytes")
    try:
        document = json.loads(data, **options)
    except RecursionError:
        raise ValueError(f"it is nested deeper than {MOST_DEPTH} levels") from None
    level = [document]
    for _ in range(MOST_DEPTH):
        level = [each for value in level for each in _members(value)]
        if not level:
            return document
    raise ValueError(f"it is nested deeper than {MOST_DEPTH} levels")


def _members(value: Json) -> list[Json]:
    """Return the lists and objects that a value holds."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in inside if isinstance(each, dict | list)]
