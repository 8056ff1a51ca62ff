"""What a look at a bitstream itself shows, as the evidence of a case holds it."""

from __future__ import annotations

from collections.abc import Callable

from conformance.codecs import Inspection
from conformance.verdicts import Json

MOST_VIOLATIONS = 50
"""Violations, and warnings, of one stream that are told one by one."""


def inspected(inspect: Callable[[], Inspection]) -> Json:
    """Return what a bitstream claims and which rules it breaks, those that fail and those not."""
    inspection = inspect()
    by_kind: dict[bool, list[Json]] = {False: [], True: []}
    for violation in inspection.violations:
        by_kind[violation.is_warning].append(violation.to_json())
    return {
        "claims": dict(inspection.claims),
        "violations": by_kind[False][:MOST_VIOLATIONS],
        "warnings": by_kind[True][:MOST_VIOLATIONS],
        "unlisted": sum(max(0, len(kind) - MOST_VIOLATIONS) for kind in by_kind.values()),
    }


def together(streams: list[Json]) -> Json | None:
    """Return the inspections of several bitstreams as one: the claims of the last; None of none."""
    if not streams:
        return None
    violations, warnings = (
        [each for stream in streams for each in stream[kind]] for kind in ("violations", "warnings")
    )
    return {
        "claims": streams[-1]["claims"],
        "violations": violations[:MOST_VIOLATIONS],
        "warnings": warnings[:MOST_VIOLATIONS],
        "unlisted": sum(stream["unlisted"] for stream in streams)
        + sum(max(0, len(kind) - MOST_VIOLATIONS) for kind in (violations, warnings)),
    }
