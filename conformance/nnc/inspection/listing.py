"""The listing: every unit and element of a document in columns, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any

from conformance.nnc.inspection.tables import MARGIN, counted, place, shown, table
from conformance.nnc.inspection.tensor_text import tensor_lines

_MOST_ENTRIES = 12
_MOST_BITS = 32
_MOST_VALUE = 40
_EDITIONS = {0: "profile 0, first edition", 1: "profile 1, second edition", None: "no profile"}


def listing(document: Mapping[str, Any], file: str, *, whole: bool = False) -> Iterator[str]:
    """Yield the lines; ``whole`` shows long arrays, strings and bit strings to their ends."""
    yield header(document, file)
    for unit in document["units"]:
        yield ""
        yield unit_title(unit)
        yield from _elements(unit["elements"], whole)
        yield from payload_lines(unit)
    yield from footer(document)


def header(document: Mapping[str, Any], file: str) -> str:
    """Return the first line: what the file is."""
    edition = _EDITIONS.get(document["profile"], f"profile {document['profile']}")
    units = counted(document["unit_count"], "unit")
    return f"{file}: {counted(document['bytes'], 'byte')}, {units}, {edition}"


def unit_title(unit: Mapping[str, Any]) -> str:
    """Return the line above a unit."""
    size = "size unknown" if unit["size"] is None else counted(unit["size"], "byte")
    broken = "" if unit["complete"] else ", BROKEN: see the end"
    return f"unit {unit['index']}  {unit['title']}  at byte {unit['byte']}, {size}{broken}"


def payload_lines(unit: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines about the payload of a unit."""
    payload = unit["payload"]
    if payload is None:
        return
    bits = payload["bits"]
    where = f"payload at byte {payload['byte']}, {counted(payload['size'], 'byte')}"
    sums = " + ".join(f"{name} {count}" for name, count in bits.items() if name != "total")
    yield f"{MARGIN}{where} = {bits['total']} bits = {sums}"
    for tensor in unit["tensors"]:
        yield from (f"{MARGIN}  {line}" for line in tensor_lines(tensor))


def footer(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the features, and the error if there is one."""
    yield ""
    yield f"features: {' '.join(document['features']) or 'none'}"
    error = document["error"]
    if error is not None:
        yield ""
        yield from error_lines(error)


def error_lines(error: Mapping[str, Any]) -> Iterator[str]:
    """Yield what ended reading or decoding."""
    where = error["position"]
    at = "" if where["bit"] is None else f"byte {where['byte']}, bit {where['bit'] % 8}"
    unit = "" if where["unit"] is None else f"unit {where['unit']} {where['unit_name']}".rstrip()
    rows = [
        ("where", ", ".join(part for part in (at, unit, where["field"]) if part)),
        ("expected", error["expected"]),
        ("found", error["found"]),
        ("fix", error["fix"]),
    ]
    yield f"error: {error['kind']}: {error['message']}"
    yield from (f"  {name:<9} {text}" for name, text in rows if text)


def _elements(elements: Sequence[Mapping[str, Any]], whole: bool) -> Iterator[str]:
    has_bits = bool(elements) and "bits" in elements[0]
    titles = ["at", "bits", "code", *(["raw"] if has_bits else []), "field", "value", "meaning"]
    rows = [
        _row(entry, has_bits, whole) if isinstance(entry, Mapping) else _gap(entry, len(titles))
        for entry in (elements if whole else _abridged(elements))
    ]
    yield from table([titles, *rows], right=frozenset({0, 1}))


def _row(element: Mapping[str, Any], has_bits: bool, whole: bool) -> list[str]:
    raw = [_raw(element["bits"], whole)] if has_bits else []
    return [
        place(element["bit"]),
        str(element["length"]),
        element["code"],
        *raw,
        element["name"],
        shown(element["value"], 0 if whole else _MOST_VALUE),
        element["meaning"],
    ]


def _raw(bits: str, whole: bool) -> str:
    return bits if whole or len(bits) <= _MOST_BITS else f"{bits[: _MOST_BITS - 3]}..."


def _gap(count: int, columns: int) -> list[str]:
    text = f"... {count} more, with --unit"
    return [*[""] * (columns - 3), text, "", ""]


def _abridged(elements: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any] | int]:
    """Yield elements, and of long arrays the first and the number of the rest."""
    for _, group in groupby(elements, key=lambda element: element["name"].partition("[")[0]):
        yield from _head(group)


def _head(entries: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any] | int]:
    first = list(islice(entries, _MOST_ENTRIES))
    rest = sum(1 for _ in entries)
    yield from first[: _MOST_ENTRIES // 2] if rest else first
    if rest:
        yield len(first) - _MOST_ENTRIES // 2 + rest
