"""Fixtures that several rooms share."""

from __future__ import annotations

import shutil
from pathlib import Path

import hypothesis
import pytest

from tests import tiny_submission

# The time that an example takes is the machine's.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.fixture(scope="session")
def _tiny_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    tiny_submission.write(folder)
    return folder


@pytest.fixture
def tiny(_tiny_once: Path, tmp_path: Path) -> Path:
    """A fresh copy of the tiny submission, to be changed at will."""
    return Path(shutil.copytree(_tiny_once, tmp_path / "tiny"))
