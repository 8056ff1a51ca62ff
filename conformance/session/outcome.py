"""What comes of a run: findings gathered, reports written, verdict printed, exit code set.

Only one process has an :class:`Outcome`: the one the user started.
"""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from conformance.evaluation.limits import Limits
from conformance.session.environment import environment_block
from conformance.session.progress import ProgressLine
from conformance.session.reporting import forget_old_reports, report_of
from conformance.session.run import Target
from conformance.session.waivers import Waiver, read_waivers, unused_waivers
from conformance.verdicts import ConformanceError, EvaluationError, ExitCode, Finding, Json, Verdict

PROPERTY = "nnr-conformance"
WORST_FIRST = (
    ExitCode.INTERNAL,
    ExitCode.USAGE,
    ExitCode.FAIL,
    ExitCode.INCOMPLETE,
    ExitCode.PASS,
)
REWRITE_SECONDS = 2.0
"""How old a partial report may grow before it is written anew."""


class Outcome:
    """Gathers the findings of all targets and writes their reports."""

    def __init__(
        self, config: pytest.Config, targets: Mapping[str, Target], limits: Limits
    ) -> None:
        self._targets = targets
        self._folder = Path(config.getoption("report"))
        self._waivers = _read_waivers(config.getoption("waivers"))
        self._environment = environment_block(limits)
        self._written = time.monotonic()
        self._reports: dict[str, dict[str, Json]] = {}
        self._progress: ProgressLine | None = None
        self._plugins = config.pluginmanager

    def pytest_sessionstart(self) -> None:
        """Put a partial report in the place of any old one, before anything is judged."""
        from conformance.report import ReportWriteError

        try:
            for target in self._targets.values():
                forget_old_reports(self._folder / target.name)
            self._write(complete=False, formats=("json",))
        except (OSError, ReportWriteError) as error:
            pytest.exit(
                f"no report can be written to {self._folder}: {error}; name another folder with "
                "--report DIR",
                returncode=ExitCode.USAGE,
            )
        terminal = self._plugins.get_plugin("terminalreporter")
        if terminal is not None and terminal.isatty and terminal.verbosity == 0:
            total = sum(len(target.planned) for target in self._targets.values())
            self._progress = ProgressLine(total)
            terminal.showfspath = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """Leave the terminal to the progress line where there is one."""
        if self._progress is None or report.when != "call":
            return None
        return report.outcome, "", report.outcome.upper()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the findings of a check, wherever it ran."""
        message = dict(report.user_properties).get(PROPERTY)
        if report.when == "call" and isinstance(message, dict):
            target = self._targets[message["target"]]
            found = [Finding.from_json(finding) for finding in message["findings"]]
            target.record(message["test"], found)
            target.costs.update(message["costs"])
            self._advance(message["test"])
        elif report.failed:
            self._record_breakdown(report)
        if time.monotonic() - self._written > REWRITE_SECONDS:
            self._write(complete=False)

    def _advance(self, test: str) -> None:
        if self._progress is not None:
            self._progress.advance(test.partition("::")[2])

    def _record_breakdown(self, report: pytest.TestReport) -> None:
        """Keep a check that broke down as an error: a defect of the tool is never a pass."""
        for target in self._targets.values():
            for planned in target.planned:
                if report.nodeid.endswith(planned.test):
                    error = EvaluationError(
                        "the check itself broke down",
                        expected="a verdict",
                        found=str(report.longrepr)[-500:],
                        mend="report this as a defect of the tool",
                    )
                    check = planned.check
                    finding = error.finding(check.id, planned.subject.id, check.clause)
                    target.record(planned.test, [finding])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the reports and set the exit code, before the summary is printed."""
        if self._progress is not None:
            self._progress.clear()
        stopped = bool(session.shouldstop or session.shouldfail)
        broken = exitstatus == pytest.ExitCode.INTERNAL_ERROR
        self._write(complete=not stopped and exitstatus not in _ENDED_EARLY)
        self._append_step_summaries()
        codes = [report["exit_code"] for report in self._reports.values()]
        if broken:
            codes.append(ExitCode.INTERNAL)
        session.exitstatus = min(codes, key=WORST_FIRST.index)

    def _write(self, *, complete: bool, formats: Sequence[str] | None = None) -> None:
        from conformance.report import FORMATS, write_reports

        for target in self._targets.values():
            report = report_of(
                target,
                waivers=self._waivers,
                environment=self._environment,
                complete=complete,
            )
            self._reports[target.name] = report
            write_reports(report, self._folder / target.name, formats or FORMATS)
        self._written = time.monotonic()

    def _append_step_summaries(self) -> None:
        from conformance.report import ReportWriteError, append_step_summary

        for report in self._reports.values():
            try:
                append_step_summary(report)
            except ReportWriteError as error:
                warnings.warn(str(error), stacklevel=1)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the verdict of every submission and where its reports are."""
        terminalreporter.section("conformance")
        for name, report in self._reports.items():
            _print_verdict(terminalreporter, name, report, self._folder / name)
        findings = [f for t in self._targets.values() for _, f in t.reported(self._waivers)]
        for waiver in unused_waivers(self._waivers, findings):
            terminalreporter.line(
                f"warning: the waiver of {waiver.check} for {waiver.subject} matches no finding",
                yellow=True,
            )


_ENDED_EARLY = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
_OPEN = (Verdict.UNDECIDED.value, Verdict.UNSUPPORTED.value)
"""Verdicts that pytest shows as skipped: they are told again at the end, with what to do."""
_FIELDS = tuple(field.name for field in dataclasses.fields(Finding))
_COLOUR = {"pass": "green", "fail": "red", "incomplete": "yellow"}


def _print_verdict(terminal: Any, name: str, report: Mapping[str, Json], folder: Path) -> None:
    counts = ", ".join(
        f"{count} {verdict}"
        for verdict, count in report["summary"].items()
        if count and verdict != "planned"
    )
    partial = "" if report["complete"] else " (partial: the run was stopped)"
    verdict = report["verdict"]
    terminal.line(
        f"{name}: {verdict.upper()}{partial} — {counts} of {report['summary']['planned']} checks",
        bold=True,
        **{_COLOUR[verdict]: True},
    )
    for finding in report["findings"]:
        if finding["verdict"] in _OPEN:
            terminal.line(str(Finding.from_json({key: finding[key] for key in _FIELDS})))
    terminal.line(f"  reports: {folder / 'report.html'} (and report.json, report.md, junit.xml)")


def _read_waivers(path: Path | None) -> tuple[Waiver, ...]:
    if path is None:
        return ()
    try:
        return read_waivers(path)
    except ConformanceError as error:
        pytest.exit(str(error), returncode=ExitCode.USAGE)
