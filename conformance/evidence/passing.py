"""What is kept for one run only: parameters of originals, decoded tensors, large outputs.

It lies in a folder that all processes of the run share. What was used longest ago is removed where
there is too much, and computed again if it is asked for again.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import final

from conformance.evidence.evidence import Evidence
from conformance.evidence.store import EVIDENCE
from conformance.sandbox.tempdirs import make_folder, sweep

ROOM_BYTES = 16 << 30
"""What may lie there at once, in addition to what is in use."""


@final
class PassingStore:
    """Evidence by key in ``root`` if it is ``shared``, else in a new folder of the store there."""

    def __init__(self, root: Path, *, shared: bool) -> None:
        self._root = root
        self._own: Path | None = None
        self._shared = shared

    def read(self, key: str) -> Evidence | None:
        """Return the evidence of ``key``, or None."""
        if self._folder is None:
            return None
        folder = self._folder / key
        try:
            data = json.loads((folder / EVIDENCE).read_text(encoding="utf-8"))
            os.utime(folder)
        except OSError:
            return None
        return Evidence.from_json(data, folder, reused=False)

    def write(self, evidence: Evidence) -> Evidence:
        """Move evidence, whose folder is a draft, to its place, and return it there."""
        target = self._made() / evidence.key
        text = json.dumps(evidence.to_json(), sort_keys=True)
        (evidence.folder / EVIDENCE).write_text(text, encoding="utf-8")
        if target.exists():
            shutil.rmtree(evidence.folder, ignore_errors=True)
        else:
            evidence.folder.rename(target)
        kept = replace(evidence, folder=target)
        with ExitStack() as held:
            self.hold(target, held)
            self._make_room()
        return kept

    def hold(self, folder: Path, held: ExitStack) -> bool:
        """Keep an entry from being removed until ``held`` ends; return whether it is still there.

        Folders that lie elsewhere stay in any case.
        """
        if self._folder is None or folder.parent != self._folder:
            return folder.is_dir()
        try:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return False
        held.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return folder.is_dir()

    def close(self) -> None:
        """Remove everything, unless other processes share it."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)
            self._own = None

    @property
    def _folder(self) -> Path | None:
        return self._root if self._shared else self._own

    def _made(self) -> Path:
        if self._folder is None:
            self._own = new_folder(self._root)
        return self._own or self._root

    def _make_room(self) -> None:
        """Remove the entries used longest ago that there is no room for."""
        room = ROOM_BYTES
        for folder in sorted(self._made().iterdir(), key=_last_used, reverse=True):
            room -= _size_of(folder)
            if room < 0:
                _remove_unless_held(folder)


def new_folder(store: Path) -> Path:
    """Return a new folder for one run next to the entries of a store, where links are cheap."""
    parent = store / "passing"
    parent.mkdir(parents=True, exist_ok=True)
    sweep(parent)
    return make_folder(parent)


def _last_used(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0


def _size_of(folder: Path) -> int:
    with suppress(OSError):
        return sum(path.stat().st_size for path in folder.iterdir())
    return 0


def _remove_unless_held(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return  # another process, or this one, is reading it
    finally:
        os.close(descriptor)
