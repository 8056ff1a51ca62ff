"""The tree: the structure of a document with the condition of each element, absent ones too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from conformance.nnc.inspection.listing import error_lines, header, payload_lines, unit_title
from conformance.nnc.inspection.tables import place, shown

_MOST_VALUE = 60


@dataclass(slots=True)
class _Node:
    """A line of the tree and what is below it."""

    text: str
    children: dict[str, _Node] = field(default_factory=dict)


def tree(document: Mapping[str, Any], file: str) -> Iterator[str]:
    """Yield the lines of the tree."""
    yield header(document, file)
    units: Sequence[Mapping[str, Any]] = document["units"]
    for number, unit in enumerate(units):
        is_last = number == len(units) - 1 and document["error"] is None
        yield ("`-- " if is_last else "|-- ") + unit_title(unit)
        for line in _below_unit(unit):
            yield ("    " if is_last else "|   ") + line
    if document["error"] is not None:
        yield from error_lines(document["error"])


def _below_unit(unit: Mapping[str, Any]) -> Iterator[str]:
    root = _Node("")
    absent = {each["after"]: each for each in unit["absent"]}
    for name, elements in groupby(unit["elements"], key=_first_name):
        for element in elements:
            _insert(root, element)
        _insert_absent(root, name, absent)
    yield from _lines(root)
    yield from (line.removeprefix("    ") for line in payload_lines(unit))


def _first_name(element: Mapping[str, Any]) -> str:
    name: str = element["name"]
    return name.partition(".")[0].partition("[")[0]


def _insert_absent(root: _Node, name: str, absent: Mapping[str, Mapping[str, Any]]) -> None:
    while (item := absent.get(name)) is not None:
        name, value = item["name"], item["value"]
        taken = "" if value in (None, []) else f", taken as {shown(value, _MOST_VALUE)}"
        when = item["when"] or f"there are entries of {name}"
        root.children[f"absent {name}"] = _Node(f"({name}: absent{taken}; only when {when})")


def _insert(root: _Node, element: Mapping[str, Any]) -> None:
    *groups, last = element["name"].split(".")
    node = root
    for group in groups:
        node = node.children.setdefault(group, _Node(group))
    when = f"  when {element['when']}" if element["when"] else ""
    meaning = f"  ({element['meaning']})" if element["meaning"] else ""
    raw = f"  {element['bits']}" if "bits" in element else ""
    text = (
        f"{last} = {shown(element['value'], _MOST_VALUE)}{meaning}"
        f"  [{place(element['bit'])}, {element['code']}]{raw}{when}"
    )
    node.children[f"{last} {element['bit']}"] = _Node(text)


def _lines(node: _Node) -> Iterator[str]:
    children = list(node.children.values())
    for number, child in enumerate(children):
        is_last = number == len(children) - 1
        yield ("`-- " if is_last else "|-- ") + child.text
        for line in _lines(child):
            yield ("    " if is_last else "|   ") + line
