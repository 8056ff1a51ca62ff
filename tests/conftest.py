"""Fixtures that several rooms share."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Iterator
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


LONGEST = frozenset(
    TESTS / name
    for name in (
        *("vectors", "suites", "docs"),
        *("test_cli.py", "test_terminal.py", "test_working_folder.py"),
    )
)
"""Folders and files that begin, so that no process of xdist is left with a long one at the end."""


MANY_MODULES = 200
"""So many new ones are those of a framework."""


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.isdisjoint((item.path, *item.path.parents)))


@pytest.fixture(scope="session")
def _tiny_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    tiny_submission.write(folder)
    return folder


@pytest.fixture
def tiny(_tiny_once: Path, tmp_path: Path) -> Path:
    """A fresh copy of the tiny submission, to be changed at will."""
    return Path(shutil.copytree(_tiny_once, tmp_path / "tiny"))


IMPORTED = pytest.StashKey[int]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep what a framework has made by its import out of every later garbage collection.

    PyTorch and TensorFlow make millions of objects, and a tenth of the time went to looking at
    them.
    """
    stash = item.config.stash
    if len(sys.modules) > stash.get(IMPORTED, 0) + MANY_MODULES:
        gc.collect()
        gc.freeze()
        stash[IMPORTED] = len(sys.modules)


@pytest.fixture(scope="session", autouse=True)
def _kept_servers() -> Iterator[None]:
    """Let the commands that tests call in this process fork their workers from the same servers."""
    from conformance.cli import inquiry
    from tests.keeping import workers_of_kept_servers

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inquiry, "Workers", workers_of_kept_servers())
        yield


@pytest.fixture
def kept_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands that a test calls in this process ask the workers of earlier ones."""
    from conformance.cli import asking
    from tests.keeping import KeptWorker

    monkeypatch.setattr(asking, "Worker", KeptWorker)
