"""Words for values and keys in messages."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from itertools import islice

from conformance.verdicts import Json

PLACEHOLDER = "<fill in"
"""How a string begins that `nnr-conformance init` leaves to a human."""

_SHOWN = 80
_MAX_LISTED = 12
_MAX_CANDIDATES = 200

_KINDS = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


def is_placeholder(value: Json) -> bool:
    """Return whether ``value`` is a string that is still to be filled in."""
    return isinstance(value, str) and PLACEHOLDER in value


def shown(value: Json) -> str:
    """Return ``value`` in few words: containers by their size, strings and numbers as JSON."""
    if isinstance(value, dict):
        return f"an object with {count(len(value), 'key')}"
    if isinstance(value, list):
        return f"a list of {count(len(value), 'entry', 'entries')}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}... ({len(text)} characters)"


def count(number: int, one: str, many: str = "") -> str:
    """Return ``number`` with the noun in its right form."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def kinds(names: str | list[str]) -> str:
    """Return JSON Schema type names in plain words."""
    listed = [names] if isinstance(names, str) else names
    return " or ".join(_KINDS[name] for name in listed)


def listing(names: Iterable[str]) -> str:
    """Return names in quotes, shortened after the first 12."""
    some = list(islice(names, _MAX_LISTED + 1))
    quoted = [shown(name) for name in some[:_MAX_LISTED]]
    return ", ".join(quoted + ["..."] * (len(some) > _MAX_LISTED))


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that ``name`` was most likely meant to be, if any is near."""
    plain = {_plain(each): each for each in list(candidates)[:_MAX_CANDIDATES]}
    close = difflib.get_close_matches(_plain(name[:256]), plain, n=1, cutoff=0.6)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return re.sub(r"[-_ ]", "", name.lower()) or name
