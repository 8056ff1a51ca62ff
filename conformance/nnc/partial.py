"""A file of which only what is asked for is read, and counted."""

from __future__ import annotations

import mmap
import os
from bisect import bisect_left, bisect_right
from os import PathLike
from types import TracebackType
from typing import Self, final

from conformance.nnc.errors import NncLimitError, NncMalformedError, Position


@final
class PartialFile:
    """An open file; ``view`` has its length, and zeros wherever nothing has been read.

    ``bytes_read`` counts what the operating system was asked for, none of it buffered ahead. The
    view takes address space for the whole file, but memory only for what was read of it. An
    :class:`OSError` says that the file cannot be opened, an :class:`NncLimitError` that it is too
    large.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self.bytes_read = 0
        self._begins: list[int] = []
        self._ends: list[int] = []
        try:
            self.size = os.fstat(self._descriptor).st_size
            self.view = memoryview(mmap.mmap(-1, self.size) if self.size else bytearray())
        except (OSError, OverflowError) as error:
            os.close(self._descriptor)
            raise NncLimitError(
                "The file is larger than the memory there is",
                expected="a file that fits into the address space",
                found=str(error),
                fix="give the process more memory, or the stream in smaller files",
            ) from error

    def fill(self, begin: int, end: int) -> None:
        """Read the bytes from ``begin`` up to ``end`` into the view, or to the end of the file.

        What has been read is not read again. Raises NncMalformedError if the file ends earlier than
        when it was opened.
        """
        end = min(end, self.size)
        if begin >= end:
            return
        # The stretches that were read lie apart and in order; those from first to last are met.
        first, last = bisect_left(self._ends, begin), bisect_right(self._begins, end)
        at = begin
        for known in range(first, last):
            self._read(at, self._begins[known])
            at = max(at, self._ends[known])
        self._read(at, end)
        begins, ends = [begin, *self._begins[first:last]], [end, *self._ends[first:last]]
        self._begins[first:last], self._ends[first:last] = [min(begins)], [max(ends)]

    def _read(self, begin: int, end: int) -> None:
        while begin < end:
            count = os.preadv(self._descriptor, [self.view[begin:end]], begin)
            if not count:
                raise NncMalformedError(
                    "The file became shorter while it was read",
                    position=Position(bit=8 * begin),
                    expected=f"{self.size} bytes",
                    found=f"{begin} bytes",
                    fix="do not modify the file while it is decoded",
                )
            begin += count
            self.bytes_read += count

    def close(self) -> None:
        """Close the file; what was read of it stays."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
