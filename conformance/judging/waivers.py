"""Waivers: findings that a coordinator accepts, with a reason and a link.

A waivers file is a JSON list of what ``schemas/waiver.schema.json`` describes. A waiver names the
value that it accepts, so that it does not apply to a worse one that is found later. It never hides
anything: the finding stays in the report, as waived, with what was found.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from conformance.checks import BY_ID
from conformance.documents import read_json
from conformance.submission.positions import pointer_text
from conformance.submission.violations import find_violations
from conformance.verdicts import ConformanceError, Finding, Json, Location, Verdict

WAIVER = "waiver"
"""The key under which a waived finding's evidence holds the waiver and the verdict it had."""

WAIVABLE = frozenset({Verdict.FAIL, Verdict.UNDECIDED, Verdict.MALFORMED, Verdict.UNSUPPORTED})
"""Verdicts that say what was found: nothing can be accepted where nothing was seen."""

MEASURED = ("value", "measured")
"""Keys of a finding's evidence that hold the one number that it measured."""

CLOSE = 1e-6
"""Two numbers that differ by at most this fraction are the same value on different processors."""


@dataclasses.dataclass(frozen=True, slots=True)
class Waiver:
    """One accepted finding: of which check, about which subject, and which value of it is accepted.

    ``value`` is the number that the finding measured, or its ``found`` as a string; ``reason`` says
    why it is accepted and ``link`` where that was agreed.
    """

    check: str
    subject: str
    value: float | str
    reason: str
    link: str

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return dataclasses.asdict(self)

    def is_about(self, finding: Finding) -> bool:
        """Return whether the finding is of the waiver's check and subject, whatever it found."""
        return (finding.check, finding.subject) == (self.check, self.subject)

    def accepts(self, finding: Finding) -> bool:
        """Return whether the finding is one that can be waived, and found the accepted value."""
        if not self.is_about(finding) or finding.verdict not in WAIVABLE:
            return False
        if isinstance(self.value, str):
            return self.value == _found(finding)
        measured = _measured(finding)
        return measured is not None and math.isclose(self.value, measured, rel_tol=CLOSE)


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Return the waivers in a file; :class:`ConformanceError` says what is wrong with it."""
    try:
        entries = read_json(path)
    except (OSError, ValueError) as error:
        raise _unusable(path, "", f"{type(error).__name__}: {error}") from None
    if not isinstance(entries, list):
        raise _unusable(path, "", f"a JSON {type(entries).__name__}")
    return tuple(_waiver(path, f"/{index}", entry) for index, entry in enumerate(entries))


def apply_waivers(findings: Iterable[Finding], waivers: Iterable[Waiver]) -> list[Finding]:
    """Return the findings, those that a waiver accepts as ``waived`` with its reason and link."""
    about: dict[tuple[str, str], list[Waiver]] = defaultdict(list)
    for waiver in waivers:
        about[waiver.check, waiver.subject].append(waiver)
    return [
        _waived(finding, about.get((finding.check, finding.subject), ())) for finding in findings
    ]


def unused_waivers(waivers: Iterable[Waiver], findings: Iterable[Finding]) -> tuple[Waiver, ...]:
    """Return the waivers that accept no finding: a misspelt subject, or a different value."""
    used = [finding.evidence[WAIVER] for finding in findings if finding.verdict is Verdict.WAIVED]
    return tuple(
        waiver
        for waiver in waivers
        if not any(waiver.to_json().items() <= accepted.items() for accepted in used)
    )


def why_unused(waiver: Waiver, findings: Iterable[Finding]) -> str:
    """Return what keeps a waiver from accepting any of the findings, in one sentence."""
    named = f"the waiver of {waiver.check} for {waiver.subject}"
    found = [
        _shown(each) for each in findings if waiver.is_about(each) and each.verdict in WAIVABLE
    ]
    if not found:
        return f"{named} matches no finding"
    return f"{named} accepts {waiver.value!r}, but the finding has {' and '.join(found)}"


def _waived(finding: Finding, waivers: Iterable[Waiver]) -> Finding:
    waiver = next((each for each in waivers if each.accepts(finding)), None)
    if waiver is None:
        return finding
    accepted_as = {**waiver.to_json(), "verdict": finding.verdict.value}
    evidence = {**finding.evidence, WAIVER: accepted_as}
    return dataclasses.replace(finding, verdict=Verdict.WAIVED, evidence=evidence)


def _measured(finding: Finding) -> float | None:
    """Return the number that a finding measured; None if it measured none, or several things."""
    number = next((finding.evidence[key] for key in MEASURED if key in finding.evidence), None)
    return number if isinstance(number, float | int) else None


def _found(finding: Finding) -> str:
    return finding.found or finding.message


def _shown(finding: Finding) -> str:
    measured = _measured(finding)
    return repr(_found(finding)) if measured is None else repr(measured)


def _waiver(path: Path, pointer: str, entry: Json) -> Waiver:
    for violation in find_violations(entry, 1, "waiver"):
        raise ConformanceError(
            f"the waivers file cannot be used: {violation.message}",
            where=Location(path.name, pointer=f"{pointer}{pointer_text(violation.pointer)}"),
            expected=violation.expected,
            found=violation.found,
            fix=violation.fix,
        )
    if entry["check"] not in BY_ID:
        raise _unusable(path, f"{pointer}/check", f"{entry['check']!r}, which is not a check")
    return Waiver(**entry)


def _unusable(path: Path, pointer: str, found: str) -> ConformanceError:
    return ConformanceError(
        "the waivers file cannot be used",
        where=Location(path.name, pointer=pointer or None),
        expected='a JSON list of {"check", "subject", "value", "reason", "link"}',
        found=found,
        fix="correct the file; docs/coordinators.md shows one, and `nnr-conformance checks` lists "
        "the checks",
    )
