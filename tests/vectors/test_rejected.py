"""Every rejected copy of ``digits-cnn``, through the whole pipeline: its finding, and no other."""

import mutate
import pytest

from conformance.checks import CHECKS
from conformance.report import FORMATS, write_reports
from tests.vectors.rejection import (
    CASES,
    UNREADABLE,
    assert_only_the_defect,
    judged,
    readable,
    run,
)

BASE = "digits-cnn"
OF_CODECS = {
    *("UPDATE-BASE-001", "UPDATE-MERGE-001", "LAYER-RUN-001", "INFERENCE-COMPRESSED-001"),
}
"""Checks that only a codec or a runtime can break; the tests of the suites see them fail."""


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    return judged(BASE, tmp_path_factory)


@pytest.mark.parametrize("name", readable(BASE))
def test_the_one_defect_is_found_and_no_other(name, reports):
    assert_only_the_defect(name, *reports)


def test_one_report_for_each_check_is_written_in_every_form(reports, tmp_path):
    _, found = reports
    for name in {CASES[name]["expect"]["check"]: name for name in found}.values():
        paths = write_reports(found[name], tmp_path / name)
        assert all(name in paths[form].read_text("utf-8") for form in FORMATS)


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c["exit_code"] == UNREADABLE])
def test_what_cannot_be_read_ends_with_a_readable_error(name, tmp_path):
    mutate.write_rejected(CASES[name], tmp_path / name)
    done = run([tmp_path / name], tmp_path / "reports", tmp_path / "cache")
    assert done.returncode == UNREADABLE
    shown = done.stdout + done.stderr
    assert "Traceback" not in shown
    wanted = CASES[name]["expect"]
    for text in (*wanted["where"].values(), *wanted["message_contains"]):
        assert str(text) in shown


@pytest.mark.parametrize("name", CASES)
def test_a_case_says_what_it_is_about(name):
    case = CASES[name]
    assert case.keys() == {"description", "base", "mutations", "expect", "exit_code"}
    assert case["description"].endswith(".")
    assert {mutation["op"] for mutation in case["mutations"]} <= mutate.OPERATIONS.keys()
    assert case["expect"].keys() >= {"check", "subject", "verdict", "message_contains"}


def test_every_check_has_a_submission_that_it_rejects():
    required = {check.id for check in CHECKS if check.required}
    assert required - OF_CODECS == {case["expect"]["check"] for case in CASES.values()}
