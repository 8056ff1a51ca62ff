"""What the processes of ``nnc_decode.py`` say about themselves, in any interpreter."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def resident() -> int:
    """Return the bytes of memory that this process holds now."""
    return _status("VmRSS")


def peak() -> int:
    """Return the most bytes of memory that this process ever held."""
    return _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the system does not report " + name)


def digest(tensors: Mapping[str, Any]) -> str:
    """Return a digest of names, data types, shapes and values."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        total.update(repr((name, str(tensor.dtype), tensor.shape)).encode())
        total.update(tensor.tobytes())
    return total.hexdigest()
