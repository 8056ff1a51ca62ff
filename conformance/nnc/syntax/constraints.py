"""Checking the constraints of the description on units that were read.

::

    for broken in broken_constraints(stream.units, stream.interpretation):
        print(broken.constraint.rule, broken.constraint.text, broken.element.bit)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.nnc.options import Interpretation
from conformance.nnc.stream import Element, Scalar, Unit
from conformance.nnc.syntax import UNIT_HEADER, UNIT_SIZE, UNITS, Constraint, Field, Refusal
from conformance.nnc.syntax.walk import Context, walk


@dataclass(frozen=True, slots=True)
class BrokenConstraint:
    """An element whose value breaks a constraint."""

    constraint: Constraint
    unit: Unit
    element: Element


def broken_constraints(
    units: Iterable[Unit], interpretation: Interpretation
) -> Iterator[BrokenConstraint]:
    """Yield what breaks a constraint, in stream order.

    ``units`` are those of a stream from its first on, read under ``interpretation``.
    """
    context = Context(interpretation)
    for unit in units:
        syntax = UNITS[unit.unit_type]
        scope = context.scope(_known_dimensions(unit))
        checker = _Checker(unit, scope)
        walk((*UNIT_SIZE, *UNIT_HEADER, *syntax.header, *syntax.payload), checker, scope, {})
        context.update(syntax, scope)
        yield from checker.broken


class _Checker:
    """The coder that takes the elements as read, and notes what breaks their constraints."""

    def __init__(self, unit: Unit, scope: dict[str, Any]) -> None:
        self.broken: list[BrokenConstraint] = []
        self._unit = unit
        self._scope = scope
        self._elements = iter(unit.elements)

    def code(self, field: Field, name: str, parameter: int, given: Any) -> Scalar:  # noqa: ARG002
        """Check one element."""
        element = next(self._elements)
        self._scope |= {"value": element.value, "length": element.length}
        self.broken += [
            BrokenConstraint(each, self._unit, element)
            for each in field.constraints
            if not each.holds.evaluate(self._scope)
        ]
        return element.value

    def repeat(self, name: str, count: int, given: Any) -> int:  # noqa: ARG002
        """Repeat as often as when it was read."""
        return count

    def refuse(self, refusal: Refusal, scope: Mapping[str, Any]) -> None:
        """Nothing to do: such a unit cannot be read."""


def _known_dimensions(unit: Unit) -> Any:
    dimensions: Sequence[int] | None = unit.values.get("tensor_dimensions")  # type: ignore[assignment]
    return lambda name: dimensions  # noqa: ARG005 - whatever the tensor is called
