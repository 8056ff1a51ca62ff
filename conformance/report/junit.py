"""Render a report as JUnit XML, which continuous integration systems read.

One test case per finding. What fails a submission is a failure or an error; what leaves it open is
skipped, with the reason. Findings of checks that are not required never fail the build: they are
skipped too, unless they pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from conformance.report.build import finding_in
from conformance.report.text import clip
from conformance.report.view import repeated
from conformance.report.words import LABELS
from conformance.text import visible
from conformance.verdicts import Json, Verdict

if TYPE_CHECKING:
    from junitparser import TestCase, TestSuite
    from junitparser.junitparser import FinalResult

_FAILURES = frozenset({Verdict.FAIL, Verdict.MALFORMED})
_ERRORS = frozenset({Verdict.ERROR, Verdict.TIMEOUT})
_NAME_LENGTH = 300


def render_junit(report: Mapping[str, Json]) -> str:
    """Return the report as the text of a JUnit XML file."""
    from junitparser import JUnitXml

    document = JUnitXml("nnr-conformance")
    for module, findings in _by_module(report["findings"]).items():
        document.add_testsuite(_suite(module, findings, report))
    document.update_statistics()  # type: ignore[no-untyped-call]
    content: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{content.decode()}\n'


def _by_module(findings: list[dict[str, Json]]) -> dict[str, list[dict[str, Json]]]:
    modules: dict[str, list[dict[str, Json]]] = {}
    for entry in findings:
        module = entry["test"].partition("::")[0] or "nnr-conformance"
        modules.setdefault(visible(clip(module, _NAME_LENGTH)), []).append(entry)
    return modules


def _suite(module: str, findings: list[dict[str, Json]], report: Mapping[str, Json]) -> TestSuite:
    from junitparser import TestSuite

    suite = TestSuite(module)
    for name in ("profile", "verdict", "complete"):
        suite.add_property(name, visible(str(report[name]).lower()))
    if report.get("selected") is not None:
        suite.add_property("selected", str(report["selected"]))
    seen: dict[str, int] = {}
    cases = []
    for entry in findings:
        name = visible(clip(f"{entry['subject']} [{entry['check']}]", _NAME_LENGTH))
        seen[name] = seen.get(name, 0) + 1
        unique = name if seen[name] == 1 else f"{name} ({seen[name]})"
        folder = report["environment"].get("submission")
        cases.append(_case(module, unique, entry, folder))
    suite.add_testcases(cases)
    return suite


def _case(module: str, name: str, entry: dict[str, Json], folder: str | None) -> TestCase:
    from junitparser import Error, Failure, Skipped, TestCase

    case = TestCase(name, module)
    verdict = Verdict(entry["verdict"])
    if verdict is Verdict.PASS:
        return case
    kind: type[FinalResult] = Skipped
    if entry["required"] and verdict in _FAILURES:
        kind = Failure
    elif entry["required"] and verdict in _ERRORS:
        kind = Error
    label = LABELS[verdict] if entry["required"] else f"{LABELS[verdict]} (advisory)"
    waiver = entry["evidence"].get("waiver", {})
    reason = waiver.get("reason", "") if verdict is Verdict.WAIVED else entry["message"]
    result = kind(visible(clip(f"{label}: {reason}", _NAME_LENGTH)), verdict.value)
    again = repeated([entry], folder)
    result.text = visible(
        f"{finding_in(entry)}\n  to repeat {again}" if again else str(finding_in(entry))
    )
    case.result = [result]
    return case
