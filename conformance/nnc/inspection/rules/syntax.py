"""Rules that the description of the syntax attaches to its fields, such as reserved bits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.nnc.errors import Position
from conformance.nnc.inspection.rules.rule import Breach, Check, Rule, RuleContext
from conformance.nnc.syntax import UNIT_HEADER, UNIT_SIZE, UNITS, Constraint, Field, Group, Item


def constraints_of(items: Sequence[Item]) -> Iterator[tuple[Field, Constraint]]:
    """Yield the constraints of fields, also of those in groups."""
    for item in items:
        if isinstance(item, Field):
            yield from ((item, constraint) for constraint in item.constraints)
        elif isinstance(item, Group):
            yield from constraints_of(item.items)


def _rules() -> Iterator[Rule]:
    units = (unit for _, unit in sorted(UNITS.items()))
    items = [*UNIT_SIZE, *UNIT_HEADER, *(each for u in units for each in (*u.header, *u.payload))]
    fields: dict[str, list[str]] = {}
    constraints: dict[str, Constraint] = {}
    for field, constraint in constraints_of(items):
        fields.setdefault(constraint.rule, []).append(field.name)
        constraints.setdefault(constraint.rule, constraint)
    for name, constraint in constraints.items():
        where = ", ".join(f"`{each}`" for each in dict.fromkeys(fields[name]))
        yield Rule(
            id=name,
            text=constraint.text,
            meaning=f"Decoding does not depend on it. Checked for {where}.",
            fix=constraint.fix,
            severity=constraint.severity,
            check=_check_of(name),
        )


def _check_of(id: str) -> Check:
    def check(context: RuleContext) -> Iterator[Breach]:
        for broken in context.broken_constraints:
            if broken.constraint.rule == id:
                unit, element = broken.unit, broken.element
                yield Breach(
                    message=f"{element.name} has a value that it must not have",
                    position=Position(element.bit, unit.index, unit.name, element.name),
                    expected=broken.constraint.holds.text,
                    found=f"{element.value} in {element.length} bits",
                )

    return check


RULES = tuple(_rules())
