"""What the documentation says to type, typed in a folder of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.forking import run_module


def environment(folder: Path) -> dict[str, str]:
    """Return variables of a user: this installation first, 80 columns, evidence in ``folder``."""
    ours = {k: v for k, v in os.environ.items() if k != "GITHUB_STEP_SUMMARY"}
    return {
        **ours,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{ours.get('PATH', '')}",
        "COLUMNS": "80",
        "NNR_CONFORMANCE_CACHE": str(folder / "evidence"),
    }


def type_in(arguments: list[str], folder: Path, python: str = sys.executable) -> str:
    """Run ``nnr-conformance`` and return the exit code and all it printed, as one text."""
    if python == sys.executable:
        return _ended(run_module("conformance", *arguments, cwd=folder, env=environment(folder)))
    return _ended(
        subprocess.run(
            [python, "-m", "conformance", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=environment(folder),
        )
    )


def type_in_shell(line: str, folder: Path) -> str:
    """Run a line of bash and return the exit code and all it printed, as one text."""
    return _ended(
        subprocess.run(
            ["bash", "-c", line],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=environment(folder),
        )
    )


def run_python(code: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )


def _ended(process: subprocess.CompletedProcess[str]) -> str:
    return f"{process.stdout}{process.stderr}\nexit code {process.returncode}"
