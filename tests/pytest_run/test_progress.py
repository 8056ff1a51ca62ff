from __future__ import annotations

import io

import pytest

from conformance.pytest_run.progress import ProgressLine


@pytest.mark.parametrize(
    ("done", "elapsed", "expected"),
    [
        (1, 1.0, "[ 1/10] 10%, about 9 s left · x"),
        (5, 100.0, "[ 5/10] 50%, about 1 min 40 s left · x"),
        (1, 3600.0, "[ 1/10] 10%, about 9 h 00 min left · x"),
        (10, 5.0, "[10/10] 100%, about 0 s left · x"),
    ],
)
def test_line_tells_time_left(done: int, elapsed: float, expected: str) -> None:
    line = ProgressLine(10, io.StringIO())
    for _ in range(done):
        line.advance("")
    assert line.text(elapsed, "x") == expected


def test_nothing_done_yet_and_nothing_to_do() -> None:
    assert "about 0 s left" in ProgressLine(10, io.StringIO()).text(1.0, "x")
    assert "100%" in ProgressLine(0, io.StringIO()).text(1.0, "x")


def test_line_replaces_itself_and_can_be_cleared() -> None:
    stream = io.StringIO()
    line = ProgressLine(2, stream)
    line.advance("first")
    line.advance("second")
    line.clear()
    assert stream.getvalue().count("\r\x1b[2K") == 3
    assert stream.getvalue().endswith("\r\x1b[2K")
    assert "\n" not in stream.getvalue()


@pytest.mark.parametrize("columns", [40, 80, 300])
def test_line_does_not_wrap(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert len(ProgressLine(1, io.StringIO()).text(1.0, "x" * 500)) == columns - 1
