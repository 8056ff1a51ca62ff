"""Opening and measuring files of a submission without leaving its folder.

A path is opened one component at a time, relative to the folder above it and without following
links, so that no link can lead out of the submission, not even one that is put there meanwhile.
A file with several names (hard links) is refused: where its other names are cannot be known.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from conformance.verdicts import ConformanceError, Location

NOT_PART = frozenset(
    {
        *(".git", ".gitattributes", ".gitignore", ".gitmodules", ".hg", ".hgignore", ".svn"),
        *(".github", ".gitlab", ".gitlab-ci.yml"),
    }
)
"""What version control and code hosts keep at the top of a folder; no part of a submission."""

_CHUNK = 2**20
_CONTROL = 0x20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was measured of a file: ``size`` in bytes, ``sha256`` in lower-case hexadecimal.

    While ``size``, ``mtime_ns`` and ``inode`` stay the same, the file need not be hashed again.
    """

    rel_filepath: str
    size: int
    mtime_ns: int
    inode: int
    sha256: str


def path_fault(path: str) -> tuple[str, str] | None:
    """Return what makes ``path`` unfit for a submission and how to fix it, or None."""
    parts = path.split("/")
    absolute = path.startswith("/") or (len(path) > 1 and path[1] == ":" and path[0].isalpha())
    faults = (
        ("\\" in path, "contains a backslash", "Separate folders by forward slashes."),
        (absolute, "is absolute", "Write the path relative to the folder of submission.json."),
        (".." in parts, "contains '..'", "Put the file into the folder of the submission."),
        (
            "" in parts or "." in parts,
            "is not in its plain form",
            "Leave out empty parts and '.' between slashes.",
        ),
        (
            parts[0] in NOT_PART,
            f"leads to {parts[0]} of version control, which is no part of a submission",
            "Copy the file to another place in the folder, and list that.",
        ),
        (any(ord(c) < _CONTROL for c in path), "contains a control character", "Rename the file."),
    )
    return next(((fault, fix) for is_so, fault, fix in faults if is_so), None)


@contextlib.contextmanager
def open_confined(root: Path, path: str) -> Iterator[BinaryIO]:
    """Open the regular file ``path`` below ``root`` for reading.

    Raise :exc:`ConformanceError` if the path is unsafe, leads through a link, or does not lead to
    a readable regular file with a single name.
    """
    if fault := path_fault(path):
        raise _refusal(path, f"the path {fault[0]}", path, fault[1])
    *folders, name = path.split("/")
    with contextlib.ExitStack() as stack:
        try:
            parent = _open_folder(stack, os.fspath(root), None)
            for folder in folders:
                _check_kind(path, os.stat(folder, dir_fd=parent, follow_symlinks=False), True)
                parent = _open_folder(stack, folder, parent)
            _check_kind(path, os.stat(name, dir_fd=parent, follow_symlinks=False), False)
            descriptor = os.open(name, _FILE, dir_fd=parent)
        except FileNotFoundError as error:
            fix = "Add the file, correct the path, or take it out of submission.json."
            raise _refusal(path, "the file is missing", "no such file", fix) from error
        except OSError as error:
            found = error.strerror or str(error)
            fix = "Make the file readable, or correct the path."
            raise _refusal(path, "the file cannot be read", found, fix) from error
        stream = stack.enter_context(open(descriptor, "rb", buffering=0))  # noqa: PTH123
        yield stream


def _open_folder(stack: contextlib.ExitStack, folder: str, parent: int | None) -> int:
    flags = _FOLDER if parent is not None else _FOLDER & ~os.O_NOFOLLOW
    descriptor = os.open(folder, flags, dir_fd=parent)
    stack.callback(os.close, descriptor)
    return descriptor


def _check_kind(path: str, status: os.stat_result, folder: bool) -> None:
    mode = status.st_mode
    fix = "Put a plain copy of the file in its place."
    if stat.S_ISLNK(mode):
        message = "the path leads through a symbolic link"
        raise _refusal(path, message, "a symbolic link", fix)
    if folder and not stat.S_ISDIR(mode):
        raise _refusal(path, "the file is missing", "a file where a folder must be", "Fix it.")
    if not folder and not stat.S_ISREG(mode):
        found = "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
        raise _refusal(path, "the path does not lead to a file", found, fix)
    if not folder and status.st_nlink > 1:
        found = f"a file with {status.st_nlink} names (hard links)"
        raise _refusal(path, "the file has other names (hard links)", found, fix)


def _refusal(path: str, message: str, found: str, fix: str) -> ConformanceError:
    return ConformanceError(
        f"{path!r}: {message}",
        where=Location(file=path),
        expected="a regular file inside the folder, reached without links",
        found=found,
        fix=fix,
    )


def measure(root: Path, path: str, known: FileFacts | None = None) -> FileFacts:
    """Return the facts of a file, hashed in chunks unless ``known`` still holds.

    Raise :exc:`ConformanceError` as :func:`open_confined` does, and if reading fails.
    """
    with open_confined(root, path) as stream:
        status = os.fstat(stream.fileno())
        facts = (status.st_size, status.st_mtime_ns, status.st_ino)
        if known is not None and facts == (known.size, known.mtime_ns, known.inode):
            return known
        try:
            digest = _digest(stream)
        except OSError as error:
            found = error.strerror or str(error)
            raise _refusal(path, "the file cannot be read", found, "Copy it anew.") from error
        return FileFacts(path, *facts, digest)


def size_of(root: Path, path: str) -> int:
    """Return the size of a file in bytes; raise :exc:`ConformanceError`."""
    with open_confined(root, path) as stream:
        return os.fstat(stream.fileno()).st_size


def _digest(stream: BinaryIO) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
    return digest.hexdigest()
