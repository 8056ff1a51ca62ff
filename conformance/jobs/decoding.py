"""The stage *decode*: a bitstream or file of a sample becomes named tensors, in files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.codecs import (
    Base,
    ChainCodec,
    DecodedModel,
    Identity,
    Inspection,
    Memory,
    RuleViolation,
    Step,
)
from conformance.jobs.context import TaskContext
from conformance.jobs.stored_arrays import array_writer
from conformance.jobs.stored_network import TENSORS
from conformance.plan.requests import PartRequest, PartSpec
from conformance.plan.results import (
    BrokenRule,
    ParentIdentity,
    StateResult,
    StreamInspection,
    TensorsResult,
    WrongParent,
)
from conformance.verdicts import Json, Location, UnsupportedError

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


def decoded_step(task: TaskContext[Any], part: PartSpec, base: Base | None) -> Step:
    """Return a part of a chain, decoded with what ``base`` holds.

    A codec that knows nothing of chains decodes it by itself; UnsupportedError for samples that
    are networks of their own.
    """
    decoder, source = task.codec(part.codec, part.role), task.source(part)
    if isinstance(decoder, ChainCodec):
        return decoder.decode_step(source, base)
    decoded = decoder.decode(source)
    if isinstance(decoded, DecodedModel):
        raise UnsupportedError(
            "parameters of this sample cannot be taken one by one",
            where=Location(task.display(part.files[0])),
            expected="a sample that decodes to the parameters of the original",
            found=f"codec {part.codec!r}, whose samples are networks of their own",
            fix="name a sample of tensors",
        )
    return Step(decoded, Memory(), Identity(1, {}), sum(file.size for file in part.files))


def described(step: Step) -> StateResult:
    """Return what the bitstream is and says of its parent; nothing can be built on that yet."""
    tensors, identity = step.tensors, step.identity
    return StateResult(
        size=step.size,
        units=step.units,
        held=len(tensors),
        features=tuple(sorted(tensors.features)),
        stream=inspected(tensors.inspect) if tensors.inspect else None,
        coverage=(),
        tensors={},
        digest=None,
        usable=False,
        identity=ParentIdentity(
            places=identity.places,
            named=dict(identity.named),
            wrong=tuple(
                WrongParent(w.tensor, w.message, w.where or Location(), w.expected, w.found, w.fix)
                for w in identity.wrong
            ),
        ),
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
