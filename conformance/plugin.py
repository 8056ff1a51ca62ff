"""The pytest plug-in: options, and the run over submissions if any is named.

Registered as a ``pytest11`` entry point, so that it is loaded with every pytest run of its
environment: it imports nothing but pytest until a submission is named.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a conformance run."""
    group = parser.getgroup("conformance", "conformance of compressed neural networks")
    group.addoption(
        "--submission",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="submission folder to judge; may be given several times",
    )
    group.addoption(
        "--report",
        default=Path("reports"),
        type=Path,
        metavar="DIR",
        help="where reports go, one folder a submission (default: reports)",
    )
    group.addoption(
        "--waivers",
        type=Path,
        metavar="FILE",
        help="JSON list of findings that are accepted: check, subject, reason, link",
    )
    group.addoption(
        "--evidence",
        type=Path,
        metavar="DIR",
        help="evidence store (default: $NNR_CONFORMANCE_CACHE, else the user's cache folder)",
    )
    group.addoption(
        "--no-cache",
        action="store_true",
        help="compute all evidence anew instead of reusing what the store holds",
    )
    group.addoption(
        "--case-timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="wall-clock and CPU time one case may take (default: 600)",
    )
    group.addoption(
        "--memory-limit",
        type=int,
        metavar="MIB",
        help="address space of an evaluation worker (default: three quarters of the memory)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Take up the run if submissions are named."""
    folders: list[Path] = config.getoption("submission")
    if not folders:
        return
    from conformance.session.pytest_run import PytestRun

    config.pluginmanager.register(PytestRun.of(config, folders), "nnr-conformance-run")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Refuse to run the suites on nothing: no submission is not a passed submission."""
    suites = Path(__file__).parent
    if metafunc.definition.path.parent == suites and not metafunc.config.getoption("submission"):
        pytest.exit(
            f"no submission to judge: give a folder, as in `pytest {os.path.relpath(suites)} "
            "--submission DIR`",
            returncode=2,
        )
