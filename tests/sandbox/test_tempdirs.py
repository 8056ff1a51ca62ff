from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance.sandbox.tempdirs import make_folder, sweep

MAKING = """
import sys
from pathlib import Path
from conformance.sandbox.tempdirs import make_folder
print(make_folder(Path(sys.argv[1])))
"""


def made_by_another(parent: Path) -> Path:
    command = [sys.executable, "-c", MAKING, str(parent)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return Path(ended.stdout.strip())


def test_folders_are_new_empty_and_private(tmp_path: Path) -> None:
    first, second = make_folder(tmp_path), make_folder(tmp_path)
    assert first != second
    assert not list(first.iterdir())
    assert first.stat().st_mode & 0o777 == 0o700


def test_folder_of_a_process_that_is_gone_is_swept(tmp_path: Path) -> None:
    left = made_by_another(tmp_path)
    (left / "half written").touch()
    sweep(tmp_path)
    assert not left.exists()


def test_folder_of_a_living_process_is_kept(tmp_path: Path) -> None:
    mine = make_folder(tmp_path)
    sweep(tmp_path)
    assert mine.exists()


@pytest.mark.parametrize(
    "name", ["other", "nnr-conformance.elsewhere.999999.ab", "nnr-conformance.x"]
)
def test_folders_of_others_are_kept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    sweep(tmp_path)
    assert (tmp_path / name).exists()
