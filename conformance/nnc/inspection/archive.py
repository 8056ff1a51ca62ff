"""Writing decoded tensors as an .npz file, whatever their names are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from numpy.lib.format import write_array
from numpy.typing import NDArray

_LONGEST_NAME = 65_000


def write_npz(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write tensors to ``path``; the file is complete or not there.

    ``numpy.savez`` takes names as keyword arguments, and so refuses some. A :class:`ValueError`
    says that a name is too long for an entry of an archive.
    """
    for name in tensors:
        if len(name.encode()) > _LONGEST_NAME:
            raise ValueError(f"the name {name[:40]!r}... is too long for a .npz file")
    part = path.with_name(f"{path.name}.part")
    try:
        with ZipFile(part, "w", ZIP_STORED) as archive:
            for name, tensor in tensors.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    write_array(entry, tensor, allow_pickle=False)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
