"""Working folders named after the process that made them, so that none outlives a killed run."""

from __future__ import annotations

import os
import shutil
import socket
import uuid
from pathlib import Path

PREFIX = "nnr-conformance"


def make_folder(parent: Path) -> Path:
    """Return a new, empty folder in ``parent`` that bears this process's name; mode 0700."""
    folder = parent / f"{_owner()}{os.getpid()}.{uuid.uuid4().hex}"
    folder.mkdir(mode=0o700)
    return folder


def sweep(parent: Path) -> None:
    """Remove the folders in ``parent`` whose process, on this machine, is gone."""
    owner = _owner()
    for folder in parent.glob(f"{owner}*.*"):
        pid = folder.name.removeprefix(owner).partition(".")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _owner() -> str:
    return f"{PREFIX}.{socket.gethostname().replace('.', '-')}."


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
