"""What a run prints at its end: the verdict of every submission, and where its reports are."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.caller import as_typed
from conformance.text import one_line
from conformance.verdicts import REFUSING, Finding, Json, Verdict, command_to_repeat

COLOUR = {"pass": "green", "fail": "red", "incomplete": "yellow"}
TOLD_AGAIN = (Verdict.UNDECIDED.value, Verdict.UNSUPPORTED.value)
"""Verdicts that pytest shows as skipped: the end says what they are, and what to do."""
INSTALL = "pip install"
"""What is to be done about a library that is missing begins so; it is said once, not per check."""
FIELDS = tuple(field.name for field in dataclasses.fields(Finding))


def print_verdict(
    terminal: Any, name: str, report: Mapping[str, Json], folder: Path, submission: Path
) -> None:
    """Print the verdict of one ``submission``, whose reports are in ``folder``, to ``terminal``."""
    counts = ", ".join(
        f"{count} {verdict}"
        for verdict, count in report["summary"].items()
        if count and verdict != "planned"
    )
    advisory = sum(_is_advice(finding) for finding in report["findings"])
    planned, selected = report["summary"]["planned"], report.get("selected")
    partial = "" if report["complete"] else " (partial: the run was stopped)"
    part = f" (selected: {selected} of {planned} checks)" if selected is not None else ""
    verdict = report["verdict"]
    terminal.line(
        one_line(f"{name}: {verdict.upper()}{part}{partial} — {counts} of {planned} checks"),
        bold=True,
        **{COLOUR[verdict]: True},
    )
    if advisory:
        terminal.line(f"  {advisory} advisory: worth a look, and no part of the verdict")
    for finding in _told_again(report["findings"]):
        terminal.line(str(Finding.from_json({key: finding[key] for key in FIELDS})))
        again = command_to_repeat(str(submission), [(finding["check"], finding["subject"])])
        terminal.line(one_line(f"  to repeat {again}"))
    page = one_line(as_typed(str(folder / "report.html")))
    terminal.line(f"  reports: {page} (and report.json, report.md, junit.xml)")


def _is_advice(finding: Mapping[str, Json]) -> bool:
    return not finding["required"] and Verdict(finding["verdict"]) in REFUSING


def _told_again(findings: Sequence[Mapping[str, Json]]) -> Iterator[Mapping[str, Json]]:
    missing: set[str] = set()
    for finding in findings:
        if finding["verdict"] in TOLD_AGAIN:
            yield finding
        elif finding["verdict"] == Verdict.NOT_RUN.value and INSTALL in finding["mend"]:
            if finding["mend"] not in missing:
                yield finding
            missing.add(finding["mend"])
