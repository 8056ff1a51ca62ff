"""Files at the top of a folder that tools run, or take settings from, when they are given it.

pytest looks for its settings in the folders that it believes to hold tests, before any
plug-in of it is asked; settings can name code to load. numba takes settings from the current
folder. No submission needs such a file there.

Python started in the folder takes modules from it before its own. This tool never does so, and a
submission may come with scripts: that is advice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from conformance.submission.defects import Defect
from conformance.submission.text import listing

_NAMES = (
    *("pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml"),
    *("tox.ini", "setup.cfg", "pyproject.toml", "setup.py", "conftest.py"),
    ".numba_config.yaml",
)
_MODULES = (".py", ".pyc", ".so", ".pyd", ".pth")
_SHOWN = 8


def find_startup_files(root: Path) -> tuple[str, ...]:
    """Return the names of such files, or of links to such, at the top of ``root``."""
    return tuple(name for name in _NAMES if _is_there(root / name))


def refuse_startup_files(names: Iterable[str]) -> Iterator[Defect]:
    """Yield a problem for each name that :func:`find_startup_files` gave."""
    for name in names:
        yield Defect(
            check="SUBMISSION-FILE-001",
            message=f"{name!r} may not be in a submission",
            expected="no file at the top of the folder that pytest or another tool would run or "
            "take settings from",
            found=f"{name}, which can make pytest run code",
            fix="Move it into a subfolder or an archive, or remove it.",
            file=name,
        )


def find_modules(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the modules at the top of a folder of files ``paths``; packages end in a slash."""
    names = set()
    for path in paths:
        top, _, below = path.partition("/")
        if not below and top.endswith(_MODULES) and top not in _NAMES:
            names.add(top)
        elif below.startswith("__init__.") and below.endswith(_MODULES):
            names.add(f"{top}/")
    return tuple(sorted(names))


def advise_against_modules(names: Collection[str]) -> Iterator[Defect]:
    """Yield one piece of advice for what :func:`find_modules` gave, if it is anything."""
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        yield Defect(
            check="SUBMISSION-FILE-005",
            message="the top of the folder holds modules of Python",
            expected="scripts in a subfolder, where Python does not find them by itself",
            found=f"{listing(sorted(names)[:_SHOWN])}{more}",
            fix="Move them into a subfolder such as scripts/: whoever starts Python in the "
            "folder runs them in place of modules of the same name.",
            file=min(names),
        )


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.is_file()
