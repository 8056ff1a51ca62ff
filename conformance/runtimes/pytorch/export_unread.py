"""Bytes of the JSON of an exported program that nothing reads: notes, blanks, unknown entries.

PyTorch notes with each operator where it comes from: 0.2 to 1 KiB on average, 1.5 KiB in modules
that are nested eight deep. That is overhead of the graph, as in ONNX: under the keys that PyTorch
writes, up to 2 KiB for each operator. Entries that PyTorch does not write, and what is said of
values that the graph does not have, count in full.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from functools import cache

from conformance.runtimes._protocol import Unread
from conformance.runtimes.json_length import json_length
from conformance.verdicts import Json

_NOTES = "metadata"
_PYTORCH = frozenset({
    *("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node", "custom"),
})  # fmt: skip
_OF_OPERATOR = 2 << 10
"""Bytes that PyTorch may note for each operator."""

_VALUES = frozenset({
    *("tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"),
    "custom_obj_values",
})  # fmt: skip
_NAMED = frozenset({"opset_version", "range_constraints", "treespec_namedtuple_fields"})
"""Entries whose keys are names, as those of the values are."""

_LONGEST_STRING = 1 << 10
_STRIP = (
    "in Python, before the program is saved: `for node in program.graph.nodes: [node.meta.pop(key, "
    "None) for key in ('stack_trace', 'nn_module_stack', 'torch_fn', 'from_node')]`"
)


def unread_in_program(text: str, file: str, member: str) -> Iterator[Unread]:
    """Yield what the document ``text`` holds in addition to the graph, and long notes within it."""
    root = json.loads(text)
    blanks = len(text) - json_length(root)
    yield Unread(file, f"{member}: blanks and repeated keys", blanks)
    names = frozenset(_strings(root))
    room = 0
    waiting: list[tuple[str, Json]] = [(member, root)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str):
            yield Unread(file, f"{place}: a long string", len(value) - _LONGEST_STRING)
        elif isinstance(value, list):
            waiting += ((place, each) for each in value)
        elif isinstance(value, dict):
            room += _OF_OPERATOR if "target" in value else 0
            for key, each in value.items():
                inner = f"{member}: {key[:80]}"
                if key not in _known_keys():
                    yield Unread(file, inner, json_length({key: each}))
                elif key == _NOTES and isinstance(each, dict):
                    notes = json_length(
                        {name: note for name, note in each.items() if name in _PYTORCH}
                    )
                    room -= notes
                    yield Unread(file, f"{place}: metadata", json_length(each) - notes)
                elif key in _VALUES and isinstance(each, dict):
                    spare = {name: about for name, about in each.items() if name not in names}
                    yield Unread(file, f"{inner} of no value", json_length(spare) - json_length({}))
                    waiting += ((inner, about) for name, about in each.items() if name in names)
                elif key in _NAMED and isinstance(each, dict):
                    waiting += ((inner, part) for pair in each.items() for part in pair)
                else:
                    waiting.append((inner, each))
    name = f"{member}: what PyTorch notes, beyond {_OF_OPERATOR} bytes for each operator"
    yield Unread(file, name, -room, _STRIP)


def _strings(value: Json) -> Iterator[str]:
    """Yield all strings in a document that are not keys."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, (list, dict)):
            waiting += each.values() if isinstance(each, dict) else each


@cache
def _known_keys() -> frozenset[str]:
    """Return the names of all entries that the installed PyTorch writes."""
    from torch._export.serde import schema

    classes = [each for each in vars(schema).values() if dataclasses.is_dataclass(each)]
    return frozenset(field.name for each in classes for field in dataclasses.fields(each))
