"""Pictures for a page: drawn once for the same data, or left out with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache

from conformance.report.pictures import curves, trees
from conformance.verdicts import Json

DRAWERS: Mapping[str, Callable[[Mapping[str, Json], str], str]] = {
    "curve": curves.draw,
    "tree": trees.draw,
}
"""What draws a picture, by its kind."""
MOST = 24
"""Pictures of one kind on a page; further entries have their tables alone."""


def picture(kind: str, block: Mapping[str, Json], place: int) -> str:
    """Return the SVG of an entry of a report, the one at ``place`` of its list; empty if none.

    ``kind`` is ``curve`` or ``tree``. A report is written several times in a run: what was drawn
    is kept, and drawn anew only if its data change. A picture that cannot be drawn costs nobody
    the report.
    """
    if place >= MOST:
        return ""
    try:
        return _drawn(kind, json.dumps(block, sort_keys=True), f"{kind}-{place}")
    except (ImportError, OSError, ValueError, ArithmeticError):
        return ""


@lru_cache(maxsize=4 * MOST)
def _drawn(kind: str, text: str, prefix: str) -> str:
    return DRAWERS[kind](json.loads(text), prefix)
