"""Edit a JSON document at a pointer, as RFC 6901 writes it, with one convenience.

A step into an array may be the ``id`` of the element meant instead of its position, so that
``/samples/int4-tensors/claims`` survives a reordering. The last step of a place to write to may be
``-``: after the last element.
"""

from __future__ import annotations

import copy
from typing import Any

Json = Any


class PointerError(LookupError):
    """The document has nothing at the pointer; ``pointer`` says at which."""

    def __init__(self, pointer: str) -> None:
        super().__init__(f"nothing at {pointer!r}")
        self.pointer = pointer


def to_plain_pointer(document: Json, pointer: str) -> str:
    """Return ``pointer`` with every id replaced by the position it stands for."""
    steps, node = [], document
    for step in _steps(pointer):
        key = _key(node, step, pointer)
        steps.append(_escape(str(key)))
        node = node[key]
    return "".join(f"/{step}" for step in steps)


def get(document: Json, pointer: str) -> Json:
    """Return what is at ``pointer``."""
    node = document
    for step in _steps(pointer):
        node = node[_key(node, step, pointer)]
    return node


def put(document: Json, pointer: str, value: Json) -> None:
    """Set or add ``value`` at ``pointer``, in place."""
    parent, last = _parent(document, pointer)
    if isinstance(parent, list):
        if last == "-":
            parent.append(value)
        else:
            parent[_key(parent, last, pointer)] = value
    else:
        parent[last] = value


def remove(document: Json, pointer: str) -> None:
    """Remove what is at ``pointer``, in place."""
    parent, last = _parent(document, pointer)
    del parent[_key(parent, last, pointer)]


def duplicate(document: Json, source: str, target: str) -> None:
    """Put a copy of what is at ``source`` to ``target``, in place."""
    put(document, target, copy.deepcopy(get(document, source)))


def _parent(document: Json, pointer: str) -> tuple[Json, str]:
    *path, last = _steps(pointer)
    return get(document, "".join(f"/{step}" for step in map(_escape, path))), last


def _escape(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _key(node: Json, step: str, pointer: str) -> str | int:
    if isinstance(node, dict) and step in node:
        return step
    if isinstance(node, list):
        for position, element in enumerate(node):
            if step == str(position) or (isinstance(element, dict) and element.get("id") == step):
                return position
    raise PointerError(pointer)
