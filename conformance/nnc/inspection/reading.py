"""Values of a unit with the type that a rule or a feature expects of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from conformance.nnc.stream import Element, Unit, Value, Values


def integer(unit: Unit, name: str) -> int | None:
    """Return an integer of a unit, or None where it has none of that name."""
    value = unit.values.get(name)
    return value if isinstance(value, int) else None


def integers(value: Value) -> tuple[int, ...] | None:
    """Return an array of integers, or None for anything else."""
    if not isinstance(value, tuple):
        return None
    return tuple(each for each in value if isinstance(each, int))


def texts(value: Value) -> tuple[str, ...]:
    """Return the strings of an array, or of a single value."""
    values = value if isinstance(value, tuple) else (value,)
    return tuple(each for each in values if isinstance(each, str))


def group(unit: Unit, name: str) -> Values | None:
    """Return a group of a unit, or None where it has none of that name."""
    value = unit.values.get(name)
    return value if isinstance(value, Mapping) else None


def groups(unit: Unit, name: str) -> tuple[Values, ...]:
    """Return the entries of a repeated group; none where it is absent."""
    value = unit.values.get(name)
    entries = value if isinstance(value, tuple) else ()
    return tuple(each for each in entries if isinstance(each, Mapping))


def element(unit: Unit, name: str) -> Element | None:
    """Return the element of that name, as it was read."""
    return next((each for each in unit.elements if each.name == name), None)


def elements(unit: Unit, name: str) -> Iterator[Element]:
    """Yield the elements of an array, or of that name in an array of groups."""
    for each in unit.elements:
        if each.name == name or each.name.startswith(f"{name}["):
            yield each


def names_of(unit: Unit) -> tuple[str, ...]:
    """Return the topology element ids of an NDU, in the order of its header."""
    return texts(unit.values.get("topology_elem_ids")) or texts(unit.values.get("topology_elem_id"))
