"""What ``nnc validate`` prints: violations one by one, then how many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from conformance.nnc.inspection.document import position_facts
from conformance.nnc.inspection.rules import Violation
from conformance.nnc.inspection.tables import counted

MOST = 100
"""Violations that are printed; JSON has them all."""


def verdict_lines(violations: Sequence[Violation], file: str) -> Iterator[str]:
    """Yield violations as text, and last the count."""
    for violation in violations[:MOST]:
        yield from str(violation).splitlines()
        yield ""
    if len(violations) > MOST:
        yield f"... and {len(violations) - MOST} more (--json has all)"
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
