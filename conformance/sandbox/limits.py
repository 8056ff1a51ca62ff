"""The limits a worker runs under, and how a worker puts them on itself."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from conformance.verdicts import Json

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one worker.

    ``wall_seconds`` is for one case, enforced from outside; ``cpu_seconds`` is for one case too,
    enforced by the kernel. ``memory_bytes`` bounds the address space, ``file_bytes`` any file the
    worker writes, ``tensor_bytes`` what a single submitted file may unfold to.
    """

    wall_seconds: float
    cpu_seconds: int
    memory_bytes: int
    file_bytes: int
    tensor_bytes: int

    @classmethod
    def for_machine(cls, wall_seconds: float = 600.0, memory_bytes: int | None = None) -> Limits:
        """Return limits that leave a quarter of this machine's memory to everything else."""
        memory = memory_bytes or available_memory() * 3 // 4
        return cls(
            wall_seconds=wall_seconds,
            cpu_seconds=max(1, int(wall_seconds)),
            memory_bytes=memory,
            file_bytes=64 * GIB,
            tensor_bytes=memory // 2,
        )

    def to_json(self) -> dict[str, Json]:
        """Return a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> Limits:
        """Build from what :meth:`to_json` gave."""
        return cls(**data)


def available_memory() -> int:
    """Return this machine's memory in bytes, or that of the control group where it is less."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (Path("/sys/fs/cgroup") / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            memory = min(memory, int(text))
    return memory


def apply_to_this_process(limits: Limits) -> None:
    """Put the limits on the calling process; none can be raised again above its hard value.

    The CPU limit is renewed for every case by :func:`renew_cpu_limit`.
    """
    _set(resource.RLIMIT_AS, limits.memory_bytes)
    _set(resource.RLIMIT_FSIZE, limits.file_bytes)
    _set(resource.RLIMIT_CORE, 0)
    _set(resource.RLIMIT_NPROC, _tasks_of_this_user() + 64)
    end_with_parent()


def end_with_parent() -> None:
    """Let the kernel kill the calling process when its parent ends, where it can."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def renew_cpu_limit(limits: Limits) -> None:
    """Grant one more case's CPU seconds; past them the kernel ends the process with SIGXCPU."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime) + 1 + limits.cpu_seconds
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _set(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _tasks_of_this_user() -> int:
    """Return how many threads this user runs: the kernel's process limit counts them all."""
    me, count = os.getuid(), 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == me:
                count += sum(1 for _ in (process / "task").iterdir())
        except OSError:
            continue
    return count
