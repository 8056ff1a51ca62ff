"""The plug-in beside other tests, and when something in it or around it breaks down."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from conformance.checks import CHECKS
from conformance.judging.loading import load_targets
from conformance.pytest_run.doorway import keep_root
from conformance.pytest_run.scheduling import scope_of
from tests import tiny_submission
from tests.forking import run_module
from tests.suites.conftest import Run, Runner
from tests.suites.test_runs import edit

OF_TINY = [
    check
    for check in CHECKS
    if check.over not in ("stream", "agreement", "noise", "access", "advised")
    and not check.id.startswith(("UPDATE-", "LAYER-"))
]
"""The checks of the tiny submission: no bitstream, update, layer or random access, one format."""

FOREIGN = """
import pytest

@pytest.fixture
def subject():
    return "my own"

def test_schema(subject):
    assert subject == "my own"

@pytest.mark.parametrize("model", ["a", "b"])
def test_mine(model):
    assert model

def test_failing():
    assert False, "as it should"
"""
"""Tests of somebody else; one has the name of a check, and a fixture that of ours."""


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_module("pytest", "-p", "no:cacheprovider", *arguments, cwd=folder)


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    (tmp_path / "test_foreign.py").write_text(FOREIGN, encoding="utf-8")
    return tmp_path


def test_workers_have_the_root_of_the_run_whatever_it_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pytest finds its root by the arguments that exist: the store does once the run began."""
    (suite := tmp_path / "run" / "suite").mkdir(parents=True)
    (tmp_path / "run" / "pyproject.toml").write_text("[tool.pytest.ini_options]", "utf-8")
    (suite / "pytest.ini").write_text("[pytest]", "utf-8")
    store = tmp_path / "store"
    monkeypatch.chdir(tmp_path / "run")
    arguments = ["suite", "--report", ".", "--evidence", str(store)]
    run = pytest.Config.fromdictargs({}, arguments)
    keep_root(run)
    store.mkdir()
    # As pytest-xdist does.
    worker = pytest.Config.fromdictargs({}, [str(word) for word in run.invocation_params.args])
    assert (worker.rootpath, worker.inipath) == (run.rootpath, run.inipath)
    assert pytest.Config.fromdictargs({}, arguments).rootpath != run.rootpath


def test_other_tests_do_not_notice_the_plugin(foreign: Path) -> None:
    ended = pytest_in(foreign, "-v")
    assert ended.returncode == 1
    assert "1 failed, 3 passed" in ended.stdout
    assert "conformance" not in ended.stdout.split("short test summary")[0].split("plugins:")[0]
    assert (
        list(foreign.iterdir()) == [foreign / "test_foreign.py"]
        or not (foreign / "reports").exists()
    )


def test_options_are_in_the_help_of_pytest(tmp_path: Path) -> None:
    said = pytest_in(tmp_path, "--help").stdout
    for option in ("--submission=DIR", "--report=DIR", "--waivers=FILE", "--evidence=DIR"):
        assert option in said
    for option in ("--no-cache", "--case-timeout=SECONDS", "--memory-limit=MIB"):
        assert option in said


def test_suites_without_a_submission_exit_with_2(tmp_path: Path) -> None:
    suites = Path(__file__).parents[2] / "conformance"
    ended = pytest_in(tmp_path, str(suites))
    assert ended.returncode == 2
    assert "no submission to judge" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stdout + ended.stderr


def test_other_tests_run_beside_the_suites(
    judge_folders: Runner, foreign: Path, tiny: Path
) -> None:
    run = judge_folders(tiny, options=[str(foreign / "test_foreign.py"), "-rp"])
    for test in ("test_schema", "test_mine[a]", "test_mine[b]"):
        assert re.search(rf"PASSED \S*::{re.escape(test)}\n", run.output)
    assert "1 failed" in run.output
    assert run.code != 0
    assert run.report()["verdict"] == "pass"


