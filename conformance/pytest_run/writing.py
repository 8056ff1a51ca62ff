"""Write the reports of a run, also while it is under way, so that a killed run leaves them.

A finished report of all checks is replaced only by another: what was selected goes to the folder
``selected`` in its place, and what is not finished yet to ``unfinished``.
"""

from __future__ import annotations

import json
import shutil
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from conformance.judging.run import Target
from conformance.judging.waivers import Waiver
from conformance.report import FORMATS, ReportWriteError, append_step_summary, write_reports
from conformance.report.blocks import forget_old_reports, report_of
from conformance.report.measurements import Results
from conformance.text import one_line
from conformance.verdicts import REFUSING, ConformanceError, Json

REWRITE_SECONDS = 10.0
"""How old a partial report may grow before it is written anew, if that is quickly done."""
REWRITE_SHARE = 10
"""Partial reports take at most one part in so many of a run's time."""

SELECTED = "selected"
"""Folder, in that of a submission, for the report of a run of selected checks."""
UNFINISHED = "unfinished"
"""Folder, in that of a submission, for a run under way while a finished report lies there."""


class ReportWriter:
    """Keeps the reports of all targets, in ``folder``, up to date.

    ``results`` are what is known by now of each target.
    """

    def __init__(
        self,
        targets: Mapping[str, Target],
        folder: Path,
        waivers: Sequence[Waiver],
        environment: Mapping[str, Json],
        results: Mapping[str, Results],
    ) -> None:
        self.folder = folder
        self.reports: dict[str, dict[str, Json]] = {}
        self.places: dict[str, Path] = {}
        self._targets = targets
        self._waivers = waivers
        self._environment = environment
        self._results = results
        self._written_findings: dict[str, int] = {}
        self._next = 0.0

    def begin(self, names: Iterable[str]) -> None:
        """Write partial reports of the targets with these names; other targets get none.

        Raises :class:`~conformance.verdicts.ConformanceError` if the folder cannot be written to.
        """
        try:
            for name in names:
                self.places[name] = self._place(self._targets[name])
                forget_old_reports(self.places[name])
                self._write(name, ("json",), complete=False)
        except (OSError, ReportWriteError) as error:
            raise ConformanceError(
                f"no report can be written to {self.folder}",
                expected="a folder that can be written to",
                found=str(error),
                fix="name another folder with --report DIR",
            ) from None
        self._next = time.monotonic() + REWRITE_SECONDS

    def refresh(self) -> None:
        """Rewrite, if it is time, the reports of targets about which more is known by now."""
        began = time.monotonic()
        if began < self._next:
            return
        for name in self.places:
            if self._written_findings[name] != len(self._targets[name].findings):
                self._write(name, FORMATS, complete=False)
        now = time.monotonic()
        self._next = now + max(REWRITE_SECONDS, REWRITE_SHARE * (now - began))

    def finish(self, *, complete: bool) -> None:
        """Write every report in every form, and the step summary if the environment wants one."""
        for name, place in self.places.items():
            own = self.folder / name
            if complete and place != own / SELECTED:
                self.places[name] = own
            self._write(name, FORMATS, complete=complete)
            if self.places[name] == own:
                shutil.rmtree(own / UNFINISHED, ignore_errors=True)
        for report in self.reports.values():
            try:
                append_step_summary(report)
            except ReportWriteError as error:
                warnings.warn(one_line(str(error)), stacklevel=1)

    def refused(self) -> int:
        """Return how many checks of all reports make a submission fail."""
        return sum(
            len(
                {
                    f["test"]
                    for f in report["findings"]
                    if f["required"] and f["verdict"] in REFUSING
                }
            )
            for report in self.reports.values()
        )

    def _place(self, target: Target) -> Path:
        """Return where the report goes for now: never where a finished one of all checks lies."""
        own = self.folder / target.name
        if target.selected is not None:
            return own / SELECTED
        return own / UNFINISHED if _is_finished(own / "report.json") else own

    def _write(self, name: str, formats: Sequence[str], *, complete: bool) -> None:
        target = self._targets[name]
        report = report_of(
            target,
            results=self._results[name],
            waivers=self._waivers,
            environment=self._environment,
            complete=complete,
        )
        self.reports[name] = report
        self._written_findings[name] = len(target.findings)
        write_reports(report, self.places[name], formats)


def _is_finished(file: Path) -> bool:
    """Return whether ``file`` is the report of a run of all checks that came to its end."""
    try:
        report = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    complete = isinstance(report, dict) and report.get("complete") is True
    return complete and report.get("selected") is None
