"""The resident memory of this process, as the operating system counts it."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_FORGET_PEAK = "5"


def reset_peak() -> None:
    """Make the kernel forget the highest resident size so far, where it can."""
    try:
        _CLEAR_REFS.write_text(_FORGET_PEAK, encoding="ascii")
    except OSError:
        return


def peak() -> int:
    """Return the highest resident size in bytes since the last reset, 0 where it is not known."""
    try:
        status = _STATUS.read_text(encoding="ascii")
    except OSError:
        return 0
    kib = next((line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")), "0")
    return int(kib) << 10


@contextmanager
def settled() -> Iterator[None]:
    """Let :func:`release` look at new objects only: what libraries have made before stays."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def release() -> None:
    """Give back what nothing refers to any more, to the operating system where it takes it."""
    gc.collect()
    trim()


def trim() -> None:
    """Give freed memory back to the operating system where the C library can."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
