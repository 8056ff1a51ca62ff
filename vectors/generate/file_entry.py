"""How the metadata describe a file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any


def describe_file(root: Path, path: Path) -> dict[str, Any]:
    """Return path relative to ``root``, size in bytes and SHA-256 of the file at ``path``."""
    data = path.read_bytes()
    return {
        "rel_filepath": path.relative_to(root).as_posix(),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
