"""A file in a read-only memory map: pages are read when touched, and can be given back."""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path

import numpy as np
import numpy.typing as npt

from conformance.runtimes.wire import Span
from conformance.tensorfiles import LFS_BYTES, refuse_lfs_pointer
from conformance.verdicts import Location, MalformedError


class MappedFile:
    """A mapped file; ``display`` names it in messages.

    A file that is empty, or a Git LFS pointer, is a MalformedError.
    """

    def __init__(self, path: Path, display: str) -> None:
        self.path = path
        self.display = display
        if not path.is_file():
            raise MalformedError(
                "a file of the model is not there",
                where=Location(file=display),
                expected="a file",
                found="a folder or a device" if path.exists() else "nothing",
                fix="Put the file in its place, or correct its path.",
            )
        self.size = path.stat().st_size
        if self.size == 0:
            raise MalformedError(
                "the file is empty",
                where=Location(file=display, byte_offset=0),
                expected="at least one byte",
                found="no bytes",
                fix="Put the file in place again: it was cut short.",
            )
        with path.open("rb") as file:
            refuse_lfs_pointer(file.read(LFS_BYTES), display)
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    @property
    def whole(self) -> Span:
        """The whole file."""
        return Span(0, self.size)

    def view(self) -> memoryview:
        """Return all bytes, without reading them."""
        return memoryview(self._map)

    def bytes_at(self, span: Span) -> npt.NDArray[np.uint8]:
        """Return the bytes of ``span`` as a read-only view of the file."""
        return np.frombuffer(self._map, np.uint8, span.size, span.begin)

    def find(self, text: bytes, span: Span) -> bool:
        """Return whether ``text`` is anywhere in ``span``."""
        return self._map.find(text, span.begin, span.end) >= 0

    def forget(self, span: Span) -> None:
        """Let the kernel take back the pages of ``span``; they are read again when touched."""
        begin = span.begin - span.begin % mmap.PAGESIZE
        if span.size:
            self._map.madvise(mmap.MADV_DONTNEED, begin, span.end - begin)

    def close(self) -> None:
        """Unmap the file, as soon as no view of it is left."""
        with contextlib.suppress(BufferError):
            self._map.close()
