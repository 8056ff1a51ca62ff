"""Values as plain JSON, and JSON as the same bytes every time.

:func:`plain` turns mappings, sequences and numbers into what :mod:`json` can write on every
machine; :func:`json_text` writes it with sorted keys, the shortest exact form of each float, two
spaces of indent and a newline at the end.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from conformance.verdicts import Json

MAX_DEPTH = 32
"""Values nested deeper than this are written as an ellipsis."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def plain(value: Json, depth: int = 0) -> Json:
    """Return ``value`` as JSON without tuples, floats that are not finite, or lone surrogates.

    A number that is not finite becomes ``"nan"``, ``"inf"`` or ``"-inf"``, because JSON has no
    other form for it.
    """
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\ufffd", value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    return value


def json_text(value: Json) -> str:
    """Return the one text of ``value``; ASCII, so that no character can hide or reorder others."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"
