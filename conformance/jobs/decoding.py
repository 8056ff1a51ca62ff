"""The stage *decode*: a bitstream or file of a sample becomes named tensors, in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from conformance.codecs import Inspection, RuleViolation
from conformance.jobs.context import TaskContext
from conformance.jobs.stored_arrays import array_writer
from conformance.jobs.stored_network import TENSORS
from conformance.plan.requests import PartRequest
from conformance.plan.results import BrokenRule, StreamInspection, TensorsResult
from conformance.verdicts import Json, Location

MOST_VIOLATIONS = 50
"""Violations, and warnings, of one stream that are listed one by one."""


def decode_part(task: TaskContext[PartRequest]) -> TensorsResult:
    """Keep every tensor of a part; return what it uses, claims and takes."""
    with task.decoded(task.asked.part) as decoded:
        with array_writer(task.out, TENSORS) as writer:
            for name in decoded:
                writer.add(name, decoded[name])
        return TensorsResult(
            features=tuple(sorted(decoded.features)),
            stored_bits=dict(decoded.stored_bits),
            stream=inspected(decoded.inspect) if decoded.inspect else None,
        )


def inspected(inspect: Callable[[], Inspection]) -> StreamInspection:
    """Return what a bitstream claims and which rules it breaks, those that fail and those not."""
    inspection = inspect()
    rules = [_broken(violation) for violation in inspection.violations]
    failures, warnings = ([r for r in rules if r.is_warning is kind] for kind in (False, True))
    return _listed(dict(inspection.claims), failures, warnings, 0)


def _broken(violation: RuleViolation) -> BrokenRule:
    return BrokenRule(
        rule=violation.rule,
        text=violation.text,
        is_warning=violation.is_warning,
        message=violation.message,
        where=violation.where or Location(),
        expected=violation.expected,
        found=violation.found,
        fix=violation.fix,
        command=violation.command,
    )


def together(streams: Sequence[StreamInspection]) -> StreamInspection | None:
    """Return the inspections of several bitstreams as one: the claims of the last; None of none."""
    if not streams:
        return None
    return _listed(
        streams[-1].claims,
        [each for stream in streams for each in stream.violations],
        [each for stream in streams for each in stream.warnings],
        sum(stream.unlisted for stream in streams),
    )


def _listed(
    claims: Mapping[str, Json],
    violations: Sequence[BrokenRule],
    warnings: Sequence[BrokenRule],
    unlisted: int,
) -> StreamInspection:
    return StreamInspection(
        claims=claims,
        violations=tuple(violations[:MOST_VIOLATIONS]),
        warnings=tuple(warnings[:MOST_VIOLATIONS]),
        unlisted=unlisted
        + sum(max(0, len(kind) - MOST_VIOLATIONS) for kind in (violations, warnings)),
    )
