"""Bytes of the JSON of an exported program that nothing reads: notes, blanks, unknown entries."""

from __future__ import annotations

import json
from collections.abc import Iterator

from conformance.runtimes._protocol import Unread
from conformance.runtimes.json_notes import json_length, long_notes

_KNOWN = frozenset({
    *("graph_module", "opset_version", "range_constraints", "schema_version"),
    *("verifiers", "torch_version", "guards_code"),
})  # fmt: skip
_NOTES = "metadata"
_FREE_NOTES = 8 << 10
"""Bytes that PyTorch may note with an operator: where it comes from, through all its modules."""


def unread_in_program(text: str, file: str, member: str) -> Iterator[Unread]:
    """Yield what the document ``text`` holds besides the graph, and long notes within it."""
    root = json.loads(text)
    blanks = len(text) - json_length(root)
    yield Unread(file, f"{member}: blanks and repeated keys", blanks)
    for key in root.keys() - _KNOWN:
        yield Unread(file, f"{member}: {key[:80]}", len(key) + json_length(root.pop(key)))
    yield from long_notes(root, file, member, _NOTES, _FREE_NOTES)
