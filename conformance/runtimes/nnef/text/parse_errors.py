"""What the native parser says is wrong, taken apart."""

from __future__ import annotations

import re

_PLACE = re.compile(r"^Parse error in '\w+' \[(\d+):(\d+)\] (.*)", re.DOTALL)
_MOST_TEXT = 400


def place_of(text: str) -> tuple[tuple[int, int] | None, str]:
    """Return line and column, if the parser names a place in its input, and the rest.

    Both count from 1; the rest is cut to a length that a message can hold.
    """
    match = _PLACE.match(text)
    if match is None:
        return None, text[:_MOST_TEXT]
    return (int(match[1]), int(match[2])), match[3][:_MOST_TEXT]
