"""Where a command was started, and how it works from somewhere else.

Python, pytest, numba, Matplotlib and others look for code or settings in the working folder. That
may be a submission: ``cd my-submission && nnr-conformance run .``. So every command of this package
resolves its paths, then works from an empty folder, and its child processes search neither that one
nor the caller's for modules. Messages name paths as the caller typed them.

Only the standard library is imported here: this is the first thing that a command does.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

PLACES = ("NNR_CONFORMANCE_CACHE", "XDG_CACHE_HOME", "MPLCONFIGDIR", "TMPDIR", "HOME")
"""Environment variables that name folders."""


@dataclass(slots=True)
class _Caller:
    """The folder of the caller, and what was typed for the paths that lie below it."""

    folder: Path | None = None
    typed: dict[str, str] = field(default_factory=dict)


_caller = _Caller()


def working_folder() -> Path:
    """Return the folder in which the user started the command."""
    return _caller.folder or Path.cwd()


def resolve(path: str | Path) -> Path:
    """Return ``path`` as an absolute one, as seen from the caller's folder."""
    folder = working_folder()
    found = folder / path
    if not Path(path).is_absolute():
        # What lies next to something that was typed relative is shown relative, too.
        _caller.typed |= {str(folder): ".", str(found): str(path)}
    return found


def as_typed(text: str) -> str:
    """Return ``text`` with the paths in it as the caller typed them."""
    for found, typed in sorted(_caller.typed.items(), key=lambda item: -len(item[0])):
        path = rf"(?<![\w./-]){re.escape(found)}"
        below = "" if typed == "." else f"{typed}/"
        text = re.sub(rf"{path}/(?=[\w.])", below.replace("\\", r"\\"), text)
        text = re.sub(rf"{path}(?![\w/]|[.-]\w)", typed.replace("\\", r"\\"), text)
    return text


@contextlib.contextmanager
def elsewhere() -> Iterator[None]:
    """Work from an empty folder, with nothing of the caller's folder where code is searched."""
    from conformance.sandbox.tempdirs import make_folder, sweep

    before, environment, search = Path.cwd(), dict(os.environ), list(sys.path)
    _caller.folder, _caller.typed = before, {}
    for name in PLACES:
        if os.environ.get(name):
            os.environ[name] = str(before / os.environ[name])
    guard_search(os.environ, sys.path)
    import shutil
    import tempfile

    temporary = Path(tempfile.gettempdir())
    sweep(temporary)
    empty = make_folder(temporary)
    os.chdir(empty)
    try:
        yield
    finally:
        os.chdir(before)
        shutil.rmtree(empty, ignore_errors=True)
        os.environ.clear()
        os.environ.update(environment)
        sys.path[:] = search
        _caller.folder = None


def guard_search(environment: MutableMapping[str, str], search: list[str]) -> None:
    """Keep the working folder out of where this process and its children search for modules.

    Python puts it first for ``-c`` and ``-m``, and an empty or relative entry of ``PYTHONPATH``
    means it or a folder in it.
    """
    environment["PYTHONSAFEPATH"] = "1"
    entries = environment.pop("PYTHONPATH", "").split(os.pathsep)
    kept = [entry for entry in entries if Path(entry).is_absolute()]
    if kept:
        environment["PYTHONPATH"] = os.pathsep.join(kept)
    relative = {os.path.abspath(entry) for entry in entries} - set(kept)  # noqa: PTH100
    if entries != [""]:
        search[:] = [entry for entry in search if entry and entry not in relative]


def judged_around(path: Path, folders: Iterable[Path]) -> Path | None:
    """Return the outermost of ``folders`` that ``path`` lies in, or is; None if there is none."""
    real = path.resolve()
    around = [folder for folder in folders if real.is_relative_to(folder.resolve())]
    return min(around, key=lambda folder: len(folder.resolve().parts), default=None)
