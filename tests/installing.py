"""A separate interpreter, in which a package of plug-ins is installed next to this one."""

from __future__ import annotations

import sys
import venv
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def interpreter_with(
    folder: Path, name: str, version: str, sources: Mapping[str, str], groups: Mapping[str, str]
) -> str:
    """Return a Python with this environment's packages and the distribution ``name``.

    ``sources`` are its modules by file name, ``groups`` the lines of each entry point group.
    """
    environment = folder / "venv"
    venv.create(environment, symlinks=True)
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    for file, source in sources.items():
        (folder / file).write_text(source, encoding="utf-8")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(
        "\n".join(f"[{group}]\n{lines}" for group, lines in groups.items())
    )
    [packages] = environment.glob("lib/*/site-packages")
    reachable = [str(folder), str(ROOT), *(path for path in sys.path if "site-packages" in path)]
    (packages / "plugins.pth").write_text("\n".join(reachable))
    return str(environment / "bin" / "python")
