"""What is wrong with the metadata, before and after it is given a place in the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from conformance.submission.positions import (
    Place,
    Pointer,
    find_places,
    line_and_column,
    pointer_text,
)
from conformance.submission.reading import METADATA, Document
from conformance.verdicts import Finding, Location, Verdict

_PLACES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to fix, at ``pointer`` of the metadata or, without one, about ``file``.

    ``also`` are further places with the same problem. ``at_key`` says that the key is wrong and
    not its value; ``place`` is needed only where the pointer does not tell two places apart.
    """

    check: str
    message: str
    expected: str
    found: str
    fix: str
    clause: str
    pointer: Pointer | None = None
    file: str = METADATA
    also: Sequence[Pointer] = ()
    at_key: bool = False
    place: Place | None = None


def to_findings(
    problems: Iterable[Problem], document: Document, subject: str
) -> tuple[Finding, ...]:
    """Give each problem its line and column, in the order of the text."""
    kept = list(problems)
    if not kept:
        return ()
    places = find_places(document.text, {each.pointer for each in kept if each.pointer is not None})
    findings = [_to_finding(each, places, document.text, subject) for each in kept]
    return tuple(sorted(findings, key=_order))


def _to_finding(problem: Problem, places: dict[Pointer, Place], text: str, subject: str) -> Finding:
    also = [pointer_text(pointer) for pointer in problem.also]
    return Finding(
        check=problem.check,
        subject=subject,
        verdict=Verdict.FAIL,
        clause=problem.clause,
        message=problem.message,
        expected=problem.expected,
        found=problem.found,
        where=_locate(problem, places, text),
        fix=problem.fix,
        evidence={"also_at": also[:_PLACES_SHOWN], "places": len(also) + 1} if also else {},
    )


def _locate(problem: Problem, places: dict[Pointer, Place], text: str) -> Location:
    if problem.pointer is None:
        return Location(file=problem.file)
    place = problem.place or places.get(problem.pointer)
    if place is None:
        return Location(file=problem.file, pointer=pointer_text(problem.pointer))
    offset = place.start if place.key_start is None or not problem.at_key else place.key_start
    line, column = line_and_column(text, offset)
    return Location(problem.file, pointer_text(problem.pointer), line, column)


def _order(finding: Finding) -> tuple[int, int, str, str]:
    where = finding.where or Location()
    return (where.line or 2**31, where.column or 0, where.file or "", finding.check)
