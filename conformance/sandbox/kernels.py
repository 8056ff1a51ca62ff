"""Compiled kernels for a worker, from a place that no submission can choose or write to.

The decoder keeps its compiled kernels beside its source, like Python's own compiled code, or, where
an installation cannot be written to, in the user's cache. They are pickles: who writes them can run
code. A worker looks beside the source by itself, but its HOME is its scratch folder, so that it
neither finds nor changes the user's cache; it is lent a copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path

PLACE = Path("nnr-conformance") / "kernels"
"""Where kernels are in a cache folder."""
TARGET = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")
"""What chooses the CPU that kernels are compiled for; it names no place."""


def kernel_environment(home: Path) -> dict[str, str]:
    """Return the environment variables that let a worker find compiled kernels.

    ``home`` is the worker's own folder, to which a copy of the user's kernels is put if there are
    any.
    """
    from platformdirs import user_cache_path

    kernels = user_cache_path() / PLACE
    if _is_trusted(kernels):
        # Another process may be writing there: what cannot be copied is compiled anew.
        with contextlib.suppress(OSError):
            shutil.copytree(kernels, home / ".cache" / PLACE, copy_function=shutil.copyfile)
    found = {name: os.environ[name] for name in TARGET if name in os.environ}
    return {"XDG_CACHE_HOME": str(home / ".cache"), **found}


def _is_trusted(folder: Path) -> bool:
    """Whether the folder is there, and nobody but this user can have put anything into it."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & others
    )
