"""Reports: one ``report.json`` is the truth, and every other format is a rendering of it.

>>> report = build_report(...)                       # doctest: +SKIP
>>> paths = write_reports(report, Path("reports"))   # doctest: +SKIP

``build`` makes the report, ``validate`` checks it against its schema, ``view`` and ``headline``
arrange it for people, ``pages`` and ``junit`` render it, ``write`` puts the files on disk.
"""

from conformance.report.build import ReportedFinding, build_report
from conformance.report.junit import render_junit
from conformance.report.pages import render_html, render_markdown
from conformance.report.plain import json_text
from conformance.report.validate import InvalidReportError, read_report, validate_report
from conformance.report.write import (
    FORMATS,
    ReportWriteError,
    append_step_summary,
    write_reports,
)

__all__ = [
    "FORMATS",
    "InvalidReportError",
    "ReportWriteError",
    "ReportedFinding",
    "append_step_summary",
    "build_report",
    "json_text",
    "read_report",
    "render_html",
    "render_junit",
    "render_markdown",
    "validate_report",
    "write_reports",
]
