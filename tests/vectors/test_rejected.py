"""Every rejected submission, through the whole pipeline: its finding, and no other."""

import json
import os
import subprocess
import sys
from pathlib import Path

import json_edit
import mutate
import pytest

from conformance.checks import CHECKS

REJECTED = mutate.VECTORS / "rejected"
CASES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(REJECTED.glob("*.json"))}
UNREADABLE = 2
SILENT = {"pass", "not-run", "waived"}


def run(folders, out, cache):
    return subprocess.run(
        [
            *(sys.executable, "-m", "conformance", "run", *map(str, folders)),
            *("--report", str(out)),
        ],
        env={**os.environ, "NNR_CONFORMANCE_CACHE": str(cache)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("rejected")
    for name, case in CASES.items():
        mutate.write_rejected(case, root / name)
    return root


@pytest.fixture(scope="session")
def reports(folders, tmp_path_factory):
    """One run over all readable submissions; they share a base, and so most evidence."""
    out = tmp_path_factory.mktemp("reports")
    readable = [name for name, case in CASES.items() if case["exit_code"] != UNREADABLE]
    done = run([folders / name for name in readable], out, tmp_path_factory.mktemp("cache"))
    assert done.returncode == 1, done.stderr
    return {name: json.loads((out / name / "report.json").read_text("utf-8")) for name in readable}


def selected(unreadable):
    return [n for n, case in CASES.items() if (case["exit_code"] == UNREADABLE) is unreadable]


@pytest.mark.parametrize("name", selected(unreadable=False))
def test_the_one_defect_is_found_and_no_other(name, folders, reports):
    report, wanted = reports[name], CASES[name]["expect"]
    loud = [finding for finding in report["findings"] if finding["verdict"] not in SILENT]
    assert [(f["check"], f["verdict"]) for f in loud] == [(wanted["check"], wanted["verdict"])]
    (finding,) = loud
    # In a run of several submissions, folders tell apart those that share an id.
    assert finding["subject"].split("/")[1:] == wanted["subject"].split("/")[1:]
    assert_says(finding, wanted, metadata_of(folders / name))
    assert report["exit_code"] == CASES[name]["exit_code"]


@pytest.mark.parametrize("name", selected(unreadable=True))
def test_what_cannot_be_read_ends_with_a_readable_error(name, folders, tmp_path):
    done = run([folders / name], tmp_path / "reports", tmp_path / "cache")
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
    assert required == {case["expect"]["check"] for case in CASES.values()}


def assert_says(finding, wanted, document):
    where = dict(wanted.get("where", {}))
    if "pointer" in where:
        where["pointer"] = json_edit.to_plain_pointer(document, where["pointer"])
    found = finding["where"] or {}
    assert {key: found.get(key) for key in where} == where
    text = " ".join(finding[key] for key in ("message", "expected", "found"))
    assert [part for part in wanted["message_contains"] if part not in text] == []
    assert finding["mend"]


def metadata_of(folder: Path):
    return json.loads((folder / mutate.METADATA).read_text("utf-8"))
