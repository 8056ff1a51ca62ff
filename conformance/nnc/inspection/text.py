"""A document as text: the listing of units, elements and tensors, and the tree.

The listing has every element in columns, in the order of the file. The tree shows the structure
with the condition of each element, absent ones too. Both are plain text without escape sequences,
and read the same in a terminal and a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from textwrap import wrap
from typing import Any

MARGIN = "    "
_MOST_IN_TREE = 60
_LABEL = 14
_SCANS = ("row by row", "8 x 8 blocks", "16 x 16 blocks", "32 x 32 blocks", "64 x 64 blocks")
_BAR = 24
_WIDTH = 84
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
        taken = "" if value in (None, []) else f", taken as {shown(value, _MOST_IN_TREE)}"
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
        f"{last} = {shown(element['value'], _MOST_IN_TREE)}{meaning}"
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


def tensor_lines(tensor: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines about a tensor of a document."""
    shape = " x ".join(map(str, tensor["shape"])) or "scalar"
    yield f"tensor {printable(tensor['name'])}: {tensor['role']}, {shape} {tensor['dtype']}"
    for label, text in _facts(tensor):
        for number, line in enumerate(wrap(text, _WIDTH, break_on_hyphens=False)):
            yield f"  {label if number == 0 else '':<{_LABEL}}{line}"
    yield from _histogram(tensor["levels"])


def _facts(tensor: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    quantization, coding, levels = tensor["quantization"], tensor["coding"], tensor["levels"]
    if quantization:
        yield "quantization", _quantization(quantization)
    if tensor["codebook"]:
        yield "codebook", _codebook(tensor["codebook"], tensor["zero_offset"])
    if coding:
        yield "tools", ", ".join(_tools(coding))
        yield "contexts", _initialisation(coding["initialisation"])
    if levels:
        yield "levels", _levels(levels)
    yield "bits", _bits(tensor["bits"], levels)


def _quantization(facts: Mapping[str, Any]) -> str:
    return (
        f"{facts['method']}, qp {facts['qp']}, density {facts['qp_density']}: "
        f"step size {facts['step']:.9g}"
    )


def _tools(coding: Mapping[str, Any]) -> Iterator[str]:
    height, width = coding["matrix"]
    yield f"{height} x {width} scanned {_SCANS[coding['scan_order']]}"
    yield f"unary length {coding['unary_length']}"
    if coding["row_skip"]:
        yield f"row skip ({coding['skipped_rows']} of {counted(height, 'row')})"
    if coding["temporal_context"]:
        yield "temporal contexts"
    if coding["history_dependent_significance"]:
        known = "" if coding["has_history"] else " (without a history)"
        yield f"history-dependent significance{known}"
    if coding["entry_points"]:
        yield counted(len(coding["entry_points"]), "later block row")


def _initialisation(pairs: Sequence[Sequence[int]]) -> str:
    states = Counter(state for _, state in pairs)
    counts = ", ".join(f"{count} in {state}" for state, count in sorted(states.items()))
    return f"{counted(len(pairs), 'model')} by initial state: {counts or 'none coded'}"


def _levels(facts: Mapping[str, Any]) -> str:
    if not facts["count"]:
        return "none"
    return (
        f"{facts['count']}: {facts['minimum']} to {facts['maximum']}, {facts['zeros']} zeros "
        f"({share(facts['zeros'], facts['count'])}), {facts['nonzero']} nonzero"
    )


def _histogram(levels: Mapping[str, Any] | None) -> Iterator[str]:
    if not levels or len(levels["histogram"]) < 2:  # noqa: PLR2004 - one bar tells nothing
        return
    most = max(levels["histogram"].values())
    for name, count in levels["histogram"].items():
        bar = "#" * max(1, round(_BAR * count / most))
        yield f"  {'':<{_LABEL}}{name:>5}  {bar:<{_BAR}}  {count}"


def _bits(bits: Mapping[str, int], levels: Mapping[str, Any] | None) -> str:
    total = bits["total"]
    each = f" ({total / levels['count']:.3f} a level)" if levels and levels["count"] else ""
    groups = [
        f"{name} {count} ({share(count, total)})"
        for name, count in bits.items()
        if name != "total" and count
    ]
    return f"{total}{each} = {' + '.join(groups) or 'nothing'}"


def _codebook(entries: Sequence[int], zero_offset: int) -> str:
    """Return the size, range and zero of a codebook in words."""
    zero = entries[zero_offset]
    size = counted(len(entries), "entry", "entries")
    return f"{size} from {entries[0]} to {entries[-1]}, level 0 is {zero}"


def table(rows: Sequence[Sequence[str]], right: frozenset[int] = frozenset()) -> Iterator[str]:
    """Yield rows as lines whose columns are as wide as needed; ``right`` are flush right."""
    if not rows:
        return
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            text.rjust(width) if column in right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield MARGIN + "  ".join(cells).rstrip()


def shown(value: Any, most: int = 0) -> str:
    """Return a value as a string on one line; ``most`` characters, or all for 0."""
    text = printable(value) if isinstance(value, str) else f"{value}"
    return text if not most or len(text) <= most else f"{text[: most - 3]}..."


def printable(text: str) -> str:
    """Return a string of the stream in quotes; control and unprintable characters escaped."""
    return repr(text)


def place(bit: int) -> str:
    """Return a place in a file as byte and bit: ``66.3``."""
    return f"{bit // 8}.{bit % 8}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 byte``, ``2 bytes``."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def share(part: int, whole: int) -> str:
    """Return a part in percent."""
    return f"{100 * part / whole:.1f} %" if whole else "-"
