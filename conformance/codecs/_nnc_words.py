"""What the decoder of NNC bitstreams says, as the suite says it: errors, places, violations."""

from __future__ import annotations

from collections.abc import Iterator
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
    LimitError,
    Location,
    MalformedError,
    UnsupportedError,
)


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
            mend=error.mend,
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
        mend=violation.mend,
        command=violation.inspect,
    )


def _kind_of(error: NncError) -> type[ConformanceError]:
    if isinstance(error, NncLimitError):
        return LimitError
    return UnsupportedError if isinstance(error, NncUnsupportedError) else MalformedError
