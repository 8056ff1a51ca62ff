"""What is read from files, as the operating system counts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.jobs import access
from conformance.jobs.access import ReadCounter
from conformance.verdicts import NotRunError


@pytest.mark.parametrize("size", [0, 1, 1000, 5000])
def test_exactly_what_is_read_is_counted(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(10000))
    with path.open("rb", buffering=0) as file:
        counter = ReadCounter()
        assert counter.bytes == 0
        file.read(size)
        assert counter.bytes == size
        file.read(7)
        assert counter.bytes == size + 7


def test_a_system_that_does_not_count_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "COUNTS", tmp_path / "io")
    with pytest.raises(NotRunError, match="cannot be counted"):
        ReadCounter()
    (tmp_path / "io").write_text("wchar: 1\n")
    with pytest.raises(NotRunError, match="cannot be counted"):
        ReadCounter()
