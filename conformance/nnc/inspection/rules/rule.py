"""What a rule is and what it looks at, what breaks it, and the violation that a user reads.

A rule is a function over the :class:`RuleContext` of a stream that yields a :class:`Breach`
wherever the rule does not hold::

    @rule("NNC-STREAM-008", "A stream has a compressed data unit", "There is no tensor.")
    def has_data(context: RuleContext) -> Iterator[Breach]: ...

The id of a rule never changes its meaning, and is never used for another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from conformance.nnc.errors import NncError, Position
from conformance.nnc.inspection.examination import DecodedTensor, Examination
from conformance.nnc.outline import OutlinedUnit, outline
from conformance.nnc.planning import NduPlan
from conformance.nnc.stream import Unit
from conformance.nnc.syntax.constraints import BrokenConstraint, broken_constraints
from conformance.nnc.syntax.items import Severity
from conformance.text import labelled


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


Check: TypeAlias = "Callable[[RuleContext], Iterator[Breach]]"


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


@dataclass(frozen=True, slots=True)
class RuleContext:
    """A file, examined and outlined."""

    examination: Examination
    outline: tuple[OutlinedUnit, ...]
    broken_constraints: tuple[BrokenConstraint, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that could be read."""
        return self.examination.units

    @property
    def data_units(self) -> Iterator[Unit]:
        """The compressed data units that could be read."""
        return (unit for unit in self.units if unit.name == "NDU")

    @property
    def plans(self) -> tuple[NduPlan, ...]:
        """The plans of the data units whose tensors are known."""
        return self.examination.plans

    @property
    def tensors(self) -> tuple[DecodedTensor, ...]:
        """The tensors that could be decoded."""
        return self.examination.tensors

    @property
    def failed_unit(self) -> int | None:
        """The index of the unit whose tensors could not be decoded."""
        error = self.examination.payload_error
        return None if error is None else error.position.unit

    def unit_of(self, tensor: DecodedTensor) -> Unit:
        """Return the unit that holds a tensor."""
        return self.units[tensor.record.unit]


def context_of(examination: Examination) -> RuleContext:
    """Return what rules look at in an examined file."""
    options = examination.options
    return RuleContext(
        examination,
        tuple(outline(examination.data, options.limits.units)),
        tuple(broken_constraints(examination.units, options.interpretation)),
    )
