"""All rules of the validator, and the rules that a stream breaks, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from typing import Any

from conformance.nnc.inspection.document import position_facts
from conformance.nnc.inspection.examination import examine
from conformance.nnc.inspection.rules import (
    headers,
    interoperability,
    payloads,
    reading,
    syntax,
    units,
    updates,
)
from conformance.nnc.inspection.rules.rule import RuleContext, Violation, context_of, violation_of
from conformance.nnc.inspection.text import counted
from conformance.nnc.options import DEFAULT_OPTIONS, Options
from conformance.nnc.state import DecoderState

RULES = (
    *units.RULES,
    *syntax.RULES,
    *headers.RULES,
    *payloads.RULES,
    *updates.RULES,
    *reading.RULES,
    *interoperability.RULES,
)
"""Every rule, in the order of the documentation: ``docs/nnc-rules.md`` is made from it."""

BY_ID = {rule.id: rule for rule in RULES}
UNCHECKED = reading.is_known.id
"""The rule whose warning says that a part of the stream could not be checked."""

MOST = 1000
"""Breaches of one rule that are reported: a hostile file may have a million."""
MOST_PRINTED = 100
"""Violations that are printed; JSON has them all."""
_ENFORCED = frozenset(rule.id for rule in reading.RULES)


def validate(
    data: bytes | bytearray | memoryview,
    options: Options = DEFAULT_OPTIONS,
    state: DecoderState | None = None,
    *,
    file: str = "FILE",
) -> list[Violation]:
    """Return what is wrong with a stream, of each rule at most ``MOST`` breaches.

    Nothing is raised for what the stream holds.

    ``state`` holds what the streams before it left, and is updated when it can be decoded.
    ``file`` is the name for the commands in the violations.
    """
    context = context_of(examine(data, options, state))
    found = list(_violations(context, file))
    explained = [each for each in found if each.severity == "violation"]
    kept = [each for each in found if not _is_explained(each, explained)]
    return sorted(kept, key=lambda each: (each.position.bit or 0, each.rule))


def _violations(context: RuleContext, file: str) -> Iterator[Violation]:
    for rule in RULES:
        for breach in islice(rule.check(context), MOST):
            yield violation_of(rule, breach, file)


def _is_explained(violation: Violation, others: list[Violation]) -> bool:
    """Whether a more special rule says the same as a decoder's error."""
    return violation.rule in _ENFORCED and any(
        other.rule not in _ENFORCED
        and other.position.unit == violation.position.unit
        and (other.position.bit == violation.position.bit or other.rule.startswith("NNC-STREAM-"))
        for other in others
    )


def verdict_lines(violations: Sequence[Violation], file: str) -> Iterator[str]:
    """Yield violations as text, and last the count."""
    for violation in violations[:MOST_PRINTED]:
        yield from str(violation).splitlines()
        yield ""
    if len(violations) > MOST_PRINTED:
        yield f"... and {len(violations) - MOST_PRINTED} more (--json has all)"
        yield ""
    broken = sum(each.severity == "violation" for each in violations)
    warnings = len(violations) - broken
    yield f"{file}: {counted(broken, 'violation')}, {counted(warnings, 'warning')}"


def verdict_facts(violations: Sequence[Violation]) -> dict[str, Any]:
    """Return violations as one JSON document."""
    return {
        "version": 1,
        "violations": [
            {**asdict(each), "position": position_facts(each.position)} for each in violations
        ],
    }
