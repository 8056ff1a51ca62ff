"""A file of a model: where it lies, and how messages name it and a place in it."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from conformance.tensorfiles import LFS_BYTES, refuse_lfs_pointer
from conformance.verdicts import LimitError, Location, MalformedError


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a folder, or with ``member`` that file of the archive ``display``."""

    path: Path
    display: str
    member: str = ""

    def where(self, element: str | None = None, *, offset: int | None = None) -> Location:
        """Return the place of ``element``, at byte ``offset`` of this file."""
        if not self.member:
            return Location(file=self.display, byte_offset=offset, element=element)
        byte = [] if offset is None else [f"byte {offset}"]
        parts = [self.member, *byte, *([element] if element else [])]
        return Location(file=self.display, element=", ".join(parts))

    def at_line(self, line: int, column: int, element: str | None = None) -> Location:
        """Return a place in this file of text; ``line`` and ``column`` count from 1."""
        if not self.member:
            return Location(file=self.display, line=line, column=column, element=element)
        parts = [f"{self.member}:{line}:{column}", *([element] if element else [])]
        return Location(file=self.display, element=", ".join(parts))

    @property
    def shown(self) -> str:
        """The name of the file in a sentence."""
        return f"{self.member} in {self.display}" if self.member else self.display

    def size(self) -> int:
        """Return the bytes of the file; MalformedError if it is not there, or no regular file."""
        try:
            found = self.path.stat()
        except (OSError, ValueError) as error:
            raise self._absent(str(error)) from error
        if not stat.S_ISREG(found.st_mode):
            raise self._absent("a folder, a device or a pipe")
        return found.st_size

    def read(self, limit: int) -> bytes:
        """Return the whole file.

        Raises LimitError if it has more than ``limit`` bytes, MalformedError if it is empty, a Git
        LFS pointer, or not there.
        """
        size = self.size()
        if size > limit:
            raise LimitError(
                "the file is larger than is allowed",
                where=self.where(),
                expected=f"at most {limit} bytes",
                found=f"{size} bytes",
                fix="Submit a smaller file: tensors belong into .dat files.",
            )
        data = self.path.read_bytes()
        self.check_start(data[:LFS_BYTES])
        return data

    def check_start(self, data: bytes) -> None:
        """Raise MalformedError if ``data``, the start of the file, is empty or an LFS pointer."""
        if not data:
            raise MalformedError(
                "the file is empty",
                where=self.where(offset=0),
                expected="at least one byte",
                found="no bytes",
                fix="Put the file in place again: it was cut short.",
            )
        refuse_lfs_pointer(data, self.display)

    def _absent(self, found: str) -> MalformedError:
        return MalformedError(
            "a file of the model cannot be opened",
            where=self.where(),
            expected="a regular file",
            found=found,
            fix="Put the file in place.",
        )
