"""Waivers: findings that a coordinator accepts, with a reason and a link.

A waivers file is a JSON list of ``{"check", "subject", "reason", "link"}``. A waiver never hides
anything: the finding stays in the report, as waived, with what was found.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from conformance.checks import BY_ID
from conformance.documents import read_json
from conformance.verdicts import ConformanceError, Finding, Json, Location, Verdict

WAIVER = "waiver"
"""The key under which a waived finding's evidence holds the waiver and the verdict it had."""

WAIVABLE = frozenset({Verdict.FAIL, Verdict.UNDECIDED, Verdict.MALFORMED, Verdict.UNSUPPORTED})
"""Verdicts that say what was found: nothing can be accepted where nothing was seen."""

FIELDS = ("check", "subject", "reason", "link")


@dataclasses.dataclass(frozen=True, slots=True)
class Waiver:
    """One accepted finding: of which check, about which subject, why, and where that was agreed."""

    check: str
    subject: str
    reason: str
    link: str

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return dataclasses.asdict(self)


def read_waivers(path: Path) -> tuple[Waiver, ...]:
    """Return the waivers in a file; :class:`ConformanceError` says what is wrong with it."""
    try:
        entries = read_json(path)
    except (OSError, ValueError) as error:
        raise _unusable(path, "", f"{type(error).__name__}: {error}") from None
    if not isinstance(entries, list):
        raise _unusable(path, "", f"a JSON {type(entries).__name__}")
    return tuple(_waiver(path, index, entry) for index, entry in enumerate(entries))


def apply_waivers(findings: Iterable[Finding], waivers: Iterable[Waiver]) -> list[Finding]:
    """Return the findings, those that a waiver accepts as ``waived`` with its reason and link."""
    accepted = {(waiver.check, waiver.subject): waiver for waiver in waivers}
    applied = []
    for finding in findings:
        waiver = accepted.get((finding.check, finding.subject))
        if waiver is None or finding.verdict not in WAIVABLE:
            applied.append(finding)
            continue
        accepted_as = {**waiver.to_json(), "verdict": finding.verdict.value}
        evidence = {**finding.evidence, WAIVER: accepted_as}
        applied.append(dataclasses.replace(finding, verdict=Verdict.WAIVED, evidence=evidence))
    return applied


def unused_waivers(waivers: Iterable[Waiver], findings: Iterable[Finding]) -> tuple[Waiver, ...]:
    """Return the waivers that match no finding: a misspelt subject, or a mended defect."""
    used = {(f.check, f.subject) for f in findings if f.verdict is Verdict.WAIVED}
    return tuple(waiver for waiver in waivers if (waiver.check, waiver.subject) not in used)


def _waiver(path: Path, index: int, entry: Json) -> Waiver:
    texts = isinstance(entry, dict) and all(
        isinstance(entry.get(name), str) and entry[name] for name in FIELDS
    )
    if not texts or set(entry) != set(FIELDS):
        raise _unusable(path, f"/{index}", json.dumps(entry)[:200])
    if entry["check"] not in BY_ID:
        raise _unusable(path, f"/{index}/check", f"{entry['check']!r}, which is no check")
    return Waiver(**entry)


def _unusable(path: Path, pointer: str, found: str) -> ConformanceError:
    return ConformanceError(
        "the waivers file cannot be used",
        where=Location(path.name, pointer=pointer or None),
        expected='a JSON list of {"check", "subject", "reason", "link"}, all of them texts',
        found=found,
        mend="correct the file; `nnr-conformance checks` lists the checks",
    )
