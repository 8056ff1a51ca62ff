"""A run: the submissions it is about, what was planned, and the findings so far.

The process that writes the reports holds one :class:`Run`. With pytest-xdist every worker holds one
as well, but only hands its findings over.
"""

from __future__ import annotations

import datetime
import itertools
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from conformance.checks import CHECKS, Check
from conformance.judging.waivers import Waiver, apply_waivers
from conformance.plan.subjects import Subject, subjects
from conformance.submission import Loaded
from conformance.verdicts import Finding, Json, Verdict

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Planned:
    """One check about one subject: one test item."""

    check: Check
    subject: Subject

    @property
    def test(self) -> str:
        """Return the end of the item's node id, which is the same wherever the package lies."""
        return f"{self.check.module}.py::{self.check.test}[{self.subject.label}]"

    @property
    def test_alone(self) -> str:
        """Return the test as ``pytest --pyargs`` takes it when its submission is judged alone."""
        return f"conformance.{self.check.module}::{self.check.test}[{self.subject.alone.label}]"


def test_of(nodeid: str) -> str:
    """Return a node id of pytest without the folder of its file, as :attr:`Planned.test` has it.

    The folder is another on every machine.
    """
    file, _, test = nodeid.partition("::")
    return f"{file.rpartition('/')[2]}::{test}"


@dataclass(slots=True)
class Target:
    """One submission of a run, and all that becomes known about it."""

    name: str
    loaded: Loaded
    planned: tuple[Planned, ...]
    left_out: frozenset[str] = frozenset()
    """Tests that this run was not asked for: the user selected others."""
    findings: dict[str, tuple[Finding, ...]] = field(default_factory=dict)
    costs: dict[str, Mapping[str, float]] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.time)

    @property
    def unreadable(self) -> bool:
        """Whether nothing could be said about the submission, because it could not be read."""
        return any(problem.check == "SUBMISSION-READ-001" for problem in self.loaded.problems)

    def record(self, test: str, findings: Iterable[Finding]) -> None:
        """Keep the findings of one test item; none that is there already is ever lost."""
        self.findings[test] = (*self.findings.get(test, ()), *findings)

    def reported(self, waivers: Iterable[Waiver]) -> Iterator[tuple[Planned, Finding]]:
        """Yield every planned check with its findings; what has none was not run.

        A check that was left out cannot be waived: nobody knows what it would have found.
        """
        waivers = tuple(waivers)
        for planned in self.planned:
            found = self.findings.get(planned.test)
            findings = apply_waivers(found, waivers) if found else [self._not_run(planned)]
            for finding in findings:
                yield planned, finding

    def select(self, tests: Set[str]) -> bool:
        """Keep in mind which planned tests were collected; return whether any was."""
        planned = frozenset(planned.test for planned in self.planned)
        self.left_out = planned - tests
        return self.left_out != planned

    @property
    def selected(self) -> int | None:
        """How many checks the user selected; None if all are to be run."""
        return len(self.planned) - len(self.left_out) if self.left_out else None

    def _not_run(self, planned: Planned) -> Finding:
        left_out = planned.test in self.left_out
        return Finding(
            check=planned.check.id,
            subject=planned.subject.id,
            verdict=Verdict.NOT_RUN,
            clause=planned.check.clause,
            message="this check was not selected for this run"
            if left_out
            else "this check was not run: the run ended before it",
            expected="every planned check is run",
            found="no evidence",
            fix="run all checks, without a selection" if left_out else "run all checks to the end",
        )

    def timing(self) -> dict[str, Json]:
        """Return the timing block of the report.

        ``run_again`` are the runs of networks that had been
        done before, and whose outputs were too large to be kept.
        """
        now = time.time()
        return {
            "started": _iso(self.started),
            "finished": _iso(now),
            "seconds": round(now - self.started, 3),
            "cases": {name: dict(cost) for name, cost in sorted(self.costs.items())},
            **({"run_again": sorted(set(self.repeated))} if self.repeated else {}),
        }


def targets_of(submissions: Sequence[Loaded]) -> tuple[Target, ...]:
    """Return a target for each submission.

    It is named by its id; by its folder where two submissions share an id, or where the id is none:
    reports are written to a folder of this name, so that it must not lead anywhere else. The ids of
    its subjects, by which waivers name them, do not depend on what else is judged in the run.
    """
    ids = Counter(loaded.id for loaded in submissions)
    wanted = [_own_name(s) if ids[s.id] == 1 else _folder_name(s) for s in submissions]
    return tuple(
        Target(name, loaded, tuple(_plan(loaded, name)))
        for name, loaded in zip(_distinct(wanted), submissions, strict=True)
    )


def _own_name(loaded: Loaded) -> str:
    return loaded.id if _ID.fullmatch(loaded.id) else _folder_name(loaded)


def _folder_name(loaded: Loaded) -> str:
    return loaded.root.resolve().name or "submission"


def _distinct(wanted: Iterable[str]) -> list[str]:
    """Return the names with a number where one was taken before: ``a``, ``b``, ``a-2``."""
    names: list[str] = []
    for name in wanted:
        free = (f"{name}-{number}" for number in itertools.count(2))
        names.append(name if name not in names else next(n for n in free if n not in names))
    return names


def _plan(loaded: Loaded, name: str) -> Iterator[Planned]:
    """Yield every check of every subject; one that only gives advice, where it has some."""
    listed = subjects(_own_name(loaded), loaded.submission)
    advised = {finding.check for finding in loaded.advice}
    for check in CHECKS:
        over = "submission" if check.over == "advised" and check.id in advised else check.over
        for subject in listed.get(over, ()):
            yield Planned(check, subject.among(name))


def _iso(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, tz=datetime.UTC)
    return moment.isoformat(timespec="seconds")
