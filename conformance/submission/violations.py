"""What a JSON Schema has against what somebody wrote, each defect once.

Two errors about the same value, or a misspelt key and the lack of the key it was meant to be,
become one :class:`~conformance.submission.explanations.Violation`.
"""

from __future__ import annotations

from itertools import islice

from conformance.jsonschemas import validator
from conformance.submission.explanations import Breach, Violation, explain
from conformance.submission.positions import Pointer
from conformance.verdicts import Json


def find_violations(data: Json, limit: int, schema: str = "submission") -> tuple[Violation, ...]:
    """Return what the schema named ``schema`` has against ``data``, at most ``limit`` times."""
    violations = (
        violation
        for error in validator(schema).iter_errors(data)
        for violation in explain(
            Breach(
                pointer=tuple(error.absolute_path),
                keyword=str(error.validator),
                demand=error.validator_value,
                schema=error.schema,
                value=error.instance,
                text=error.message,
            )
        )
    )
    return _without_echoes(list(islice(violations, limit)))


def _without_echoes(violations: list[Violation]) -> tuple[Violation, ...]:
    misspelt = {
        (each.pointer[:-1], name) for each in violations if each.key for name in each.missing
    }
    kept: dict[tuple[Pointer, str | None, tuple[str, ...]], Violation] = {}
    for each in violations:
        echo = not each.key and any((each.pointer, name) in misspelt for name in each.missing)
        if not echo:
            kept.setdefault((each.pointer, each.key, each.missing), each)
    return tuple(kept.values())
