"""Rejected submissions: how they are run, and whether a report says what a case expects."""

import json
import os
import subprocess
import sys
from pathlib import Path

import json_edit
import mutate

REJECTED = mutate.VECTORS / "rejected"
CASES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(REJECTED.glob("*.json"))}
UNREADABLE = 2
SILENT = {"pass", "not-run", "waived"}


def readable(base):
    """The names of the cases that are a copy of ``base`` and get as far as a report."""
    return [n for n, c in CASES.items() if c["base"] == base and c["exit_code"] != UNREADABLE]


def run(folders, out, cache):
    command = [sys.executable, "-m", "tests.vectors.judging", "run", *map(str, folders)]
    return subprocess.run(
        [*command, "--report", str(out)],
        cwd=mutate.VECTORS.parent,
        env={**os.environ, "NNR_CONFORMANCE_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )


def judged(base, tmp_path_factory):
    """Folders and reports of one run over all cases of ``base``: they share most evidence."""
    root, out = tmp_path_factory.mktemp("rejected"), tmp_path_factory.mktemp("reports")
    names = readable(base)
    for name in names:
        mutate.write_rejected(CASES[name], root / name)
    done = run([root / name for name in names], out, tmp_path_factory.mktemp("cache"))
    assert done.returncode == 1, done.stderr
    return root, {n: json.loads((out / n / "report.json").read_text("utf-8")) for n in names}


def assert_only_the_defect(name, root, reports):
    report, wanted = reports[name], CASES[name]["expect"]
    loud = [finding for finding in report["findings"] if finding["verdict"] not in SILENT]
    assert [(f["check"], f["verdict"]) for f in loud] == [(wanted["check"], wanted["verdict"])]
    (finding,) = loud
    assert finding["subject"] == wanted["subject"]
    assert_says(finding, wanted, metadata_of(root / name))
    assert report["exit_code"] == CASES[name]["exit_code"]


def assert_says(finding, wanted, document):
    where = dict(wanted.get("where", {}))
    if "pointer" in where:
        where["pointer"] = json_edit.to_plain_pointer(document, where["pointer"])
    found = finding["where"] or {}
    assert {key: found.get(key) for key in where} == where
    text = " ".join(finding[key] for key in ("message", "expected", "found"))
    assert [part for part in wanted["message_contains"] if part not in text] == []
    assert finding["fix"]


def metadata_of(folder: Path):
    return json.loads((folder / mutate.METADATA).read_text("utf-8"))
