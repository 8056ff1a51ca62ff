"""Build the report of one run: summary, verdict and exit code from the findings.

>>> report = build_report(submission_block={"id": "digits-cnn"}, profile="call-2018",
...     checks_order=["SAMPLE-DECODE-001"], findings=[], models=[], samples=[], waivers=[],
...     environment={}, timing={}, complete=True)
>>> report["verdict"], report["exit_code"]
('incomplete', 3)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import conformance
from conformance.report.plain import plain
from conformance.verdicts import EXIT_OF_OVERALL, Finding, Json, Verdict, overall

SCHEMA_VERSION = "1.1"

SUBMISSION_FIELDS = (
    "id",
    "title",
    "contributor",
    "mdms_number",
    "version",
    "license",
    "metadata_sha256",
)

SEVERITY: tuple[Verdict, ...] = (
    Verdict.FAIL,
    Verdict.MALFORMED,
    Verdict.ERROR,
    Verdict.TIMEOUT,
    Verdict.UNDECIDED,
    Verdict.UNSUPPORTED,
    Verdict.NOT_RUN,
    Verdict.WAIVED,
    Verdict.PASS,
)
"""All verdicts, the most severe first."""


@dataclass(frozen=True, slots=True)
class ReportedFinding:
    """A finding, and what the catalogue of checks and pytest say about its check.

    ``required`` says whether the verdict of the run depends on it, ``title`` is the human title
    of the check, ``test`` the pytest id that made the finding. ``about`` are the ids of what its
    subject is about.
    """

    finding: Finding
    required: bool
    title: str
    test: str
    about: Mapping[str, Json]

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object with every field."""
        return {
            **self.finding.to_json(),
            "required": self.required,
            "title": self.title,
            "test": self.test,
            "about": dict(self.about),
        }


def build_report(
    *,
    submission_block: Mapping[str, Json],
    profile: str,
    checks_order: Iterable[str],
    findings: Sequence[ReportedFinding],
    models: Sequence[Mapping[str, Json]],
    samples: Sequence[Mapping[str, Json]],
    waivers: Sequence[Mapping[str, Json]],
    environment: Mapping[str, Json],
    timing: Mapping[str, Json],
    complete: bool,
    selected: int | None = None,
    rate_performance: Sequence[Mapping[str, Json]] = (),
    updates: Sequence[Mapping[str, Json]] = (),
    layered: Sequence[Mapping[str, Json]] = (),
) -> dict[str, Json]:
    """Return the report as JSON.

    Submission fields that are not given are null. Findings are put in the order of
    ``checks_order``, then by subject, whatever order they arrived in. A run that is not complete
    never passes. ``selected`` is the number of checks that the user selected, or None for all.
    """
    verdict = overall(entry.finding.verdict for entry in findings if entry.required)
    if verdict == "pass" and not complete:
        verdict = "incomplete"
    entries = _in_order(findings, checks_order)
    report: dict[str, Json] = plain(
        {
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": "nnr-conformance", "version": conformance.__version__},
            "profile": profile,
            "complete": complete,
            "selected": selected,
            "verdict": verdict,
            "exit_code": EXIT_OF_OVERALL[verdict],
            "submission": _identity(submission_block),
            "summary": _summary(entries),
            "findings": entries,
            "models": models,
            "samples": samples,
            "rate_performance": rate_performance,
            "updates": updates,
            "layered": layered,
            "waivers": waivers,
            "environment": environment,
            "timing": timing,
        }
    )
    return report


def finding_in(entry: Mapping[str, Json]) -> Finding:
    """Return the finding in an entry of a report, without what the catalogue says of its check."""
    return Finding.from_json({each.name: entry[each.name] for each in fields(Finding)})


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the most severe of some verdicts."""
    return min(verdicts, key=SEVERITY.index)


def check_verdicts(entries: Iterable[Mapping[str, Json]]) -> list[Verdict]:
    """Return one verdict per planned check: the most severe, so that no pass hides a fail.

    ``entries`` are findings as they stand in a report.
    """
    by_check: dict[tuple[str, str], list[Verdict]] = {}
    for entry in entries:
        key = (entry["check"], entry["test"] or entry["subject"])
        by_check.setdefault(key, []).append(Verdict(entry["verdict"]))
    return [worst(verdicts) for verdicts in by_check.values()]


def _identity(block: Mapping[str, Json]) -> dict[str, Json]:
    ignored = {"ignored": block["ignored"]} if block.get("ignored") else {}
    return {**{field: block.get(field) for field in SUBMISSION_FIELDS}, **ignored}


def _summary(entries: Iterable[Mapping[str, Json]]) -> dict[str, int]:
    verdicts = check_verdicts(entries)
    return {"planned": len(verdicts), **{v.value: verdicts.count(v) for v in Verdict}}


def _in_order(
    findings: Iterable[ReportedFinding], checks_order: Iterable[str]
) -> list[dict[str, Json]]:
    """Sort by catalogue, subject and content; checks outside the catalogue come last."""
    rank = {check: index for index, check in enumerate(checks_order)}

    def key(entry: dict[str, Json]) -> tuple[int, str, str, str]:
        place = rank.get(entry["check"], len(rank))
        return place, entry["check"], entry["subject"], json.dumps(entry, sort_keys=True)

    return sorted((plain(entry.to_json()) for entry in findings), key=key)
