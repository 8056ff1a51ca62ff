"""What the value of a syntax element means, in words: from the description, or computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, TypeAlias

from conformance.nnc.inspection.text import counted
from conformance.nnc.quantization import Codebook, codebook_of, step_size
from conformance.nnc.stream import Element, Values
from conformance.nnc.syntax import UNIT_HEADER, UNIT_SIZE, UNITS, Field, Group, Item

Explain: TypeAlias = Callable[[int, Values], str]

_INDEX = re.compile(r"\[\d+\]")
_CODEBOOK = re.compile(r"codebook_(zero_value|deltas_(?P<side>left|right)\[(?P<index>\d+)\])")
_ENTRY_POINT = re.compile(r"entry_points\[(?P<index>\d+)\]\.(?P<field>\w+)")
_TYPES = {1: "decomposition", 2: "local scaling", 4: "batch norm", 8: "bias"}


@cache
def fields_of(unit_type: int | None) -> Mapping[str, Field]:
    """Return the fields of a type of unit by path without indices: ``entry_points.value``."""
    syntax = UNITS.get(unit_type) if unit_type is not None else None
    own = (*syntax.header, *syntax.payload) if syntax else ()
    return dict(_fields((*UNIT_SIZE, *UNIT_HEADER, *own), ""))


def field_of(unit_type: int | None, element: Element) -> Field | None:
    """Return the field of the description that an element was read by."""
    return fields_of(unit_type).get(_INDEX.sub("", element.name))


def codebooks_of(values: Values) -> Mapping[str, Codebook]:
    """Return the codebooks of a unit with ``values`` by the name of their group."""
    codebooks = {}
    for name in ("codebook", "codebook_dc"):
        group: Any = values.get(name)
        with suppress(KeyError, TypeError, ValueError):
            codebooks[name] = codebook_of(group)
    return codebooks


def meaning_of(
    unit_type: int | None, values: Values, codebooks: Mapping[str, Codebook], element: Element
) -> str:
    """Return what an element of a unit with ``values``, and ``codebooks`` of these, says.

    What cannot be computed, for instance in a unit that ends too early, gets the general meaning of
    its field.
    """
    field = field_of(unit_type, element)
    value = element.value
    if field is None:
        return ""
    if isinstance(value, int):
        explain = _COMPUTED.get(field.name)
        if explain is not None and (text := _attempt(explain, value, values)):
            return text
        if value in field.values:
            return field.values[value]
    if element.name.startswith("entry_points[") and (text := _entry_point(element, values)):
        return text
    if "codebook" in element.name and (text := _codebook_entry(element, codebooks)):
        return text
    return "" if re.search(r"\[[1-9]\d*\]", element.name) else field.meaning


def _fields(items: Sequence[Item], prefix: str) -> Iterator[tuple[str, Field]]:
    for item in items:
        if isinstance(item, Field):
            yield prefix + item.name, item
        elif isinstance(item, Group):
            yield from _fields(item.items, f"{prefix}{item.name}.")


def _attempt(explain: Explain, value: int, values: Values) -> str:
    try:
        return explain(value, values)
    except (ArithmeticError, KeyError, TypeError, ValueError):
        return ""


def _codebook_entry(element: Element, codebooks: Mapping[str, Codebook]) -> str:
    name, _, rest = element.name.partition(".")
    found = _CODEBOOK.fullmatch(rest)
    codebook = codebooks.get(name)
    if codebook is None:
        return ""
    if found is None:
        return f"z = {codebook.zero_offset}" if rest == "codebook_centre_offset" else ""
    index = 0 if found["index"] is None else 1 + int(found["index"])
    place = codebook.zero_offset + (-index if found["side"] == "left" else index)
    return f"c[{place}] = {codebook.entries[place]}"


def _entry_point(element: Element, values: Values) -> str:
    found = _ENTRY_POINT.fullmatch(element.name)
    entries = values.get("entry_points")
    if found is None or not isinstance(entries, tuple):
        return ""
    index = int(found["index"])
    entry = entries[index]
    if found["field"] == "value":
        return f"offset register where block row {index + 1} begins"
    if found["field"] == "bit_offset_delta" and isinstance(entry, Mapping):
        return f"bit_offset {entry.get('bit_offset')}"
    return ""


def _types_text(value: int, _: Values) -> str:
    return " + ".join(text for bit, text in _TYPES.items() if value & bit) or "one plain tensor"


def _quantization_parameter_text(value: int, values: Values) -> str:
    density: Any = values.get("mps_qp_density", values.get("lps_qp_density"))
    return f"added to every qp; one of 0 gets the step size {step_size(value, density):.9g}"


def _doubling_text(value: int, _: Values) -> str:
    return f"the step size doubles every {1 << value} qp"


_COMPUTED: Mapping[str, Explain] = {
    "nnr_unit_size": lambda value, _: f"{counted(value, 'byte')}, the whole unit",
    "compressed_parameter_types": _types_text,
    "mps_qp_density": _doubling_text,
    "lps_qp_density": _doubling_text,
    "mps_quantization_parameter": _quantization_parameter_text,
    "lps_quantization_parameter": _quantization_parameter_text,
    "cabac_unary_length_minus1": lambda value, _: f"unary length N = {value + 1}",
    "count_topology_elements_minus2": lambda value, _: f"{value + 2} names",
    "count_tensor_dimensions": lambda value, _: counted(value, "dimension"),
    "codebook_size": lambda value, _: counted(value, "entry", "entries"),
}
