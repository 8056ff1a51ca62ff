"""Map a file into memory, so that only what is looked at is read."""

from __future__ import annotations

import mmap
import os
from typing import BinaryIO


def map_file(file: BinaryIO) -> memoryview:
    """Return a read-only view of all of ``file``; it lives as long as anything looks at it."""
    if not os.fstat(file.fileno()).st_size:
        return memoryview(b"")
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
