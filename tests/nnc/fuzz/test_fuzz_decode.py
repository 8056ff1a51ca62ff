"""The fuzzer works, and finds nothing in a few seconds."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HARNESS = Path(__file__).with_name("fuzz_decode.py")
RUNS, SEED = 400, 1

pytest.importorskip("atheris", reason="atheris is not installed: nothing is fuzzed")


def harness(*arguments, cwd):
    return subprocess.run(
        [sys.executable, HARNESS, *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_short_run_finds_nothing(tmp_path):
    corpus = tmp_path / "corpus"
    written = harness("--corpus", corpus, cwd=tmp_path)
    assert written.returncode == 0, written.stderr[-2000:]
    assert len(list(corpus.iterdir())) > 100
    smallest = sorted(corpus.iterdir(), key=lambda file: file.stat().st_size)
    for file in smallest[60:]:
        file.unlink()
    options = (f"-runs={RUNS}", f"-seed={SEED}", "-max_len=4096", "-timeout=20", "-rss_limit_mb=0")
    done = harness(corpus, *options, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done" in done.stderr
