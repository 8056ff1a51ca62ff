"""What is wrong with the metadata: a problem, its place in the document, and its basis."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from conformance.submission.positions import (
    Place,
    Pointer,
    find_places,
    line_and_column,
    pointer_text,
)
from conformance.submission.reading import METADATA, Document
from conformance.verdicts import Finding, Location, Problem, Verdict

_PLACES_SHOWN = 20
_CALL = "Call §Required test data"
_FORMAT = "Submission format 1.0"

_BY_CHECKS: dict[str, str] = {
    "SUBMISSION-FILE": f"{_FORMAT} §files",
    "SUBMISSION-LICENSE": f"{_FORMAT} §license",
    "SUBMISSION-TOLERANCE": f"{_FORMAT} §tolerance",
    "SUBMISSION-UPDATE": "MPEG Call for Proposals N17934: incremental updates, scalability",
    "SUBMISSION-DATA": f"{_CALL}, items 2 and 3",
}
"""The basis of checks, by their ids without the number; that of others is one of the place."""
_BY_FIELD: dict[tuple[str, ...], str] = {
    ("models", "training_data"): f"{_CALL}, item 2",
    ("models", "test_data"): f"{_CALL}, item 3",
    ("models", "metric_values"): f"{_CALL}, item 4",
    ("samples", "metrics"): f"{_CALL}, item 4",
}
_BY_SECTION = {
    "use_cases": f"{_CALL}, item 1",
    "models": f"{_CALL}, item 1",
    "datasets": f"{_CALL}, items 2 and 3",
    "vectors": f"{_CALL}, item 3",
    "metrics": f"{_CALL}, item 4",
    "samples": f"{_CALL}, item 5",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect(Problem):
    """One thing to fix, at ``pointer`` of the metadata or, without one, about ``file``.

    ``check`` is the id of the check that reports it. ``also`` are further places with the same
    problem. ``at_key`` says that the key is wrong and not its value; ``place`` is needed only where
    the pointer does not distinguish two places. ``demanded`` is the pointer of a missing value.
    """

    check: str
    pointer: Pointer | None = None
    file: str = METADATA
    also: Sequence[Pointer] = ()
    at_key: bool = False
    place: Place | None = None
    demanded: Pointer | None = None

    @property
    def clause(self) -> str:
        """The clause that it is a breach of."""
        known = _BY_CHECKS.get(self.check.rpartition("-")[0])
        return known or _clause_at(self.demanded or self.pointer or ())


def to_findings(defects: Iterable[Defect], document: Document, subject: str) -> tuple[Finding, ...]:
    """Give each defect its line and column, in the order of the text."""
    kept = list(defects)
    if not kept:
        return ()
    places = find_places(document.text, {each.pointer for each in kept if each.pointer is not None})
    findings = [_to_finding(each, places, document.text, subject) for each in kept]
    return tuple(sorted(findings, key=_order))


def _to_finding(defect: Defect, places: dict[Pointer, Place], text: str, subject: str) -> Finding:
    also = [pointer_text(pointer) for pointer in defect.also]
    evidence = {"also_at": also[:_PLACES_SHOWN], "places": len(also) + 1} if also else {}
    located = replace(defect, where=_locate(defect, places, text))
    return located.finding(defect.check, subject, Verdict.FAIL, defect.clause, evidence)


def _locate(defect: Defect, places: dict[Pointer, Place], text: str) -> Location:
    if defect.pointer is None:
        return Location(file=defect.file)
    place = defect.place or places.get(defect.pointer)
    if place is None:
        return Location(file=defect.file, pointer=pointer_text(defect.pointer))
    offset = place.start if place.key_start is None or not defect.at_key else place.key_start
    line, column = line_and_column(text, offset)
    return Location(defect.file, pointer_text(defect.pointer), line, column)


def _order(finding: Finding) -> tuple[int, int, str, str]:
    where = finding.where or Location()
    return (where.line or 2**31, where.column or 0, where.file or "", finding.check)


def _clause_at(pointer: Pointer) -> str:
    """Return the clause that demands the value at ``pointer``."""
    names = tuple(part for part in pointer if isinstance(part, str))
    if not names:
        return _FORMAT
    return _BY_FIELD.get(names[:2]) or _BY_SECTION.get(names[0]) or f"{_FORMAT} §{names[0]}"
