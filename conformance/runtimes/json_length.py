"""How long values are in a JSON document."""

from __future__ import annotations

import json

from conformance.verdicts import Json


def json_length(value: Json) -> int:
    """Return the length of a value as JSON; 0 where it is nested too deeply to be written."""
    try:
        return len(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return 0
