"""Long lists of a document whose entries are made when they are asked for, and not kept.

A file of 100 kB can have a million syntax elements. As dictionaries, all at once, they would take
a thousand times as much.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

Source = TypeVar("Source")


class Lazy(Sequence[dict[str, Any]], Generic[Source]):
    """The sequence of ``make(item)`` for the items of another."""

    def __init__(self, items: Sequence[Source], make: Callable[[Source], dict[str, Any]]) -> None:
        self._items = items
        self._make = make

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> Lazy[Source]: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | Lazy[Source]:
        if isinstance(index, slice):
            return Lazy(self._items[index], self._make)
        return self._make(self._items[index])

    def __len__(self) -> int:
        return len(self._items)


def json_text(value: Any) -> Iterator[str]:
    """Yield ``json.dumps(value, indent=1)`` in parts that end where a line does, without newlines.

    ``value`` may have :class:`Lazy` members, and members of these may; of each no more than one
    entry is held at a time.
    """
    held: list[str] = []
    for part in _parts(value):
        held.append(part)
        if len(held) == _LINES_AT_ONCE:
            yield "\n".join(held)
            held.clear()
    if held:
        yield "\n".join(held)


def _parts(value: Any) -> Iterator[str]:
    """Yield a value in parts of one line or more."""
    kinds = set(map(type, value.values())) if isinstance(value, dict) else set()
    if Lazy in kinds:
        yield from _bracketed("{}", ((f"{json.dumps(name)}: ", value[name]) for name in value))
    elif isinstance(value, Lazy):
        yield from _bracketed("[]", (("", each) for each in value)) if value else ("[]",)
    elif kinds and not kinds & _CONTAINERS:
        yield f"{{\n {_FLAT.encode(value)[1:-1]}\n}}"
    else:
        yield _INDENTED.encode(value)


def _bracketed(brackets: str, members: Iterator[tuple[str, Any]]) -> Iterator[str]:
    """Yield labelled members, of which there is at least one, between brackets."""
    held, comma = brackets[0], ""
    for label, member in members:
        for number, part in enumerate(_parts(member)):
            yield held + (comma if number == 0 else "")
            held = " " + (label if number == 0 else "") + part.replace("\n", "\n ")
        comma = ","
    yield held
    yield brackets[1]


_LINES_AT_ONCE = 1000
_CONTAINERS = frozenset({dict, list, tuple})
_INDENTED = json.JSONEncoder(indent=1, allow_nan=False)
_FLAT = json.JSONEncoder(separators=(",\n ", ": "), allow_nan=False)
"""Of a dictionary without containers it makes the lines that ``indent=1`` makes, and far faster."""
