"""Whole runs of the suites, each in a process of its own as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

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


@pytest.fixture
def command(tmp_path: Path, evidence_folder: Path) -> Callable[..., list[str]]:
    def make(folders: Sequence[Path], *options: str) -> list[str]:
        return [
            *(sys.executable, "-m", "pytest", str(SUITES), "-p", "no:cacheprovider"),
            *(option for folder in folders for option in ("--submission", str(folder))),
            *("--report", str(tmp_path / "reports"), "--evidence", str(evidence_folder)),
            *options,
        ]

    return make


@pytest.fixture
def judge_folders(command: Callable[..., list[str]], tmp_path: Path) -> Runner:
    def run(*folders: Path, options: Sequence[str] = (), **environment: str) -> Run:
        ended = subprocess.run(
            command(folders, *options),
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **environment},
            cwd=tmp_path,
        )
        return Run(ended.returncode, ended.stdout + ended.stderr, tmp_path / "reports")

    return run
