"""The progress line in a terminal: checks done, checks to go, time left."""

from __future__ import annotations

import shutil
import sys
import time
from typing import TextIO

from conformance.text import one_line


class ProgressLine:
    """One line that is written over and over at the bottom of a terminal."""

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._done = 0
        self._started = time.monotonic()
        self._stream = stream or sys.stderr

    def advance(self, subject: str) -> None:
        """Count one more check as done and show ``subject``, the last one."""
        self._done += 1
        self._stream.write(f"\r\x1b[2K{self.text(time.monotonic() - self._started, subject)}")
        self._stream.flush()

    def text(self, elapsed: float, subject: str) -> str:
        """Return the line after ``elapsed`` seconds: ``[ 34/120] 28 %, about 12 s left · …``.

        It is cut to the width of the terminal: what wraps is not overwritten.
        """
        share = self._done / self._total if self._total else 1.0
        left = elapsed / share - elapsed if share else 0.0
        count = f"[{self._done:>{len(str(self._total))}}/{self._total}]"
        line = f"{count} {share:.0%}, about {_human(left)} left · {one_line(subject)}"
        return line[: shutil.get_terminal_size().columns - 1]

    def clear(self) -> None:
        """Remove the line."""
        self._stream.write("\r\x1b[2K")
        self._stream.flush()


def _human(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
