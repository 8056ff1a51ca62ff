"""The environment of a process that opens foreign files: nothing of the caller's.

Only compiled kernels are lent to it, from a place that no submission can choose or write to. The
decoder keeps its compiled kernels beside its source, like Python's own compiled code, or, where
an installation cannot be written to, in the user's cache. They are pickles: who writes them can run
code. A worker looks beside the source by itself, but its HOME is its scratch folder, so that it
neither finds nor changes the user's cache; it is lent a copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path

PLACE = Path("nnr-conformance") / "kernels"
"""Where kernels are in a cache folder."""
TARGET = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")
"""What chooses the CPU that kernels are compiled for; it names no place."""


MALLOC: Mapping[str, str] = {
    "MALLOC_MMAP_THRESHOLD_": str(256 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(512 << 20),
    "MALLOC_TOP_PAD_": str(64 << 20),
}
"""Arrays come and go with every item and metric. By default glibc gives large ones back to the
kernel, which fills all their pages with zeros when they are asked for again: two thirds of the time
of structural similarity. Arrays beyond the first number still go back, so that a large network
takes no more memory.
"""


def clean_environment(scratch: Path) -> dict[str, str]:
    """Return the whole environment of a process whose folder is ``scratch``.

    Of the caller's it has only where libraries are.
    """
    kept = ("LD_LIBRARY_PATH", "SYSTEMROOT")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **environment,
        **kernel_environment(scratch),
        **dict.fromkeys(threads, "1"),
        **MALLOC,
        # PyTorch and MKL choose kernels by processor, once, when they first compute: not these.
        "ATEN_CPU_CAPABILITY": "default",
        "MKL_CBWR": "COMPATIBLE",
        "PATH": os.defpath,
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        # A library may start Python itself, in the scratch folder, where foreign files are written.
        "PYTHONSAFEPATH": "1",
    }


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
