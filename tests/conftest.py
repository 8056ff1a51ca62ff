"""Fixtures that several rooms share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import hypothesis
import pytest

from tests import tiny_submission
from tests.fast import MARKER, TESTS, NoFrameworks, is_fast

# Where these are set, pytest prints each failure a second time, in its summary; the tests read what
# a user sees at a terminal.
for name in ("CI", "BUILD_NUMBER"):
    os.environ.pop(name, None)

# The time that an example takes is the machine's.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


def only_fast(config: pytest.Config) -> bool:
    return bool(config.getoption("markexpr") == MARKER)


def pytest_configure(config: pytest.Config) -> None:
    if only_fast(config):
        NoFrameworks.watch()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even import the others in a run of the quick part."""
    is_other = collection_path != TESTS and not is_fast(collection_path)
    return True if only_fast(config) and is_other else None


def pytest_itemcollected(item: pytest.Item) -> None:
    if is_fast(item.path):
        item.add_marker(MARKER)


@pytest.fixture(scope="session")
def _tiny_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    tiny_submission.write(folder)
    return folder


@pytest.fixture
def tiny(_tiny_once: Path, tmp_path: Path) -> Path:
    """A fresh copy of the tiny submission, to be changed at will."""
    return Path(shutil.copytree(_tiny_once, tmp_path / "tiny"))
