"""What this process has read from files, as the operating system counts it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import final

from conformance.verdicts import NotRunError

_COUNTS = Path("/proc/self/io")
_READ = b"rchar:"
_MOST_BYTES = 4096


@final
class ReadCounter:
    """Counts the bytes that all threads of this process ask the system for, from its making on.

    Files that are mapped instead of read do not show. Raises NotRunError where the system does not
    count.
    """

    def __init__(self) -> None:
        # To look at the count is to read, which the next look counts.
        self._before, self._looked = _count()

    @property
    def bytes(self) -> int:
        """Bytes read since the counter was made, without looks at the count."""
        now, looked = _count()
        found = now - self._before - self._looked
        self._looked += looked
        return found


def _count() -> tuple[int, int]:
    """Return the bytes read until now, and how many this look takes."""
    try:
        descriptor = os.open(_COUNTS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, _MOST_BYTES)
        finally:
            os.close(descriptor)
        line = next(line for line in text.splitlines() if line.startswith(_READ))
    except (OSError, StopIteration) as error:
        raise NotRunError(
            "bytes that are read cannot be counted on this system",
            expected=f"{_COUNTS} with a line {_READ.decode()}",
            found=str(error) or "no such line",
            fix="run on Linux, in a container that shows its processes their own counts",
        ) from error
    return int(line.removeprefix(_READ)), len(text)
