"""The exit code of a run, from pytest's and those of the reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from conformance.verdicts import ExitCode

WORST_FIRST = (
    ExitCode.INTERNAL,
    ExitCode.USAGE,
    ExitCode.FAIL,
    ExitCode.INCOMPLETE,
    ExitCode.PASS,
)
ENDED_EARLY = (
    pytest.ExitCode.INTERRUPTED,
    pytest.ExitCode.INTERNAL_ERROR,
    pytest.ExitCode.USAGE_ERROR,
)
_OF_NOTHING: Mapping[int, int] = {
    pytest.ExitCode.USAGE_ERROR: ExitCode.USAGE,
    pytest.ExitCode.NO_TESTS_COLLECTED: ExitCode.USAGE,
    pytest.ExitCode.INTERNAL_ERROR: ExitCode.INTERNAL,
    pytest.ExitCode.TESTS_FAILED: ExitCode.FAIL,
}


def code_of_nothing(exitstatus: int) -> int:
    """Return the exit code of a run that ended before the first check, by pytest's."""
    return _OF_NOTHING.get(exitstatus, ExitCode.INCOMPLETE)


def code_of_run(exitstatus: int, reports: Iterable[int], *, failed: int, refused: int) -> int:
    """Return the exit code of a run by pytest's and those of the ``reports``: the most severe.

    ``failed`` checks of pytest's must not be more than those whose findings refuse a submission:
    the two disagree then, which is a defect and never a pass.
    """
    codes = list(reports)
    if exitstatus == pytest.ExitCode.INTERNAL_ERROR or failed > refused:
        codes.append(ExitCode.INTERNAL)
    if exitstatus == pytest.ExitCode.USAGE_ERROR:
        codes.append(ExitCode.USAGE)
    if exitstatus == pytest.ExitCode.TESTS_FAILED and set(codes) == {ExitCode.PASS}:
        # Other tests that ran next to the suites have failed.
        codes.append(ExitCode.FAIL)
    return min(codes, key=WORST_FIRST.index)
