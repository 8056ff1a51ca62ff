"""The words in which the syntax is described: fields, groups, derived values, refusals.

The description is data. :func:`conformance.nnc.syntax.walk.walk` follows it to read, to write, or
to check a unit; the documentation prints it. Conditions, counts and inferred values are
expressions (:mod:`conformance.nnc.syntax.expressions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from conformance.nnc.syntax.expressions import Expression

Severity: TypeAlias = Literal["violation", "warning"]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule for a field that parsing does not need.

    ``rule`` is a stable id. ``holds`` is an expression in which ``value`` is the field's value
    and ``length`` its number of bits. ``fix`` says what a writer should do.
    """

    rule: str
    text: str
    holds: Expression
    fix: str
    severity: Severity


@dataclass(frozen=True, slots=True)
class Code:
    """How a value is written: ``text`` is ``ue(codebook_egk)``, ``kind`` then ``ue``.

    ``constant`` is the parameter where it is a number, ``parameter`` where it is an expression;
    0 and None where there is none.
    """

    text: str
    kind: str
    constant: int
    parameter: Expression | None

    def resolved(self, parameter: int) -> str:
        """Return the code with the value of its parameter: ``u(31)``."""
        return self.text if self.parameter is None else f"{self.kind}({parameter})"


@dataclass(frozen=True, slots=True)
class Field:
    """One syntax element, or with ``count`` an array of that many.

    It is there when ``when`` holds; else it has the value of ``inferred``, or None. ``values``
    gives the meanings of single values.
    """

    name: str
    code: Code
    meaning: str
    when: Expression | None
    count: Expression | None
    inferred: Expression | None
    values: Mapping[int, str]
    constraints: tuple[Constraint, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that belong together, or with ``count`` an array of such groups.

    Inside an array ``index`` is the number of the entry, from 0.
    """

    name: str
    items: tuple[Item, ...]
    meaning: str
    when: Expression | None
    count: Expression | None


@dataclass(frozen=True, slots=True)
class Derived:
    """A value that later expressions use and that is not in the stream.

    Where ``when`` does not hold nothing changes, so that one name can have several rules.
    """

    name: str
    value: Expression
    meaning: str
    when: Expression | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Where parsing must stop: ``when`` holds and no rule says how to go on.

    ``field`` is the element to blame. ``message`` may name values in braces.
    """

    when: Expression
    error: Literal["malformed", "unsupported"]
    field: str
    message: str
    expected: str
    fix: str


Item: TypeAlias = Field | Group | Derived | Refusal


@dataclass(frozen=True, slots=True)
class UnitSyntax:
    """One type of NNR unit.

    ``header`` follows the common header, ``payload`` the header. ``exports`` are the names that
    later units refer to. ``has_coded_payload`` says that entropy-coded or raw bytes follow.
    """

    unit_type: int
    name: str
    title: str
    meaning: str
    header: tuple[Item, ...]
    payload: tuple[Item, ...]
    exports: tuple[str, ...] = ()
    has_coded_payload: bool = False


def field(
    name: str,
    code: str,
    meaning: str,
    *,
    when: str = "",
    count: str = "",
    inferred: str = "",
    values: Mapping[int, str] | None = None,
    constraints: tuple[Constraint, ...] = (),
) -> Field:
    """Return a field; ``code`` is a string such as ``u(7)``, ``ue(codebook_egk)`` or ``st(v)``."""
    return Field(
        name,
        _code(code),
        meaning,
        _optional(when),
        _optional(count),
        _optional(inferred),
        values or {},
        constraints,
    )


def group(
    name: str, items: tuple[Item, ...], meaning: str, *, when: str = "", count: str = ""
) -> Group:
    """Return a group of items."""
    return Group(name, items, meaning, _optional(when), _optional(count))


def derived(name: str, value: str, meaning: str, *, when: str = "") -> Derived:
    """Return a derived value."""
    return Derived(name, Expression(value), meaning, _optional(when))


def constraint(
    rule: str, text: str, holds: str, fix: str = "", severity: Severity = "violation"
) -> Constraint:
    """Return a constraint."""
    return Constraint(rule, text, Expression(holds), fix, severity)


def malformed(field: str, when: str, message: str, *, expected: str, fix: str) -> Refusal:
    """Return a refusal of what breaks a rule of the format."""
    return Refusal(Expression(when), "malformed", field, message, expected, fix)


def unsupported(field: str, when: str, message: str, *, expected: str, fix: str) -> Refusal:
    """Return a refusal of what may be right, but has no known rule."""
    return Refusal(Expression(when), "unsupported", field, message, expected, fix)


def _optional(text: str) -> Expression | None:
    return Expression(text) if text else None


def _code(text: str) -> Code:
    kind, _, parameter = text.removesuffix(")").partition("(")
    if parameter in {"", "v"}:
        return Code(text, kind, 0, None)
    if parameter.isdecimal():
        return Code(text, kind, int(parameter), None)
    return Code(text, kind, 0, Expression(parameter))
