"""Where a bitstream comes from: bytes in memory, or a file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TypeAlias

Source: TypeAlias = bytes | bytearray | memoryview | str | PathLike[str]


def read_source(source: Source) -> memoryview:
    """Return the bytes of ``source``; a ``str`` is the path of a file.

    A file is read, not mapped: one that shrinks meanwhile does no harm. An :class:`OSError` says
    that it cannot be read, a :class:`TypeError` that a memoryview is not contiguous.
    """
    if isinstance(source, str | PathLike):
        return memoryview(Path(source).read_bytes())
    return memoryview(source).cast("B").toreadonly()
