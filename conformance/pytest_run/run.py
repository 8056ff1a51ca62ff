"""The plug-in of one conformance run: parametrisation, findings, reports and the exit code."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from conformance.caller import as_typed
from conformance.checks import BY_TEST, ORDER
from conformance.evidence.executor import Executor
from conformance.evidence.location import evidence_store
from conformance.evidence.passing import new_folder
from conformance.judging.judge import Judge
from conformance.judging.loading import load_targets
from conformance.judging.run import Planned, Target
from conformance.judging.selection import tests_of
from conformance.judging.waivers import apply_waivers, read_waivers
from conformance.plan.subjects import Subject
from conformance.pytest_run.outcome import Outcome
from conformance.sandbox.limits import Limits
from conformance.sandbox.workers import ForkServers, Workers
from conformance.submission import FileFacts
from conformance.text import visible
from conformance.verdicts import (
    OPEN,
    ConformanceError,
    ExitCode,
    Finding,
    Verdict,
    command_to_repeat,
)

LONGEST_CASE = 30 * 24 * 3600
"""Seconds: a month."""
SUITES = Path(__file__).parents[1]
PROPERTY = "nnr-conformance"
PASSING = "nnr-conformance-passing"
SHOWN_AS_SKIPPED = OPEN | {Verdict.WAIVED}
"""What pytest neither counts as passed nor as failed."""


class PytestRun:
    """Everything pytest must know about a run over submissions."""

    def __init__(
        self, config: pytest.Config, targets: Sequence[Target], servers: ForkServers
    ) -> None:
        self.config = config
        self.targets = {target.name: target for target in targets}
        self.limits = _limits(config)
        waivers = config.getoption("waivers")
        self._waivers = read_waivers(waivers) if waivers else ()
        only: list[str] = config.getoption("only_finding")
        self._only = tests_of(only, targets) if only else None
        self._judges: dict[str, Judge] = {}
        self._executor: Executor | None = None
        self._executor_of = ""
        self._servers = servers
        given = getattr(config, "workerinput", {}).get(PASSING)
        self._passing = Path(given) if given else None

    @classmethod
    def of(cls, config: pytest.Config, folders: Sequence[Path]) -> PytestRun:
        """Load the submissions and return the run; exits with code 2 where there is no folder."""
        _leave_out_hypothesis(config)
        servers = ForkServers()
        try:
            if _is_sure_to_compute(config):
                servers.start()
            run = cls(config, load_targets(folders, _known(config)), servers)
            if not config.option.collectonly:
                run._get_ready()
        except ConformanceError as error:
            servers.stop()
            pytest.exit(as_typed(str(error)), returncode=ExitCode.USAGE)
        return run

    def _get_ready(self) -> None:
        """Take up reporting where the user is, and evaluation where the checks will run."""
        if not hasattr(self.config, "workerinput"):
            outcome = Outcome(self.config, self.targets, self._waivers, self.limits)
            self.config.pluginmanager.register(outcome, "nnr-conformance-outcome")
        first = next(iter(self.targets.values()))
        if not _is_controller(self.config) and first.loaded.submission is not None:
            self.executor(first).warm_up()

    def executor(self, target: Target) -> Executor:
        """Return the executor of ``target``, after ending that of any other."""
        if self._executor is None or self._executor_of != target.name:
            self._end_executor()
            store = evidence_store(self.config.getoption("evidence"))
            reuse = not self.config.getoption("no_cache")
            self._executor = Executor(
                target.loaded,
                store,
                Workers(self.limits, self._servers),
                reuse=reuse,
                passing=self._passing,
                kept_bytes=_kept_bytes(self.config),
            )
            self._executor_of = target.name
        return self._executor

    def close(self) -> None:
        """End the worker processes, and what forks them."""
        self._end_executor()
        self._servers.stop()

    def _end_executor(self) -> None:
        if self._executor is not None:
            self._executor.close()
            self._executor = None

    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str) -> list[Any] | None:
        """Collect nothing for a check without a subject, so that what is counted is what is run."""
        idle = name in BY_TEST and collector.path.parent == SUITES and not self._subjects(name)
        return [] if idle else None

    def _subjects(self, test: str) -> list[Subject]:
        return [
            planned.subject
            for target in self.targets.values()
            for planned in target.planned
            if planned.check == BY_TEST[test]
        ]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Repeat each check over its subjects, named by stable ids."""
        test = metafunc.function.__name__
        if test not in BY_TEST or metafunc.definition.path.parent != SUITES:
            return
        subjects = self._subjects(test)
        metafunc.parametrize("subject", subjects, ids=[subject.label for subject in subjects])

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what is selected; go through one submission after the other, in order."""
        targets = {name: position for position, name in enumerate(self.targets)}
        ours = [item for item in items if item.path.parent == SUITES]
        rest = [item for item in items if item.path.parent != SUITES]
        if self._only is not None:
            left_out = [item for item in ours if _planned(item).test not in self._only]
            ours = [item for item in ours if _planned(item).test in self._only]
            self.config.hook.pytest_deselected(items=left_out)
        items[:] = rest + sorted(
            ours,
            key=lambda item: (
                targets[_subject(item).target],
                ORDER[BY_TEST[_function(item)].id],
            ),
        )

    @pytest.fixture
    def judge(self, subject: Subject, request: pytest.FixtureRequest) -> Judge:
        """Return the judge of this check about this subject."""
        target = self.targets[subject.target]
        submission = target.loaded.submission
        judge = Judge(
            BY_TEST[request.function.__name__],
            subject,
            (*target.loaded.problems, *target.loaded.advice),
            {metric.id: metric for metric in submission.metrics} if submission else {},
            lambda job: self.executor(target).evidence(job),
        )
        self._judges[request.node.nodeid] = judge
        return judge

    @pytest.hookimpl(wrapper=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
        """Turn what the judge gathered into findings, and into pytest's own outcome."""
        judge = self._judges.pop(pyfuncitem.nodeid, None)
        if judge is None:
            return (yield)
        result = None
        try:
            result = yield
        except ConformanceError as error:
            findings = judge.conclude(error)
        else:
            findings = judge.conclude()
        message = _message(judge, findings)
        if self._executor is not None:
            message |= {
                "costs": self._executor.take_costs(),
                "repeated": self._executor.take_repeated(),
            }
        pyfuncitem.user_properties.append((PROPERTY, message))
        required = judge.check.required
        folder = self.targets[judge.subject.target].loaded.root
        again = command_to_repeat(str(folder), [(judge.check.id, judge.subject.id)])
        _settle(apply_waivers(findings, self._waivers), again, required=required)
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, Any, Any]:
        """Let nothing that a trace shows act on the terminal; a finding is safe already."""
        report = yield
        if report.failed and report.longrepr is not None:
            report.longrepr = visible(str(report.longrepr))
        return report

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker the digests that were measured, so that files are hashed once.

        All share a folder for what is kept during this run.
        """
        node.workerinput[PROPERTY] = {
            str(target.loaded.root): {n: asdict(f) for n, f in target.loaded.files.items()}
            for target in self.targets.values()
        }
        if self._passing is None:
            store = evidence_store(self.config.getoption("evidence"))
            self._passing = new_folder(store.root)
        node.workerinput[PASSING] = str(self._passing)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Send all checks of one sample to one worker, unless a distribution was chosen."""
        if config.getvalue("dist") != "load":
            return None
        from conformance.pytest_run.scheduling import SubjectScheduling

        planned = (each for target in self.targets.values() for each in target.planned)
        return SubjectScheduling(config, log, {each.test: each.subject for each in planned})

    def pytest_unconfigure(self) -> None:
        """Leave no process behind, and nothing that was kept for this run alone."""
        self.close()
        if self._passing is not None and not hasattr(self.config, "workerinput"):
            shutil.rmtree(self._passing, ignore_errors=True)


