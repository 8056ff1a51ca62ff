"""What comes of a run: findings gathered, reports written, verdict printed, exit code set.

Only one process has an :class:`Outcome`: the one the user started.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NoReturn

import pytest

from conformance.caller import as_typed
from conformance.evidence.location import evidence_store
from conformance.evidence.stored import StoredResults
from conformance.judging.run import Target, test_of
from conformance.judging.waivers import Waiver, unused_waivers, why_unused
from conformance.pytest_run.environment import environment_block
from conformance.pytest_run.exit_code import ENDED_EARLY, code_of_nothing, code_of_run
from conformance.pytest_run.progress import ProgressLine
from conformance.pytest_run.summary import print_verdict
from conformance.pytest_run.writing import UNFINISHED, ReportWriter
from conformance.sandbox.limits import Limits
from conformance.text import one_line, wrapped
from conformance.verdicts import ConformanceError, EvaluationError, ExitCode, Finding

SUITES = Path(__file__).parents[1]
PROPERTY = "nnr-conformance"
"""The user property by which a test item hands over its findings."""


class Outcome:
    """Gathers the findings of all targets and writes their reports."""

    def __init__(
        self,
        config: pytest.Config,
        targets: Mapping[str, Target],
        waivers: Sequence[Waiver],
        limits: Limits,
    ) -> None:
        self._targets = targets
        self._waivers = waivers
        store = evidence_store(config.getoption("evidence"))
        self._writer = ReportWriter(
            targets,
            Path(config.getoption("report")),
            self._waivers,
            environment_block(limits),
            {name: StoredResults(target.loaded, store, limits) for name, target in targets.items()},
        )
        self._progress: ProgressLine | None = None
        self._columns: int | None = None
        self._plugins = config.pluginmanager
        self.finished = False
        self._begun = self._refused = False
        self._failures = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Begin the reports of what was collected, unless the workers of xdist collect it."""
        if not self._plugins.has_plugin("dsession"):
            ours = (item for item in session.items if item.path.parent == SUITES)
            self._begin({f"{item.path.name}::{item.name}" for item in ours})

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Begin the reports of what the first worker collected; all collect the same."""
        if not self._begun:
            self._begin(set(map(test_of, ids)))

    def _begin(self, tests: Set[str]) -> None:
        """Begin the reports of the submissions that some of ``tests`` are about."""
        chosen = [name for name, target in self._targets.items() if target.select(tests)]
        if not chosen:
            self._refuse("the selection matches no check of the submission: nothing was judged")
        try:
            self._writer.begin(chosen)
        except ConformanceError as error:
            self._refuse(as_typed(str(error)))
        self._begun = True
        terminal = self._plugins.get_plugin("terminalreporter")
        if terminal is not None and terminal.isatty and terminal.verbosity == 0:
            self._progress = ProgressLine(len(tests))
            self._columns = shutil.get_terminal_size().columns
            terminal.showfspath = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """Leave the terminal to the progress line where there is one."""
        if self._progress is None or report.when != "call":
            return None
        return report.outcome, "", report.outcome.upper()

    def _refuse(self, text: str) -> NoReturn:
        self._refused = True
        pytest.exit(text, returncode=ExitCode.USAGE)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the findings of a check, wherever it ran."""
        message = dict(report.user_properties).get(PROPERTY)
        if report.when == "call" and isinstance(message, dict):
            target = self._targets[message["target"]]
            found = [Finding.from_json(finding) for finding in message["findings"]]
            target.record(message["test"], found)
            target.costs.update(message["costs"])
            target.repeated += message["repeated"]
            self._failures += report.failed
            if self._columns and isinstance(report.longrepr, str):
                report.longrepr = wrapped(report.longrepr, self._columns)
            if self._progress is not None:
                self._progress.advance(message["test"].partition("::")[2])
        elif report.failed:
            self._record_breakdown(report)
        self._writer.refresh()

    def _record_breakdown(self, report: pytest.TestReport) -> None:
        """Keep a check that broke down as an error: a defect of the tool is never a pass."""
        error = EvaluationError(
            "the check itself broke down",
            expected="a verdict",
            found=str(report.longrepr)[-500:],
            fix="report this as a defect of the tool",
        )
        test = test_of(report.nodeid)
        for target in self._targets.values():
            for planned in target.planned:
                if planned.test == test:
                    check = planned.check
                    finding = error.finding(check.id, planned.subject.id, check.clause)
                    target.record(test, [finding])

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the reports and set the exit code, before the summary is printed."""
        self.finished = True
        if not self._begun:
            session.exitstatus = ExitCode.USAGE if self._refused else code_of_nothing(exitstatus)
            return
        if self._progress is not None:
            self._progress.clear()
        stopped = bool(session.shouldstop or session.shouldfail)
        self._writer.finish(complete=not stopped and exitstatus not in ENDED_EARLY)
        session.exitstatus = code_of_run(
            exitstatus,
            (report["exit_code"] for report in self._writer.reports.values()),
            failed=self._failures,
            refused=self._writer.refused(),
        )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print the verdict of every submission and where its reports are."""
        if not self._begun:
            return
        terminalreporter.section("conformance")
        for name, report in self._writer.reports.items():
            place = self._writer.places[name]
            root = self._targets[name].loaded.root
            print_verdict(terminalreporter, name, report, place, root, self._columns)
            if place.name == UNFINISHED:
                terminalreporter.line(f"  not replaced: the finished report in {place.parent}")
        if any(target.selected is not None for target in self._targets.values()):
            return  # A waiver of what was not selected matches nothing now, and is right.
        findings = [f for t in self._targets.values() for _, f in t.reported(self._waivers)]
        for waiver in unused_waivers(self._waivers, findings):
            reason = why_unused(waiver, findings)
            terminalreporter.line(one_line(f"warning: {reason}"), yellow=True)
