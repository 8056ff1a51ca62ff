"""The content-addressed evidence store.

An entry is a folder ``<first two digits>/<key>`` with ``evidence.json``, any arrays the case kept,
and ``manifest.json``: the SHA-256 of every other file. An entry appears by one rename, so that a
killed run leaves either a whole entry or none, and is verified each time it is read: an entry that
is damaged is moved out of the way and computed again. A lock per key lets concurrent processes
compute each case once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from conformance.evidence.evidence import FORMAT, Evidence
from conformance.sandbox.tempdirs import make_folder, sweep
from conformance.verdicts import Json

KEY_DIGITS = 2
"""Digits of a key that name the folder its entry lies in."""
EVIDENCE = "evidence.json"
MANIFEST = "manifest.json"


class EvidenceStore:
    """Evidence by key, under ``root``; several processes may use one store at once."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()  # workers have their own working folder
        for name in ("locks", "drafts"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        sweep(self.root / "drafts")

    def lock(self, key: str) -> AbstractContextManager[object]:
        """Return a lock on ``key``; the kernel frees it if its owner dies."""
        from filelock import FileLock

        return FileLock(self.root / "locks" / f"{key}.lock")

    def draft(self) -> Path:
        """Return a new empty folder to gather an entry in, on the same file system as the store."""
        return make_folder(self.root / "drafts")

    def is_empty(self) -> bool:
        """Return whether the store holds no entry at all."""
        return not any(len(path.name) == KEY_DIGITS for path in self.root.iterdir())

    def folder(self, key: str) -> Path:
        """Return where the entry of ``key`` lies, or would lie."""
        return self.root / key[:KEY_DIGITS] / key

    def stamp(self, key: str) -> tuple[int, int] | None:
        """Return what changes when the entry of ``key`` is replaced; None if there is no entry."""
        try:
            found = (self.folder(key) / MANIFEST).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def read(self, key: str) -> Evidence | None:
        """Return the evidence of ``key``, or None if there is none or it is damaged.

        What is damaged is removed; so whoever reads holds the lock on ``key``.
        """
        folder = self.folder(key)
        if not folder.exists():
            return None
        found = self.look_at(key)
        if found is None:
            _discard(folder)
        return found

    def look_at(self, key: str) -> Evidence | None:
        """Return the same, and leave what is damaged where it is; no lock is needed."""
        folder = self.folder(key)
        try:
            self._verify(folder)
            data = json.loads((folder / EVIDENCE).read_text(encoding="utf-8"))
            if data["key"] == key and data["format"] == FORMAT:
                return Evidence.from_json(data, folder, reused=True)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
        return None

    def write(self, evidence: Evidence) -> Evidence:
        """Store ``evidence``, whose folder is a draft, and return it in its final place.

        An entry that says the same stays where it is: another process may be reading it.
        """
        draft, known = evidence.folder, self.read(evidence.key)
        if known is not None and _says_the_same(known, evidence):
            shutil.rmtree(draft, ignore_errors=True)
            return dataclasses.replace(evidence, folder=known.folder)
        _write_json(draft / EVIDENCE, evidence.to_json())
        digests = {p.name: _digest(p) for p in sorted(draft.iterdir()) if p.name != MANIFEST}
        _write_json(draft / MANIFEST, digests)
        target = self.folder(evidence.key)
        target.parent.mkdir(exist_ok=True)
        _discard(target)
        draft.rename(target)
        return Evidence.from_json(evidence.to_json(), target, reused=False)

    @staticmethod
    def _verify(folder: Path) -> None:
        """Raise :class:`ValueError` unless every file of the entry is as it was written."""
        expected = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        found = {p.name: _digest(p) for p in folder.iterdir() if p.name != MANIFEST}
        if found != expected:
            raise ValueError(f"damaged evidence in {folder}")


def _discard(entry: Path) -> None:
    """Remove whatever lies in the place of an entry."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)


def _says_the_same(known: Evidence, evidence: Evidence) -> bool:
    one, other = known.to_json(), evidence.to_json()
    return all(one[part] == other[part] for part in ("result", "error"))


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _write_json(path: Path, data: Json) -> None:
    with path.open("w", encoding="utf-8") as stream:
        json.dump(data, stream, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
