"""Bytes of the JSON of an exported program that nothing reads: notes, blanks, unknown entries."""

from __future__ import annotations

import json
from collections.abc import Iterator

from conformance.runtimes._protocol import Unread
from conformance.verdicts import Json

_KNOWN = frozenset({
    *("graph_module", "opset_version", "range_constraints", "schema_version"),
    *("verifiers", "torch_version", "guards_code"),
})  # fmt: skip
_NOTES = "metadata"
_FREE_NOTES = 8 << 10
"""Bytes that PyTorch may note with an operator: where it comes from, through all its modules."""

_LONGEST_STRING = 1 << 10


def unread_in_program(text: str, file: str, member: str) -> Iterator[Unread]:
    """Yield what the document ``text`` holds besides the graph, and long notes within it."""
    root = json.loads(text)
    blanks = len(text) - len(json.dumps(root, ensure_ascii=False))
    yield Unread(file, f"{member}: blanks and repeated keys", blanks)
    for key in root.keys() - _KNOWN:
        yield Unread(file, f"{member}: {key[:80]}", len(key) + _length(root.pop(key)))
    waiting: list[tuple[str, Json]] = [(member, root)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield Unread(file, f"{place}: a long string", len(value) - _LONGEST_STRING)
        elif isinstance(value, list):
            waiting += ((place, each) for each in value)
        elif isinstance(value, dict):
            for key, each in value.items():
                if key == _NOTES and isinstance(each, dict):
                    yield Unread(file, f"{place}: metadata of a node", _length(each) - _FREE_NOTES)
                else:
                    waiting += ((place, key), (f"{member}: {key[:80]}", each))


def _length(value: Json) -> int:
    return len(json.dumps(value, ensure_ascii=False))
