"""The pytest plug-in: options, and the run over submissions if any is named.

Registered as a ``pytest11`` entry point, so that it is loaded with every pytest run of its
environment: it imports nothing but pytest until a submission is named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

SUITES = Path(__file__).parents[1]


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
        "--only-finding",
        action="append",
        default=[],
        metavar="CHECK:SUBJECT",
        help="make this finding alone; may be given several times (nnr-conformance run: --only)",
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
        help="JSON list of findings that are accepted: check, subject, value, reason, link",
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
    group.addoption(
        "--keep-outputs",
        type=int,
        default=64,
        metavar="MIB",
        help="outputs of one run of a network that are kept, so that another metric needs no other "
        "run (default: 64)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser) -> None:
    """Refuse a run that would take code or settings from a submission.

    This is the first that pytest asks a plug-in: settings were read, ``conftest.py`` was not.
    """
    folders: list[Path] = early_config.known_args_namespace.submission
    if not folders:
        return
    from conformance.pytest_run.doorway import keep_cache_outside, refusal

    if text := refusal(early_config, folders):
        sys.stderr.write(f"error: {text}\n")
        raise SystemExit(2)
    keep_cache_outside(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Take up the run if submissions are named."""
    folders: list[Path] = config.getoption("submission")
    if not folders:
        return
    from conformance.pytest_run.doorway import keep_root
    from conformance.pytest_run.run import PytestRun

    keep_root(config)
    config.pluginmanager.register(PytestRun.of(config, folders), "nnr-conformance-run")


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Translate the code of a run that broke down before it could set its own."""
    try:
        code = yield
    except pytest.UsageError as error:
        if not config.getoption("submission"):
            raise
        for line in error.args:
            print(f"ERROR: {line}", file=sys.stderr)  # noqa: T201 - as pytest itself does
        return 2
    outcome = config.pluginmanager.get_plugin("nnr-conformance-outcome")
    if not config.getoption("submission") or (outcome is not None and outcome.finished):
        return code
    usage, internal = 2, 4
    return {pytest.ExitCode.USAGE_ERROR: usage, pytest.ExitCode.INTERNAL_ERROR: internal}.get(
        code, code
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse to run the suites on nothing: no submission is not a passed submission."""
    if any(map(_is_suite, items)) and not config.getoption("submission"):
        pytest.exit(
            f"no submission to judge: give a folder, as in `pytest {os.path.relpath(SUITES)} "
            "--submission=DIR`",
            returncode=2,
        )


def _is_suite(item: pytest.Item) -> bool:
    return item.path.parent == SUITES
