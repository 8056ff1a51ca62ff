"""What a run prints at its end: the verdict of every submission, and where its reports are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.caller import as_typed
from conformance.report.build import check_verdicts, finding_in
from conformance.text import one_line, wrapped
from conformance.verdicts import REFUSING, Json, Verdict, command_to_repeat

COLOUR = {"pass": "green", "fail": "red", "incomplete": "yellow"}
TOLD_AGAIN = (Verdict.UNDECIDED.value, Verdict.UNSUPPORTED.value)
"""Verdicts that pytest shows as skipped: the end says what they are, and what to do."""
INSTALL = "pip install"
"""What is to be done about a library that is missing begins so; it is said once, not per check."""


def print_verdict(
    terminal: Any,
    name: str,
    report: Mapping[str, Json],
    folder: Path,
    submission: Path,
    columns: int | None = None,
) -> None:
    """Print the verdict of one ``submission``, whose reports are in ``folder``, to ``terminal``.

    Lines are broken to ``columns``, if any are given.
    """
    advice = check_verdicts(filter(_is_advice, report["findings"]))
    counted = dict(report["summary"])
    for verdict in advice:
        counted[verdict.value] -= 1
    counted["advisory"] = len(advice)
    counts = ", ".join(f"{n} {word}" for word, n in counted.items() if n and word != "planned")
    planned, selected = report["summary"]["planned"], report.get("selected")
    partial = "" if report["complete"] else " (partial: the run was stopped)"
    part = f" (selected: {selected} of {planned} checks)" if selected is not None else ""
    outcome = report["verdict"]
    terminal.line(
        one_line(f"{name}: {outcome.upper()}{part}{partial} — {counts} of {planned} checks"),
        bold=True,
        **{COLOUR[outcome]: True},
    )
    if advice:
        terminal.line("  advisory: worth a look, but not part of the verdict")
    for finding in _told_again(report["findings"]):
        text = str(finding_in(finding))
        terminal.line(wrapped(text, columns) if columns else text)
        again = command_to_repeat(str(submission), [(finding["check"], finding["subject"])])
        terminal.line(one_line(f"  to repeat {again}"))
    page = one_line(as_typed(str(folder / "report.html")))
    reports = f"  reports: {page} (and report.json, report.md, junit.xml)"
    terminal.line(wrapped(reports, columns) if columns else reports)


def _is_advice(finding: Mapping[str, Json]) -> bool:
    return not finding["required"] and Verdict(finding["verdict"]) in REFUSING


def _told_again(findings: Sequence[Mapping[str, Json]]) -> Iterator[Mapping[str, Json]]:
    missing: set[str] = set()
    for finding in findings:
        if finding["verdict"] in TOLD_AGAIN:
            yield finding
        elif finding["verdict"] == Verdict.NOT_RUN.value and INSTALL in finding["fix"]:
            if finding["fix"] not in missing:
                yield finding
            missing.add(finding["fix"])
