"""Where the values of a JSON text stand: JSON pointer to offset, line and column.

The text must already be known to be valid JSON (see :mod:`conformance.submission.reading`); the
scan only follows its structure, in one pass::

    places = find_places(text, {("models", 0, "id")})
    line, column = line_and_column(text, places["models", 0, "id"].start)
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TypeAlias

Pointer: TypeAlias = tuple[str | int, ...]
"""The way from the top of a document to a value: keys and indices."""

# The closing quote is optional and nothing is given back, so that a scan is linear on any text.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?+|[\[\]{}:,]|[^ \t\n\r\[\]{}:,"]++', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """Offsets of a value, ``text[start:end]``; ``key_start`` is that of its key, if it has one."""

    pointer: Pointer
    start: int
    end: int
    key_start: int | None


@dataclass(slots=True)
class _Container:
    """An object or a list whose end is not reached yet, and which member comes next."""

    pointer: Pointer
    start: int
    key_start: int | None
    is_object: bool
    key: str | int | None
    member_key_start: int | None = None

    def member(self) -> Pointer:
        return (*self.pointer, self.key) if self.key is not None else self.pointer

    def advance(self) -> None:
        self.key = self.key + 1 if isinstance(self.key, int) else None
        self.member_key_start = None


def pointer_text(pointer: Pointer) -> str:
    """Return the RFC 6901 text of ``pointer``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in pointer)


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Return line and column of ``offset``, both counted from 1, in characters."""
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def find_places(text: str, pointers: Collection[Pointer]) -> dict[Pointer, Place]:
    """Return the places of those ``pointers`` that exist; of a repeated key, the last one."""
    wanted = set(pointers)
    return {place.pointer: place for place in iterate_places(text) if place.pointer in wanted}


def iterate_tokens(text: str) -> Iterator[tuple[str, int]]:
    """Yield strings (with quotes), other scalars and punctuation, each with its offset."""
    return ((match.group(), match.start()) for match in _TOKEN.finditer(text))


def iterate_places(text: str) -> Iterator[Place]:
    """Yield the place of every value, a container after what it contains."""
    around = _Container((), 0, None, is_object=False, key=None)
    stack = [around]
    for token, offset in iterate_tokens(text):
        top = stack[-1]
        if token == ",":
            top.advance()
        elif token in "{[":
            first = None if token == "{" else 0
            inner = _Container(top.member(), offset, top.member_key_start, token == "{", first)
            stack.append(inner)
        elif token in "}]":
            stack.pop()
            yield Place(top.pointer, top.start, offset + 1, top.key_start)
        elif top.is_object and top.key is None:
            top.key, top.member_key_start = json.loads(token, strict=False), offset
        elif token != ":":
            yield Place(top.member(), offset, offset + len(token), top.member_key_start)
