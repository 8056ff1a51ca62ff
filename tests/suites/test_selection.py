"""A run of selected checks, or one that was cut short, replaces no finished report."""

from __future__ import annotations

import html
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import tiny_submission
from tests.suites.conftest import SUITES, Run, Runner
from tests.suites.test_runs import FAILED, edit, strict_tolerance

DELTA = "test_metrics.py::test_delta_within_tolerance[tiny/half/top1]"
SELECTIONS = {
    "keyword": ["-k", "half-onnx"],
    "keyword-distributed": ["-k", "half-onnx", "-n", "2"],
    "deselected": ["--deselect", DELTA],
    "test-id": [f"{SUITES}/{DELTA}"],
    "file": [f"{SUITES}/test_metrics.py"],
}
FORMS = ("report.json", "report.html", "report.md", "junit.xml")


def finished(reports: Path) -> dict[str, bytes]:
    return {name: (reports / "tiny" / name).read_bytes() for name in FORMS}


@pytest.mark.parametrize("options", SELECTIONS.values(), ids=SELECTIONS)
def test_selection_has_its_own_folder_and_says_so_first(
    judged: Run, judge_folders: Runner, tiny: Path, options: list[str]
) -> None:
    before = finished(judged.reports)
    run = judge_folders(tiny, options=options)
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


@pytest.mark.parametrize("options", [["-k", "test_model_opens"], ["--deselect", DELTA]])
def test_a_selection_takes_no_measurement_out_of_the_tables(
    judged: Run, judge_folders: Runner, tiny: Path, options: list[str]
) -> None:
    whole = judged.report()
    run = judge_folders(tiny, options=options)
    selected = json.loads((run.reports / "tiny" / "selected" / "report.json").read_text("utf-8"))
    assert whole["samples"][0]["metrics"]
    assert (selected["models"], selected["samples"]) == (whole["models"], whole["samples"])


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
    judged: Run, judge_folders: Runner, tiny: Path, options: list[str], said: str
) -> None:
    before = finished(judged.reports)
    run = judge_folders(tiny, options=options)
    assert run.code == 2, run.output
    assert said in run.output
    assert "Traceback" not in run.output
    assert finished(run.reports) == before
    assert not (run.reports / "tiny" / "selected").exists()


def test_last_failed_is_a_selection(judge_folders: Runner, tiny: Path, tmp_path: Path) -> None:
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
    judged: Run, judge_folders: Runner, tiny: Path, options: list[str]
) -> None:
    before = finished(judged.reports)
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


# --- one finding again


@pytest.fixture
def odd(tmp_path: Path, tiny: Path) -> Path:
    """A failing submission in a folder whose name a shell would take apart."""
    return Path(shutil.copytree(edit(tiny, strict_tolerance), tmp_path / "it's $my `sub`"))


def typed(tmp_path: Path, line: str, **environment: str) -> Run:
    """Run a line in a shell, in an empty folder."""
    empty = tmp_path / "empty"
    shutil.rmtree(empty, ignore_errors=True)
    empty.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["sh", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=empty,
        env={**os.environ, "PATH": path, **environment},
    )
    return Run(ended.returncode, ended.stdout + ended.stderr, empty / "reports")


def test_the_printed_command_repeats_the_finding_from_any_folder(
    judge_folders: Runner, odd: Path, tmp_path: Path, evidence_folder: Path
) -> None:
    run = judge_folders(odd)
    folder = run.reports / "tiny"
    text = {name: (folder / name).read_text(encoding="utf-8") for name in FORMS}
    page = re.findall(r"<dt>To repeat</dt><dd><code>(.*)</code>", text["report.html"])
    printed = [
        *re.findall(r"^(?:E +)?  to repeat (.*)", run.output, re.MULTILINE),
        *re.findall(r"- To repeat: `+ ?(.*?) ?`+$", text["report.md"], re.MULTILINE),
        *map(html.unescape, page),
    ]
    assert len(printed) == 3 * len(FAILED)
    assert len(page) == len(FAILED)
    assert {each.count(" --only ") for each in printed[:2]} == {1}
    both = f"{printed[0]} --only {printed[1].rpartition(' ')[2]}"
    for line in dict.fromkeys([*printed, both]):
        again = typed(tmp_path, line, NNR_CONFORMANCE_CACHE=str(evidence_folder))
        assert again.code == 1, again.output
        report = json.loads((again.reports / "tiny" / "selected" / "report.json").read_bytes())
        asked = dict.fromkeys(re.findall(r"--only (\S+)", line))
        made = [f for f in report["findings"] if f["verdict"] != "not-run"]
        assert {f"{f['check']}:{f['subject']}" for f in made} == set(asked)
        assert made == [
            f
            for f in run.report()["findings"]
            if f["verdict"] != "pass"
            if f"{f['check']}:{f['subject']}" in asked
        ]
        assert report["selected"] == len(asked)
        assert [path.name for path in (again.reports / "tiny").iterdir()] == ["selected"]
    assert all(f"to repeat {line}" in html.unescape(text["junit.xml"]) for line in printed[:2])


def test_pytest_takes_the_test_of_a_finding(
    judge_folders: Runner, odd: Path, tmp_path: Path, evidence_folder: Path
) -> None:
    failed = [f for f in judge_folders(odd).report()["findings"] if f["verdict"] == "fail"]
    words = ["pytest", "-p", "no:cacheprovider", "--pyargs", failed[0]["test"]]
    words += [f"--submission={odd}", f"--evidence={evidence_folder}"]
    again = typed(tmp_path, shlex.join(words))
    assert again.code == 1, again.output
    report = json.loads((again.reports / "tiny" / "selected" / "report.json").read_bytes())
    assert [f for f in report["findings"] if f["verdict"] != "not-run"] == failed[:1]


def test_only_works_with_several_workers_and_several_submissions(
    judge_folders: Runner, tiny: Path, tmp_path: Path
) -> None:
    twin = Path(shutil.copytree(tiny, tmp_path / "twin"))
    options = ["--only-finding=SAMPLE-DECODE-001:tiny/half", "-n", "2"]
    run = judge_folders(tiny, twin, options=options)
    assert run.code == 3, run.output
    for name in ("tiny", "twin"):
        report = json.loads((run.reports / name / "selected" / "report.json").read_bytes())
        assert (report["selected"], report["summary"]["pass"]) == (1, 1)


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("SAMPLE-DECODE-01:tiny/half", ["'SAMPLE-DECODE-01' is not the id", "SAMPLE-DECODE-001"]),
        ("SAMPLE-DECODE-001:tiny/hafl", ["no subject 'tiny/hafl'", "tiny/half, tiny/half-onnx"]),
        ("SAMPLE-DECODE-001", ["needs a subject"]),
    ],
)
def test_unknown_finding_exits_with_2_and_names_the_nearest(
    tiny: Path, tmp_path: Path, only: str, said: list[str]
) -> None:
    run = typed(tmp_path, shlex.join(["nnr-conformance", "run", str(tiny), "--only", only]))
    assert run.code == 2
    assert all(each in run.output for each in said), run.output
    assert "Traceback" not in run.output
    assert not run.reports.exists()
