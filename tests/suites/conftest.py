"""Whole runs of the suites, each in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.forking import run_module

SUITES = Path(__file__).parents[2] / "conformance"


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: its exit code, what it printed, and where its reports are."""

    code: int
    output: str
    reports: Path

    def report(self, name: str = "tiny") -> dict[str, Any]:
        return json.loads((self.reports / name / "report.json").read_text(encoding="utf-8"))

    def verdicts(self, name: str = "tiny") -> dict[str, str]:
        """Return the verdict of every finding that is not a pass, by check and subject."""
        return {
            f"{finding['check']} {finding['subject']}": finding["verdict"]
            for finding in self.report(name)["findings"]
            if finding["verdict"] != "pass"
        }


Runner = Callable[..., Run]


@pytest.fixture(scope="session")
def evidence_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One evidence store for all runs, so that each computes only what is new."""
    return tmp_path_factory.mktemp("evidence")


def judge(
    reports: Path, evidence: Path, folders: Sequence[Path], *options: str, **environment: str
) -> Run:
    """Judge folders in the folder of ``reports``; with a test's id, that instead of the suites."""
    tests = [] if options and options[0].startswith(str(SUITES)) else [str(SUITES)]
    ended = run_module(
        *("pytest", *tests, "-p", "no:cacheprovider"),
        *(option for folder in folders for option in ("--submission", str(folder))),
        *("--report", str(reports), "--evidence", str(evidence)),
        *options,
        cwd=reports.parent,
        env={**os.environ, **environment},
    )
    return Run(ended.returncode, ended.stdout + ended.stderr, reports)


@pytest.fixture
def judge_folders(tmp_path: Path, evidence_folder: Path) -> Runner:
    def run(*folders: Path, options: Sequence[str] = (), **environment: str) -> Run:
        return judge(tmp_path / "reports", evidence_folder, folders, *options, **environment)

    return run


@pytest.fixture(scope="session")
def _judged_once(
    _tiny_once: Path, evidence_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    return judge(tmp_path_factory.mktemp("judged") / "reports", evidence_folder, [_tiny_once])


@pytest.fixture
def judged(_judged_once: Run, tmp_path: Path) -> Run:
    """A run over the tiny submission as it is, with a copy of its reports for each test."""
    folder = shutil.copytree(_judged_once.reports, tmp_path / "reports")
    return Run(_judged_once.code, _judged_once.output, Path(folder))
