"""The exit code of a run."""

from __future__ import annotations

import itertools

import pytest

from conformance.pytest_run.exit_code import ENDED_EARLY, WORST_FIRST, code_of_nothing, code_of_run
from conformance.verdicts import ExitCode

OK, FAILED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED
PASS, FAIL, USAGE, INCOMPLETE, INTERNAL = range(5)


def code(exitstatus: int, *reports: int, failed: int = 0, refused: int = 0) -> int:
    return code_of_run(exitstatus, reports, failed=failed, refused=refused)


@pytest.mark.parametrize(
    "worse", [*itertools.combinations([INTERNAL, USAGE, FAIL, INCOMPLETE, PASS], 2)]
)
def test_of_several_submissions_the_most_severe_counts(worse: tuple[int, int]) -> None:
    assert code(OK, *worse) == code(OK, *reversed(worse)) == worse[0]


def test_codes_are_those_that_the_documents_promise() -> None:
    assert WORST_FIRST == (INTERNAL, USAGE, FAIL, INCOMPLETE, PASS)
    assert (ExitCode.PASS, ExitCode.FAIL, ExitCode.INCOMPLETE) == (PASS, FAIL, INCOMPLETE)


@pytest.mark.parametrize("report", [PASS, FAIL, USAGE, INCOMPLETE, INTERNAL])
def test_code_of_one_report_is_that_of_the_run(report: int) -> None:
    assert code(OK, report) == report


@pytest.mark.parametrize("report", [PASS, FAIL, USAGE, INCOMPLETE])
def test_more_failures_than_refusing_checks_are_a_defect(report: int) -> None:
    assert code(FAILED, report, failed=1, refused=0) == INTERNAL
    assert code(FAILED, report, failed=3, refused=2) == INTERNAL
    assert code(OK, report, failed=2, refused=2) == report
    assert code(OK, report, failed=1, refused=2) == report


def test_what_ended_pytest_is_never_hidden() -> None:
    assert code(pytest.ExitCode.INTERNAL_ERROR, PASS) == INTERNAL
    assert (
        code(pytest.ExitCode.USAGE_ERROR, PASS) == code(pytest.ExitCode.USAGE_ERROR, FAIL) == USAGE
    )
    assert code(pytest.ExitCode.INTERRUPTED, INCOMPLETE) == INCOMPLETE
    assert set(ENDED_EARLY) == {
        pytest.ExitCode.INTERRUPTED,
        pytest.ExitCode.INTERNAL_ERROR,
        pytest.ExitCode.USAGE_ERROR,
    }


@pytest.mark.parametrize(
    "status", [pytest.ExitCode.INTERRUPTED, pytest.ExitCode.NO_TESTS_COLLECTED]
)
def test_other_endings_leave_what_the_reports_say(status: int) -> None:
    assert [code(status, each) for each in (PASS, FAIL, INCOMPLETE)] == [PASS, FAIL, INCOMPLETE]


def test_other_tests_that_fail_spoil_a_pass_and_nothing_else() -> None:
    assert code(FAILED, PASS) == code(FAILED, PASS, PASS) == FAIL
    assert code(FAILED, INCOMPLETE) == code(FAILED, PASS, INCOMPLETE) == INCOMPLETE
    assert code(FAILED, USAGE) == USAGE
    assert code(OK, PASS) == PASS


@pytest.mark.parametrize(
    ("exitstatus", "expected"),
    [
        (OK, INCOMPLETE),
        (FAILED, FAIL),
        (pytest.ExitCode.INTERRUPTED, INCOMPLETE),
        (pytest.ExitCode.INTERNAL_ERROR, INTERNAL),
        (pytest.ExitCode.USAGE_ERROR, USAGE),
        (pytest.ExitCode.NO_TESTS_COLLECTED, USAGE),
        (99, INCOMPLETE),
    ],
)
def test_run_without_a_check_never_passes(exitstatus: int, expected: int) -> None:
    assert code_of_nothing(exitstatus) == expected
