"""Files at the top of a folder that tools run, or take settings from, when they are given it.

pytest looks for its settings in the folders that it believes to be told of tests, before any
plug-in of it is asked; settings can name code to load. numba takes settings from the current
folder. No submission needs such a file there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from conformance.submission.clauses import FILES
from conformance.submission.problems import Problem

_NAMES = (
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
    *("tox.ini", "setup.cfg", "pyproject.toml", "setup.py", "conftest.py"),
    ".numba_config.yaml",
)


def find_settings(root: Path) -> tuple[str, ...]:
    """Return the names of such files, or of links to such, at the top of ``root``."""
    return tuple(name for name in _NAMES if _is_there(root / name))


def refuse_settings(names: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem for each name that :func:`find_settings` gave."""
    for name in names:
        yield Problem(
            check="SUBMISSION-FILE-001",
            message=f"{name!r} may not be in a submission",
            expected="no file at the top of the folder that pytest or another tool would run or "
            "take settings from",
            found=f"{name}, which can make pytest run code",
            mend="Move it into a subfolder or an archive, or remove it.",
            clause=FILES,
            file=name,
        )


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.is_file()
