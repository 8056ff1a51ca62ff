"""Pointers that Git LFS leaves in the place of files it has not fetched."""

from __future__ import annotations

from conformance.verdicts import Location, MalformedError

_BEGINNING = b"version https://git-lfs.github.com/spec/"
LFS_BYTES = len(_BEGINNING)
"""How many bytes of a file identify it as a pointer."""


def refuse_lfs_pointer(first: bytes, display: str) -> None:
    """Raise a MalformedError if ``first``, the first LFS_BYTES of a file, are a pointer's."""
    if first.startswith(_BEGINNING):
        raise MalformedError(
            "the file is a Git LFS pointer",
            where=Location(file=display, byte_offset=0),
            expected="the file itself",
            found="the text that Git LFS keeps in its place",
            fix="Fetch the file with `git lfs pull`, and submit that.",
        )