def _message(judge: Judge, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "target": judge.subject.target,
        "test": Planned(judge.check, judge.subject).test,
        "findings": [finding.to_json() for finding in findings],
        "costs": {},
        "repeated": [],
    }


def _settle(findings: Sequence[Finding], again: str, *, required: bool) -> None:
    """Raise pytest's outcome: skipped if the check is open or waived, failed if it is refused.

    ``again`` is the command that makes the findings again.
    An advisory check that is refused is an expected failure of pytest's, which fails no run.
    """
    bad = [finding for finding in findings if finding.verdict is not Verdict.PASS]
    text = "\n".join([*map(str, bad), f"  to repeat {again}"])
    if any(finding.verdict not in SHOWN_AS_SKIPPED for finding in bad):
        if required:
            pytest.fail(text, pytrace=False)
        pytest.xfail(text)
    if bad:
        pytest.skip(text)


def _subject(item: pytest.Item) -> Any:
    callspec = getattr(item, "callspec", None)
    return callspec.params.get("subject") if callspec else None


def _planned(item: pytest.Item) -> Planned:
    return Planned(BY_TEST[_function(item)], _subject(item))


def _function(item: pytest.Item) -> str:
    return getattr(item, "originalname", item.name)


def _leave_out_hypothesis(config: pytest.Config) -> None:
    """Unload the plug-in of hypothesis: it costs a second at the end, and no check uses it."""
    suites_alone = all(
        (Path(config.invocation_params.dir) / arg.partition("::")[0]).is_relative_to(SUITES)
        for arg in config.args
    )
    if suites_alone and config.pluginmanager.has_plugin("hypothesispytest"):
        config.pluginmanager.unregister(name="hypothesispytest")


def _is_sure_to_compute(config: pytest.Config) -> bool:
    """Return whether workers will be needed, which may start while the metadata are being read."""
    if config.option.collectonly or _is_controller(config):
        return False
    store = evidence_store(config.getoption("evidence"))
    return store.is_empty() or bool(config.getoption("no_cache"))


def _is_controller(config: pytest.Config) -> bool:
    """Return whether this process only hands tests out to xdist workers."""
    return bool(getattr(config.option, "numprocesses", None)) and not hasattr(config, "workerinput")


def _known(config: pytest.Config) -> Mapping[str, Mapping[str, FileFacts]]:
    given = getattr(config, "workerinput", {}).get(PROPERTY, {})
    return {
        root: {name: FileFacts(**facts) for name, facts in files.items()}
        for root, files in given.items()
    }


def _limits(config: pytest.Config) -> Limits:
    seconds, mib = config.getoption("case_timeout"), config.getoption("memory_limit")
    if not 0 < seconds <= LONGEST_CASE:
        raise _wrong_option("--case-timeout", f"seconds, up to {LONGEST_CASE}", seconds)
    if mib is not None and mib <= 0:
        raise _wrong_option("--memory-limit", "mebibytes", mib)
    return Limits.for_machine(seconds, mib << 20 if mib else None)


def _kept_bytes(config: pytest.Config) -> int:
    mib: int = config.getoption("keep_outputs")
    if mib < 0:
        raise _wrong_option("--keep-outputs", "mebibytes", mib)
    return mib << 20


def _wrong_option(option: str, unit: str, found: float) -> ConformanceError:
    return ConformanceError(
        f"{option} is not usable",
        expected=f"a number of {unit}, not negative; of time and memory more than 0",
        found=f"{found:g}",
        fix=f"correct the value after {option}",
    )
