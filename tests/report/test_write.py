import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.report import (
    FORMATS,
    InvalidReportError,
    ReportWriteError,
    append_step_summary,
    render_markdown,
    write_reports,
)
from conformance.report.write import STEP_SUMMARY_LIMIT
from tests.report import example, hostile


def test_all_formats_are_written(tmp_path):
    folder = tmp_path / "new" / "reports"
    paths = write_reports(example.build(), folder)
    assert {name: path.name for name, path in paths.items()} == {
        "json": "report.json",
        "html": "report.html",
        "md": "report.md",
        "junit": "junit.xml",
    }
    assert sorted(folder.iterdir()) == sorted(paths.values())
    assert all(path.read_bytes().endswith(b"\n") for path in paths.values())


@pytest.mark.parametrize("name", FORMATS)
def test_one_format_alone_can_be_written(tmp_path, name):
    paths = write_reports(example.build(), tmp_path, [name])
    assert list(tmp_path.iterdir()) == [paths[name]]


def test_the_json_is_the_report(tmp_path):
    report = example.build()
    assert json.loads(write_reports(report, tmp_path)["json"].read_text()) == report


def test_writing_twice_gives_the_same_bytes(tmp_path):
    one = write_reports(example.build(), tmp_path / "a")
    other = write_reports(example.build(), tmp_path / "b")
    for name in FORMATS:
        assert one[name].read_bytes() == other[name].read_bytes()


def test_bytes_do_not_depend_on_the_process(tmp_path):
    code = (
        "import sys, pathlib; from conformance.report import write_reports;"
        "from tests.report import example;"
        "write_reports(example.build(), pathlib.Path(sys.argv[1]))"
    )
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path.cwd())}
        subprocess.run([sys.executable, "-c", code, tmp_path / seed], check=True, env=environment)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_files_that_are_there_are_replaced_and_nothing_is_left_over(tmp_path):
    for name in ("report.json", "report.html"):
        (tmp_path / name).write_text("old")
    paths = write_reports(example.build(), tmp_path, ["json", "html"])
    assert sorted(tmp_path.iterdir()) == sorted(paths.values())
    assert paths["html"].read_text().startswith("<!DOCTYPE html>")


def test_files_can_be_read_by_whom_the_umask_lets(tmp_path):
    old = os.umask(0o022)
    try:
        path = write_reports(example.build(), tmp_path, ["json"])["json"]
    finally:
        os.umask(old)
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_link_in_place_of_the_report_is_replaced_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "report.json").symlink_to(victim)
    write_reports(example.build(), folder, ["json"])
    assert victim.read_text() == "untouched"


def test_an_invalid_report_writes_nothing(tmp_path):
    folder = tmp_path / "reports"
    with pytest.raises(InvalidReportError):
        write_reports({**example.build(), "verdict": "fine"}, folder)
    assert not folder.exists()


def test_an_unknown_format_is_named_with_those_there_are(tmp_path):
    with pytest.raises(ValueError, match=r"'pdf'.*json, html, md, junit"):
        write_reports(example.build(), tmp_path, ["json", "pdf"])
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_a_clear_error(tmp_path):
    folder = tmp_path / "reports"
    folder.write_text("a file")
    with pytest.raises(ReportWriteError) as caught:
        write_reports(example.build(), folder)
    message = str(caught.value)
    assert f"cannot be written to {folder / 'report.json'}" in message
    assert "name a folder that exists" in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_a_clear_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ReportWriteError, match="Permission denied"):
        write_reports(example.build(), tmp_path)


def test_a_folder_in_place_of_the_report_is_a_clear_error_and_leaves_nothing_over(tmp_path):
    (tmp_path / "report.json").mkdir()
    with pytest.raises(ReportWriteError):
        write_reports(example.build(), tmp_path, ["json"])
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_hostile_texts_can_be_written(tmp_path, name):
    assert len(write_reports(hostile.build(hostile.TEXTS[name]), tmp_path)) == len(FORMATS)


def test_step_summary_is_appended(tmp_path, monkeypatch):
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    report = example.build()
    assert append_step_summary(report)
    assert path.read_text() == "before\n" + render_markdown(report)


def test_without_a_step_summary_nothing_is_done(monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert not append_step_summary(example.build())


def many_findings():
    return example.build(
        findings=[
            example.finding("SAMPLE-SIZE-001", f"m/{n}", "fail", message=f"{n} " + "x" * 1000)
            for n in range(4000)
        ]
    )


def test_long_step_summary_is_cut_at_a_line_and_says_so(tmp_path, monkeypatch):
    path = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    append_step_summary(many_findings())
    content = path.read_bytes()
    assert STEP_SUMMARY_LIMIT - 2000 < len(content) <= STEP_SUMMARY_LIMIT
    assert content.decode().startswith("# Fail: ")
    assert content.decode().endswith(
        "**The summary is cut here; the whole report is in report.md.**\n"
    )


def test_full_step_summary_is_left_alone(tmp_path, monkeypatch):
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * STEP_SUMMARY_LIMIT)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    append_step_summary(example.build())
    assert path.stat().st_size == STEP_SUMMARY_LIMIT


def test_step_summary_that_cannot_be_written_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    with pytest.raises(ReportWriteError, match="step summary cannot be appended"):
        append_step_summary(example.build())


def test_importing_reports_stays_light():
    code = (
        "import sys, conformance.report;"
        "print(sorted({'jinja2','junitparser','jsonschema','markupsafe'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
