"""What a rule is, what breaks it, and the violation that a user reads.

A rule is a function over the :class:`~conformance.nnc.inspection.rules.material.Material` of a
stream that yields a :class:`Breach` wherever the rule does not hold::

    @rule("NNC-STREAM-008", "A stream has a compressed data unit", "There is no tensor.")
    def has_data(material: Material) -> Iterator[Breach]: ...

The id of a rule never changes its meaning, and is never used for another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from conformance.nnc.errors import NncError, Position
from conformance.nnc.syntax.items import Severity
from conformance.text import labelled

if TYPE_CHECKING:
    from conformance.nnc.inspection.rules.material import Material


@dataclass(frozen=True, slots=True)
class Breach:
    """One place where a rule does not hold. ``fix`` of "" stands for the rule's."""

    message: str
    position: Position
    expected: str = ""
    found: str = ""
    fix: str = ""

    @classmethod
    def of(cls, error: NncError) -> Breach:
        """Return what a decoder's error says."""
        return cls(error.message, error.position, error.expected, error.found, error.fix)


Check: TypeAlias = "Callable[[Material], Iterator[Breach]]"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``text`` is what holds in a good stream, ``meaning`` what follows if not."""

    id: str
    text: str
    meaning: str
    fix: str
    severity: Severity
    check: Check


def rule(
    id: str, text: str, meaning: str, *, fix: str, severity: Severity = "violation"
) -> Callable[[Check], Rule]:
    """Make a rule of the function that finds its breaches."""
    return lambda check: Rule(id, text, meaning, fix, severity, check)


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, with all that a reader needs: what, where, which rule, how to see it.

    ``inspect`` is the command that shows the place.
    """

    rule: str
    text: str
    severity: Severity
    message: str
    position: Position
    expected: str
    found: str
    fix: str
    inspect: str

    def __str__(self) -> str:
        rows = [
            ("where", str(self.position)),
            ("expected", self.expected),
            ("found", self.found),
            ("rule", self.text),
            ("fix", self.fix),
            ("to see", self.inspect),
        ]
        head = f"{self.rule} {self.severity}: {self.message}"
        return labelled(head, rows)


def violation_of(broken: Rule, breach: Breach, file: str) -> Violation:
    """Return the violation of a rule at one place of ``file``."""
    return Violation(
        rule=broken.id,
        text=broken.text,
        severity=broken.severity,
        message=breach.message,
        position=breach.position,
        expected=breach.expected,
        found=breach.found,
        fix=breach.fix or broken.fix,
        inspect=inspect_command(breach.position, file),
    )


def inspect_command(position: Position, file: str) -> str:
    """Return the command line that shows a place of ``file``."""
    unit = "" if position.unit is None else f" --unit {position.unit}"
    return f"nnr-conformance nnc inspect {file}{unit} --bits"
