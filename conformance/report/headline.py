"""The sentences at the top of every page: what came out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from conformance.report.build import SEVERITY, check_verdicts
from conformance.report.words import LABELS, count
from conformance.verdicts import OPEN, REFUSING, Json, Verdict


def headline(report: Mapping[str, Json]) -> str:
    """Say in one sentence why the verdict is what it is."""
    verdicts = check_verdicts(entry for entry in report["findings"] if entry["required"])
    refusing = [verdict for verdict in verdicts if verdict in REFUSING]
    still_open = [verdict for verdict in verdicts if verdict in OPEN]
    all_required = count(len(verdicts), "required check")
    if report["verdict"] == "fail":
        sentence = f"{len(refusing):,} of {all_required} failed ({_kinds(refusing)})"
        return sentence + (f"; still open: {_kinds(still_open)}." if still_open else ".")
    if not verdicts:
        return "No required check was made."
    if still_open:
        are = "is" if len(still_open) == 1 else "are"
        which = f"{len(still_open):,} of {all_required} {are} still open ({_kinds(still_open)})"
        return f"No required check failed, but {which}."
    if report["verdict"] == "incomplete":
        return "No required check failed, but the run was interrupted."
    passed, waived = verdicts.count(Verdict.PASS), verdicts.count(Verdict.WAIVED)
    sentence = f"{passed:,} of {all_required} passed" + (f"; {waived:,} waived." if waived else ".")
    advice = sum(_is_advice(entry) for entry in report["findings"])
    return sentence + (f" Beside them, {count(advice, 'advisory finding')}." if advice else "")


def _is_advice(entry: Mapping[str, Json]) -> bool:
    return not entry["required"] and entry["verdict"] in REFUSING


def selection_notice(report: Mapping[str, Json]) -> str:
    """Say that only some checks were selected; empty for a run of all."""
    selected = report.get("selected")
    if selected is None:
        return ""
    planned = report["summary"]["planned"]
    return (
        f"Selected checks only: {selected:,} of {planned:,} were selected for this run; "
        f"the other {planned - selected:,} were not judged."
    )


def partial_notice(report: Mapping[str, Json]) -> str:
    """Say how far an interrupted run came; empty for a complete one."""
    if report["complete"]:
        return ""
    planned, left = report["summary"]["planned"], report["summary"][Verdict.NOT_RUN]
    if report.get("selected") is not None:
        return "This report is partial: the run was interrupted."
    return (
        f"This report is partial: the run was interrupted after {planned - left:,} of "
        f"{count(planned, 'check')}; it says nothing about the other {left:,}."
    )


def _kinds(verdicts: Sequence[Verdict]) -> str:
    """Return ``2 fail, 1 malformed``, the most severe first."""
    counts = Counter(verdicts)
    return ", ".join(f"{counts[v]:,} {LABELS[v].lower()}" for v in SEVERITY if counts[v])
