"""What must not hang: bounded by processor time, so that a busy machine is not a failure."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

SECONDS = 30.0


@contextlib.contextmanager
def no_hang(seconds: float = SECONDS) -> Iterator[None]:
    """Fail if the block takes ``seconds`` of this process's processor time.

    It is for what once took minutes, or would if it grew faster than its input. The bound is ten
    times what the slowest machine needs, or more: it detects growth, not speed.
    """
    started = time.process_time()
    yield
    taken = time.process_time() - started
    assert taken < seconds, f"{taken:.1f} seconds of processor time"
