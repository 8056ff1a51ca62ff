"""What the decoder of NNC bitstreams says, as the suite says it: errors, places, violations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from conformance.codecs._protocol import RuleViolation
from conformance.nnc import (
    NncError,
    NncLimitError,
    NncUnsupportedError,
    Position,
)
from conformance.nnc.inspection.rules import Violation
from conformance.verdicts import (
    ConformanceError,
    Json,
    LimitError,
    Location,
    MalformedError,
    UnsupportedError,
)

_MOST_TEXT, _MOST_ENTRIES = 200, 1000


@contextmanager
def explained(display: str) -> Iterator[None]:
    """Raise what is wrong with a stream as the suite's own error, with all that was said of it."""
    try:
        yield
    except NncError as error:
        raise _kind_of(error)(
            error.message,
            where=location_of(error.position, display),
            expected=error.expected,
            found=error.found,
            fix=error.fix,
        ) from error


def location_of(position: Position, display: str) -> Location:
    """Return a place in the file: the byte, then bit, unit and syntax element.

    Bits of a byte are counted from 0, the most significant first.
    """
    unit = "" if position.unit is None else f"unit {position.unit} {position.unit_name}".rstrip()
    bit = "" if position.bit is None else f"bit {position.bit % 8}"
    element = ", ".join(part for part in (bit, unit, position.field) if part)
    return Location(file=display, byte_offset=position.byte, element=element or None)


def violation_of(violation: Violation, display: str) -> RuleViolation:
    """Return a broken rule of the format as the suite reports it."""
    return RuleViolation(
        rule=violation.rule,
        text=violation.text,
        is_warning=violation.severity == "warning",
        message=violation.message,
        where=location_of(violation.position, display),
        expected=violation.expected,
        found=violation.found,
        fix=violation.fix,
        command=violation.inspect,
    )


def bounded(claims: Json) -> Json:
    """Return what a stream claims with every string and list in it cut where it gets too long.

    What a report carries must not grow with what a stream has room for.
    """
    if isinstance(claims, str) and len(claims) > _MOST_TEXT:
        return f"{claims[:_MOST_TEXT]}... ({len(claims)} characters)"
    if isinstance(claims, Mapping):
        return {name: bounded(each) for name, each in claims.items()}
    if isinstance(claims, list):
        more = len(claims) - _MOST_ENTRIES
        shown = [bounded(each) for each in claims[:_MOST_ENTRIES]]
        return [*shown, f"... and {more} more"] if more > 0 else shown
    return claims


def _kind_of(error: NncError) -> type[ConformanceError]:
    if isinstance(error, NncLimitError):
        return LimitError
    return UnsupportedError if isinstance(error, NncUnsupportedError) else MalformedError
