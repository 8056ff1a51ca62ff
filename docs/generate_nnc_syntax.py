"""Write ``docs/nnc-syntax.md``: every syntax element of a bitstream, from the description.

::

    python docs/generate_nnc_syntax.py
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

from conformance.nnc.syntax import (
    PAYLOAD_ELEMENTS,
    UNIT_HEADER,
    UNIT_SIZE,
    UNITS,
    Derived,
    Field,
    Group,
    Item,
    Refusal,
    UnitSyntax,
)
from conformance.nnc.syntax.expressions import FUNCTIONS

PAGE = Path(__file__).parent / "nnc-syntax.md"

_INTRODUCTION = """\
# The syntax of NNC bitstreams

This page is written by `docs/generate_nnc_syntax.py` from the description in
`conformance/nnc/syntax/`, which the parser, the writer and the inspector follow; change that and
run it again. It is the syntax of ISO/IEC 15938-17 as NNCodec 2.1.3 reads and writes it.

A bitstream is a sequence of NNR units and nothing else. Each unit begins with its size and the
common header; then come the header and the payload of its type.

| code | meaning |
|---|---|
| `u(n)` | n bits, unsigned, the most significant first |
| `i(n)` | n bits, two's complement |
| `ue(k)` | Exp-Golomb code of order k: zeros, each adding 2^k and raising k; a 1; k more bits |
| `ie(k)` | the same for 0, 1, -1, 2, -2, ... |
| `flt(32)` | IEEE number of 32 bits, little-endian |
| `st(v)` | a string in UTF-8, ended by a zero byte, from a byte boundary |
| `hex(n)` | n bits, shown as hexadecimal digits |
| `bytes` | all bytes that are left of the unit, shown as hexadecimal digits |
| `align` | a 1, then zeros to the next byte boundary: 1 to 8 bits |

An element is there when its condition holds; an empty condition always holds. Otherwise it has the
value after `:=`, if there is one. `[n]` after a name is the number of entries of an array.
Lines with `=` derive a value that later lines use; lines in italics say where a parser stops.
Conditions are in Python's notation. `out_of_band` stands for the dimensions that the caller knows,
`out_of_band_unary_length` for the unary length (10 unless the caller says otherwise),
`map_count_excess` is 1 unless the caller says that the counts of performance maps are those of
their entries, `index` is the number of an entry, from 0. The functions are Python's own and these:
"""

_HEAD = ["| element | code | condition | meaning |", "|---|---|---|---|"]


def page() -> str:
    """Return the text of the page."""
    lines = [
        _INTRODUCTION,
        *_functions(),
        "## Every unit\n",
        *_table((*UNIT_SIZE, *UNIT_HEADER)),
        *(line for number in sorted(UNITS) for line in _unit(UNITS[number])),
        *_payload(),
        *_rules(),
    ]
    return "\n".join(lines)


def _functions() -> Iterator[str]:
    yield "| function | value |"
    yield "|---|---|"
    for name, function in FUNCTIONS.items():
        if inspect.isfunction(function):
            what = (function.__doc__ or "").removeprefix("Return ").replace("``", "`")
            names = ", ".join(inspect.signature(function).parameters)
            yield f"| `{name}({names})` | {what} |"
    yield ""


def _unit(unit: UnitSyntax) -> Iterator[str]:
    yield f"## {unit.unit_type}: {unit.title}\n"
    yield f"{unit.meaning}\n"
    for title, items in (("Header", unit.header), ("Payload", unit.payload)):
        if items:
            yield f"### {unit.name}: {title}\n"
            yield from _table(items)


def _table(items: Iterable[Item]) -> Iterator[str]:
    yield from _HEAD
    yield from _rows(items, 0)
    yield ""


def _rows(items: Iterable[Item], depth: int) -> Iterator[str]:
    for item in items:
        match item:
            case Field():
                yield _row(
                    depth, _name(item), f"`{item.code.text}`", _condition(item), _meaning(item)
                )
            case Group():
                yield _row(depth, _name(item), "", _condition(item), item.meaning)
                yield from _rows(item.items, depth + 1)
            case Derived():
                yield _row(depth, _rule(item), "", _condition(item), item.meaning)
            case Refusal():
                yield _row(depth, f"*{item.error}*", "", f"`{item.when.text}`", _refused(item))


def _row(depth: int, *cells: str) -> str:
    first, *others = (cell.replace("|", "\\|") for cell in cells)
    return "| " + " | ".join(["&emsp;" * depth + first, *others]) + " |"


def _name(item: Field | Group) -> str:
    return f"`{item.name}`" + (f" `[{item.count.text}]`" if item.count else "")


def _rule(item: Derived) -> str:
    return f"{item.name} = `{item.value.text}`"


def _condition(item: Field | Group | Derived) -> str:
    condition = f"`{item.when.text}`" if item.when else ""
    inferred = item.inferred if isinstance(item, Field) else None
    return f"{condition}; else := `{inferred.text}`" if inferred else condition


def _meaning(item: Field) -> str:
    values = "; ".join(f"{number}: {text}" for number, text in item.values.items())
    return f"{item.meaning} {values}".strip()


def _refused(item: Refusal) -> str:
    return f"*{item.message}; expected {item.expected}*"


def _payload() -> Iterator[str]:
    yield "## The payload of a compressed data unit\n"
    yield "RAW_FLOAT holds numbers as they are; everything else is one codeword of an arithmetic"
    yield "coder, here in the order of decoding. N = `cabac_unary_length_minus1` + 1.\n"
    yield "| element | coding | context models | condition | meaning |"
    yield "|---|---|---|---|---|"
    for each in PAYLOAD_ELEMENTS:
        yield _row(0, f"`{each.name}`", f"`{each.coding}`", each.models, each.when, each.meaning)
    yield ""


def _rules() -> Iterator[str]:
    yield "## Constraints\n"
    yield "What a value should be although decoding does not need it; `value` is that of the"
    yield "element, `length` its bits.\n"
    yield "| rule | severity | element | text | holds |"
    yield "|---|---|---|---|---|"
    for item in _fields(_all_items()):
        for each in item.constraints:
            holds = f"`{each.holds.text}`"
            yield _row(0, each.rule, each.severity, f"`{item.name}`", each.text, holds)
    yield ""


def _all_items() -> Iterator[Item]:
    yield from (*UNIT_SIZE, *UNIT_HEADER)
    for number in sorted(UNITS):
        yield from (*UNITS[number].header, *UNITS[number].payload)


def _fields(items: Iterable[Item]) -> Iterator[Field]:
    for item in items:
        if isinstance(item, Group):
            yield from _fields(item.items)
        elif isinstance(item, Field):
            yield item


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    print(f"wrote {PAGE}")
