"""A run of selected checks, or one that was cut short, replaces no finished report."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests import tiny_submission
from tests.suites.conftest import SUITES, Run, Runner
from tests.suites.test_runs import edit, strict_tolerance

DELTA = "test_metrics.py::test_delta_within_tolerance[tiny/half/top1]"
SELECTIONS = {
    "keyword": ["-k", "half-onnx"],
    "keyword-distributed": ["-k", "half-onnx", "-n", "2"],
    "deselected": ["--deselect", f"conformance/{DELTA}"],
    "test-id": [f"{SUITES}/{DELTA}"],
    "file": [f"{SUITES}/test_metrics.py"],
}
FORMS = ("report.json", "report.html", "report.md", "junit.xml")


def finished(reports: Path) -> dict[str, bytes]:
    return {name: (reports / "tiny" / name).read_bytes() for name in FORMS}


def selected(command, tiny: Path, tmp_path: Path, options: list[str]) -> Run:
    """Run the selection; a test's id stands in the place of the suites."""
    arguments = command([tiny], *options)
    if options[0].startswith(str(SUITES)):
        arguments.remove(str(SUITES))
    ended = subprocess.run(
        arguments, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
    )
    return Run(ended.returncode, ended.stdout + ended.stderr, tmp_path / "reports")


@pytest.mark.parametrize("options", SELECTIONS.values(), ids=SELECTIONS)
def test_selection_has_its_own_folder_and_says_so_first(
    command, judge_folders: Runner, tiny: Path, tmp_path: Path, options: list[str]
) -> None:
    before = finished(judge_folders(tiny).reports)
    run = selected(command, tiny, tmp_path, options)
    assert run.code == 3, run.output
    assert finished(run.reports) == before
    folder = run.reports / "tiny" / "selected"
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    judged = report["summary"]["planned"] - report["summary"]["not-run"]
    assert report["selected"] == judged > 0
    assert (report["verdict"], report["complete"]) == ("incomplete", True)
    said = f"Selected checks only: {judged} of {report['summary']['planned']}"
    assert said in (folder / "report.md").read_text(encoding="utf-8").splitlines()[0]
    body = (folder / "report.html").read_text(encoding="utf-8").partition("<body>")[2]
    assert said in body.partition("<h1>")[0]
    assert f"tiny: INCOMPLETE (selected: {judged} of " in run.output
    assert str(folder / "report.html") in run.output


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["-k", "nothing_like_this"], "the selection matches no check"),
        (["-k", "nothing_like_this", "-n", "2"], "the selection matches no check"),
        (["-m", "nothing_like_this"], "the selection matches no check"),
        ([f"{SUITES}/{DELTA}".replace("top1", "top2")], "not found"),
        ([f"{SUITES}/{DELTA}".replace("top1", "top2"), "-n", "2"], "matches no check"),
    ],
    ids=["keyword", "keyword-distributed", "marker", "test-id", "test-id-distributed"],
)
def test_selection_of_nothing_exits_with_2_and_writes_nothing(
    command, judge_folders: Runner, tiny: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    before = finished(judge_folders(tiny).reports)
    run = selected(command, tiny, tmp_path, options)
    assert run.code == 2, run.output
    assert said in run.output
    assert "Traceback" not in run.output
    assert finished(run.reports) == before
    assert not (run.reports / "tiny" / "selected").exists()


def test_last_failed_is_a_selection(command, judge_folders: Runner, tiny: Path, tmp_path) -> None:
    cache = ["-p", "cacheprovider", "-o", f"cache_dir={tmp_path / 'cache'}"]
    edit(tiny, strict_tolerance)
    before = finished(judge_folders(tiny, options=cache).reports)
    run = judge_folders(tiny, options=[*cache, "--lf"])
    assert run.code == 1
    assert finished(run.reports) == before
    report = json.loads((run.reports / "tiny" / "selected" / "report.json").read_bytes())
    assert (report["selected"], report["summary"]["fail"]) == (2, 2)


def test_only_submissions_of_the_selection_get_a_report(
    judge_folders: Runner, tiny: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    tiny_submission.write(other)
    edit(other, lambda metadata: metadata.update(id="other"))
    run = judge_folders(tiny, other, options=["-k", "other"])
    assert not (run.reports / "tiny").exists()
    # All checks of the other one were run: that is no selection.
    assert run.report("other")["selected"] is None
    assert run.code == 0


@pytest.mark.parametrize("options", [["-x"], ["--maxfail", "1", "-n", "2"]])
def test_run_cut_short_does_not_replace_a_finished_report(
    judge_folders: Runner, tiny: Path, options: list[str]
) -> None:
    before = finished(judge_folders(tiny).reports)
    run = judge_folders(edit(tiny, strict_tolerance), options=options)
    assert run.code == 1, run.output
    assert finished(run.reports) == before
    unfinished = run.reports / "tiny" / "unfinished"
    report = json.loads((unfinished / "report.json").read_bytes())
    assert (report["complete"], report["selected"]) == (False, None)
    assert f"not replaced: the finished report in {unfinished.parent}" in run.output

    whole = judge_folders(tiny)
    assert whole.report()["verdict"] == "fail"
    assert not unfinished.exists()
