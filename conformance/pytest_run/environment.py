"""The environment block of a report: what a second laboratory needs to repeat the run."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from conformance.plan.computing import machine, source_digest, versions
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import ISOLATION
from conformance.verdicts import Json


def environment_block(limits: Limits) -> dict[str, Json]:
    """Return versions, machine, threads, isolation level and limits; nothing personal."""
    return {
        "versions": dict(versions()),
        "source_sha256": source_digest(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": machine(),
        "cpu": _cpu(),
        "cpus": os.cpu_count(),
        "threads": 1,
        "isolation": {"level": ISOLATION, "limits": limits.to_json()},
    }


def _cpu() -> str:
    """Return the processor's name."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line)
    return next(names, platform.processor())
