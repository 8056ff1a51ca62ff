"""Write a report to a folder, every file at once or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from conformance.report.junit import render_junit
from conformance.report.pages import render_html, render_markdown
from conformance.report.plain import json_text
from conformance.report.validate import validate_report
from conformance.verdicts import Json

STEP_SUMMARY_LIMIT = 1024 * 1024
"""Bytes; GitHub drops a step summary that is longer."""

_CUT = b"\n\n**The summary is cut here; the whole report is in report.md.**\n"

_FORMATS: Mapping[str, tuple[str, Callable[[Mapping[str, Json]], str]]] = {
    "json": ("report.json", json_text),
    "html": ("report.html", render_html),
    "md": ("report.md", render_markdown),
    "junit": ("junit.xml", render_junit),
}
FORMATS: tuple[str, ...] = tuple(_FORMATS)
"""Names of the formats a report can be written in."""


class ReportWriteError(OSError):
    """A report cannot be written where it was asked for."""


def write_reports(
    report: Mapping[str, Json], folder: Path, formats: Sequence[str] = FORMATS
) -> dict[str, Path]:
    """Write ``report`` in some formats and return the path of each; the folder is made.

    Files that are there are replaced, each in one step. An InvalidReportError is raised before
    anything is written if the report breaks its schema, a ReportWriteError if the folder cannot be
    written to, a ValueError for a format that is not one of :data:`FORMATS`.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown:
        known = ", ".join(FORMATS)
        raise ValueError(f"no report format is called {unknown[0]!r}; there are: {known}")
    validate_report(report)
    paths = {}
    for name in formats:
        filename, render = _FORMATS[name]
        paths[name] = folder / filename
        _replace(paths[name], render(report).encode())
    return paths


def append_step_summary(report: Mapping[str, Json]) -> bool:
    """Append the Markdown form to ``$GITHUB_STEP_SUMMARY``; return whether that is set."""
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if not target:
        return False
    path = Path(target)
    try:
        with path.open("ab") as file:
            room = STEP_SUMMARY_LIMIT - file.tell()
            file.write(_cut(render_markdown(report).encode(), room))
    except OSError as error:
        raise ReportWriteError(
            f"the step summary cannot be appended to {path}: {_why(error)}"
        ) from error
    return True


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise ReportWriteError(
            f"the report cannot be written to {path}: {_why(error)}; "
            "name a folder that exists, has room and may be written to"
        ) from error


def _cut(content: bytes, room: int) -> bytes:
    """Return at most ``room`` bytes of ``content``, whole lines, and say so if it is cut."""
    if len(content) <= room:
        return content
    end = content.rfind(b"\n", 0, max(0, room - len(_CUT)))
    return content[: max(0, end)] + _CUT if room >= len(_CUT) else b""


def _why(error: OSError) -> str:
    return error.strerror or str(error)