def test_collecting_lists_the_checks_and_judges_nothing(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(tiny, options=["--collect-only", "-q"])
    listed = [line for line in run.output.splitlines() if "::" in line]
    assert "test_metrics.py::test_delta_within_tolerance[tiny/half/top1]" in run.output
    assert len({line.partition("::")[2].partition("[")[0] for line in listed}) == len(OF_TINY)
    assert "[NOTSET]" not in run.output
    assert "PASS" not in run.output


def test_what_is_counted_as_collected_is_what_is_planned(judged: Run) -> None:
    assert f"collected {judged.report()['summary']['planned']} items\n" in judged.output


def test_checks_come_in_the_order_of_the_catalogue(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(tiny, options=["--collect-only", "-q"])
    tests = [line.partition("::")[2].partition("[")[0] for line in run.output.splitlines()]
    assert list(dict.fromkeys(filter(None, tests))) == [check.test for check in OF_TINY]


def without_lossless(metadata: dict) -> None:
    metadata["samples"] = [s for s in metadata["samples"] if not s["lossless"]]


def test_check_without_a_subject_is_left_out(judge_folders: Runner, tiny: Path) -> None:
    (tiny / "exact.safetensors").unlink()
    run = judge_folders(edit(tiny, without_lossless))
    assert run.code == 0, run.output
    checks = {finding["check"] for finding in run.report()["findings"]}
    left_out = {check.id for check in CHECKS} - checks
    assert {check for check in left_out if not check.startswith(("UPDATE-", "LAYER-"))} == {
        *("SUBMISSION-FILE-005", "SUBMISSION-DATA-001", "SUBMISSION-DATA-002"),
        "SAMPLE-STREAM-001",
        "SAMPLE-LOSSLESS-001",
        "MODEL-AGREEMENT-001",
        "METRIC-NOISE-001",
        "ACCESS-RANDOM-001",
    }
    assert "skipped" not in run.output


def test_hostile_id_leads_no_report_astray(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(edit(tiny, lambda metadata: metadata.update(id="../../elsewhere")))
    assert run.code == 1
    assert run.report()["verdict"] == "fail"
    assert [path.name for path in run.reports.iterdir()] == ["tiny"]
    assert not (run.reports.parent.parent / "elsewhere").exists()


BROKEN_CHECK = """
from conformance.judging import judge
passed = judge.Judge.passed

def broken(self, *args, **kwargs):
    if self.check.id == "SAMPLE-SIZE-001" and self.subject.id == "tiny/half":
        raise RuntimeError("the check exploded")
    return passed(self, *args, **kwargs)

judge.Judge.passed = broken
"""

SILENT_CHECK = BROKEN_CHECK.replace('raise RuntimeError("the check exploded")', "return None")

BROKEN_FIXTURE = """
from conformance.judging import judge
made = judge.Judge.__init__

def broken(self, check, subject, *args, **kwargs):
    if check.id == "SAMPLE-SIZE-001" and subject.id == "tiny/half":
        raise RuntimeError("the fixture exploded")
    made(self, check, subject, *args, **kwargs)

judge.Judge.__init__ = broken
"""

DYING_PROCESS = BROKEN_CHECK.replace(
    'raise RuntimeError("the check exploded")', "import os; os._exit(9)"
)


def run_broken(
    judge_folders: Runner, tiny: Path, tmp_path: Path, program: str, *options: str
) -> dict:
    """Run with a plug-in that breaks the check on the size of one sample; return its finding."""
    (tmp_path / "breaking.py").write_text(program, encoding="utf-8")
    run = judge_folders(tiny, options=["-p", "breaking", *options], PYTHONPATH=str(tmp_path))
    assert run.code == 1, run.output
    assert run.report()["verdict"] == "fail"
    assert run.verdicts() == {"SAMPLE-SIZE-001 tiny/half": "error"}
    (finding,) = [f for f in run.report()["findings"] if f["verdict"] == "error"]
    return finding


@pytest.mark.parametrize(
    ("program", "found"),
    [
        (BROKEN_CHECK, "RuntimeError: the check exploded"),
        (BROKEN_FIXTURE, "RuntimeError: the fixture exploded"),
    ],
    ids=["check", "fixture"],
)
def test_check_that_breaks_down_is_an_error(
    judge_folders: Runner, tiny: Path, tmp_path: Path, program: str, found: str
) -> None:
    finding = run_broken(judge_folders, tiny, tmp_path, program)
    assert finding["message"] == "the check itself broke down"
    assert found in finding["found"]
    assert "defect of the tool" in finding["fix"]


def test_check_that_says_nothing_is_an_error(
    judge_folders: Runner, tiny: Path, tmp_path: Path
) -> None:
    finding = run_broken(judge_folders, tiny, tmp_path, SILENT_CHECK)
    assert finding["message"] == "the check ended without evidence"


@pytest.mark.parametrize("processes", ["1", "2"])
def test_process_of_xdist_that_dies_is_an_error_and_the_rest_is_judged(
    judge_folders: Runner, tiny: Path, tmp_path: Path, processes: str
) -> None:
    finding = run_broken(judge_folders, tiny, tmp_path, DYING_PROCESS, "-n", processes)
    assert "crashed" in finding["found"]


def test_checks_of_one_sample_stay_together(tiny: Path) -> None:
    (target,) = load_targets([tiny], {})
    subjects = {each.test: each.subject for each in target.planned}

    def scope(test: str) -> str:
        return scope_of(f"conformance/{test}", subjects)

    assert scope("test_decoding.py::test_sample_decodes[tiny/half]") == "tiny/half"
    assert scope("test_metrics.py::test_delta_within_tolerance[tiny/half/top1]") == "tiny/half"
    assert scope("test_metrics.py::test_reconstruction_runs[tiny/half@test]") == "tiny/half"
    assert scope("test_originals.py::test_original_runs[tiny/linear@test]") == "tiny/linear"
    assert scope("test_metadata.py::test_schema[tiny]") == "tiny/"
    assert scope("test_other.py::test_x") == "conformance/test_other.py"


def test_submission_named_twice_is_judged_twice(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(tiny, tiny)
    assert run.code == 0, run.output
    assert sorted(path.name for path in run.reports.iterdir()) == ["tiny", "tiny-2"]


def test_relative_folders_mean_the_callers(judge_folders: Runner, tiny: Path) -> None:
    run = judge_folders(Path(os.path.relpath(tiny, tiny.parent)))
    assert run.code == 0, run.output


def test_changed_submission_is_judged_by_its_new_files(judge_folders: Runner, tiny: Path) -> None:
    """The verdict of yesterday's bytes is worth nothing for today's."""
    assert judge_folders(tiny).code == 0
    rounded = {n: 3 * a for n, a in tiny_submission.weights().items()}
    (tiny / "half.onnx").write_bytes(tiny_submission.model_bytes(rounded))
    edit(tiny, lambda m: m["samples"][1].update(files=[tiny_submission.entry(tiny, "half.onnx")]))
    verdicts = judge_folders(tiny).verdicts()
    assert verdicts["METRIC-DELTA-001 tiny/half-onnx/distance"] == "fail"
    assert verdicts["SAMPLE-DIGEST-001 tiny/half-onnx"] == "fail"
