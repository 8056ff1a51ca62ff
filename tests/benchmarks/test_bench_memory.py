"""The large submission, here a small one, and the memory of a tree of processes."""

import re
import sys
from collections import namedtuple

import bench_memory
import floor
import pytest
from bench_memory import MIB, Measured, Peak, main, watch, written
from large_submission import LAYERS, MODEL, SAMPLE, bytes_needed, write_submission

from conformance.submission import load
from tests.jobs.bench import edit

PARAMETERS = 600


@pytest.fixture
def submission(tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    write_submission(folder, PARAMETERS)
    return folder


def test_the_large_submission_is_in_order(submission):
    loaded = load(submission)
    assert loaded.problems == ()
    (model,) = loaded.submission.models
    assert model.parameter_count == LAYERS * 10 * 10 == PARAMETERS


def test_the_sample_is_close_to_the_original(submission):
    values = floor.values_of(submission)
    assert values[MODEL] == {"distance@random": 0.0}
    assert 0 < values[SAMPLE]["distance@random"] < 1e-3


def test_the_bare_script_runs_the_controls(submission):
    values = floor.values_of(submission)
    controls = values.keys() - {MODEL, SAMPLE}
    assert controls == {f"{MODEL} zeros", *(f"{MODEL} shuffled {seed}" for seed in (1, 2, 3))}
    assert all(values[name]["distance@random"] > 1e-3 for name in controls)


def test_without_a_sample_there_are_no_controls(submission):
    edit(submission, lambda metadata: metadata.update(samples=[]))
    assert floor.values_of(submission).keys() == {MODEL}


def test_files_fit_into_the_room_that_is_asked_for(submission):
    assert sum(path.stat().st_size for path in submission.iterdir()) < bytes_needed(PARAMETERS)


def test_the_memory_of_children_counts(tmp_path):
    hold = "import sys, time; held = bytearray(64 << 20); time.sleep(1)"
    both = f"import subprocess, sys; {hold[: -len('; time.sleep(1)')]}; "
    both += f"subprocess.run([sys.executable, '-c', {hold!r}], check=True)"
    peak = watch([sys.executable, "-c", both], tmp_path / "log")
    assert 64 * MIB < peak.process < 128 * MIB < peak.tree < 256 * MIB


def test_a_run_that_fails_is_told_with_what_it_said(tmp_path):
    with pytest.raises(RuntimeError, match=r"(?s)exit status 1.*no such thing"):
        watch([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "log")


def test_too_small_a_disk_is_told_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(bench_memory.shutil, "disk_usage", lambda _: usage(1, 1, MIB))
    with pytest.raises(OSError, match=r"MiB are needed.*1 are free: point TMPDIR at"):
        written(tmp_path, 1000)
    assert list(tmp_path.iterdir()) == []


def test_the_worst_of_the_suites_is_judged_and_the_floor_is_not():
    measured = Measured(
        original=100,
        suites=[Peak(150, 200), Peak(150, 220), Peak(150, 240)],
        floor=[Peak(900, 900)] * 3,
        cases=[{"decode a": 230}, {"decode a": 240}, {"decode a": 260}],
    )
    assert measured.verdict() == "2.40; target at most 2.5: met"
    assert measured.ratios()["floor.py"] == [9.0, 9.0, 9.0]


def test_the_whole_benchmark_runs_on_a_small_network(capsys):
    main(["--parameters", str(PARAMETERS), "--repetitions", "1"])
    said = capsys.readouterr().out
    assert re.search(rf"worker, case 'reconstruction {SAMPLE}@random' +\d", said)
    assert "target at most 2.5" in said
