"""Write the reports of a run, also while it is under way, so that a killed run leaves them."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

from conformance.report import FORMATS, ReportWriteError, append_step_summary, write_reports
from conformance.session.reporting import forget_old_reports, report_of
from conformance.session.run import Target
from conformance.session.waivers import Waiver
from conformance.text import one_line
from conformance.verdicts import REFUSING, ConformanceError, Json

REWRITE_SECONDS = 2.0
"""How old a partial report may grow before it is written anew, if that is quickly done."""
REWRITE_SHARE = 10
"""Partial reports take at most one part in so many of a run's time."""


class ReportWriter:
    """Keeps the reports of all targets, in ``folder``, up to date."""

    def __init__(
        self,
        targets: Mapping[str, Target],
        folder: Path,
        waivers: Sequence[Waiver],
        environment: Mapping[str, Json],
    ) -> None:
        self.folder = folder
        self.reports: dict[str, dict[str, Json]] = {}
        self._targets = targets
        self._waivers = waivers
        self._environment = environment
        self._written_findings: dict[str, int] = {}
        self._next = 0.0

    def begin(self) -> None:
        """Put a partial report in the place of any old one.

        Raises :class:`~conformance.verdicts.ConformanceError` if the folder cannot be written to.
        """
        try:
            for target in self._targets.values():
                forget_old_reports(self.folder / target.name)
                self._write(target, ("json",), complete=False)
        except (OSError, ReportWriteError) as error:
            raise ConformanceError(
                f"no report can be written to {self.folder}",
                expected="a folder that can be written to",
                found=str(error),
                mend="name another folder with --report DIR",
            ) from None
        self._next = time.monotonic() + REWRITE_SECONDS

    def refresh(self) -> None:
        """Rewrite, if it is time, the reports of targets about which more is known by now."""
        began = time.monotonic()
        if began < self._next:
            return
        for target in self._targets.values():
            if self._written_findings[target.name] != len(target.findings):
                self._write(target, FORMATS, complete=False)
        now = time.monotonic()
        self._next = now + max(REWRITE_SECONDS, REWRITE_SHARE * (now - began))

    def finish(self, *, complete: bool) -> None:
        """Write every report in every form, and the step summary if the environment wants one."""
        for target in self._targets.values():
            self._write(target, FORMATS, complete=complete)
        for report in self.reports.values():
            try:
                append_step_summary(report)
            except ReportWriteError as error:
                warnings.warn(one_line(str(error)), stacklevel=1)

    def refused(self) -> int:
        """Return how many findings of all reports make a submission fail."""
        return sum(
            finding["verdict"] in REFUSING
            for report in self.reports.values()
            for finding in report["findings"]
        )

    def _write(self, target: Target, formats: Sequence[str], *, complete: bool) -> None:
        report = report_of(
            target, waivers=self._waivers, environment=self._environment, complete=complete
        )
        self.reports[target.name] = report
        self._written_findings[target.name] = len(target.findings)
        write_reports(report, self.folder / target.name, formats)
