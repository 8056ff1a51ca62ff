"""Arrays that a job leaves for others, in safetensors files of limited size.

Names are in a list of their own: bitstreams may name tensors as no file of tensors would. What
safetensors have no type for is stored as bytes, strings as in :func:`~..tensorfiles.pack_strings`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import final

import ml_dtypes
import numpy as np

from conformance.sandbox.limits import Limits
from conformance.tensorfiles import (
    SAFETENSORS_CODES,
    Array,
    open_tensors,
    pack_strings,
    unpack_strings,
    write_tensors,
)
from conformance.verdicts import Json

OUTPUTS = "outputs"

FILE_BYTES = 64 << 20
"""Bytes of arrays that are gathered before they are written."""


@final
class ArrayWriter:
    """Writes arrays one by one to files in ``folder`` whose names begin with ``stem``."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder, self._stem = folder, stem
        self._listed: list[list[Json]] = []
        self._files = 0
        self._waiting: dict[str, Array] = {}

    def add(self, name: str, array: Array) -> None:
        """Take in one more array."""
        number, kind, shape = len(self._listed), array.dtype.name, list(array.shape)
        if array.dtype.kind in "USO":
            parts, kind = pack_strings(array), "string"
        elif kind in SAFETENSORS_CODES:
            parts = {"": array}
        else:
            parts = {"": np.ascontiguousarray(array).reshape(-1).view(np.uint8)}
        self._listed.append([name, kind, shape, self._files])
        self._waiting |= {f"{number}:{part}": each for part, each in parts.items()}
        if sum(each.nbytes for each in self._waiting.values()) > FILE_BYTES:
            self._write()

    def close(self) -> None:
        """Write what is left, and the list."""
        if self._waiting:
            self._write()
        (self._folder / f"{self._stem}.json").write_text(json.dumps(self._listed), "utf-8")

    def _write(self) -> None:
        write_tensors(_file(self._folder, self._stem, self._files), self._waiting)
        self._files += 1
        self._waiting = {}


@contextmanager
def array_writer(folder: Path, stem: str) -> Iterator[ArrayWriter]:
    """Give a writer, whose files are complete at the end."""
    writer = ArrayWriter(folder, stem)
    yield writer
    writer.close()


def store_arrays(folder: Path, stem: str, arrays: Mapping[str, Array]) -> None:
    """Write arrays that are all there."""
    with array_writer(folder, stem) as writer:
        for name, array in arrays.items():
            writer.add(name, array)


def stored_arrays(folder: Path, stem: str, limits: Limits) -> dict[str, Array]:
    """Return what was written with this stem: views of the files, which stay mapped."""
    listed = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
    held: dict[int, dict[str, Array]] = {}
    found: dict[str, Array] = {}
    for number, (name, kind, shape, file) in enumerate(listed):
        if file not in held:
            held[file] = _read(_file(folder, stem, file), limits)
        found[name] = _array(held[file], number, kind, shape)
    return found


def store_outputs(folder: Path, shard: int, outputs: Mapping[str, Array]) -> None:
    """Write what a network gives on one shard."""
    store_arrays(folder, f"{OUTPUTS}-{shard}", outputs)


def stored_outputs(folder: Path, shard: int, limits: Limits) -> dict[str, Array]:
    """Return what :func:`store_outputs` wrote."""
    return stored_arrays(folder, f"{OUTPUTS}-{shard}", limits)


def _array(held: Mapping[str, Array], number: int, kind: str, shape: list[int]) -> Array:
    if kind == "string":
        parts = (each for each in held if each.partition(":")[0] == str(number))
        return unpack_strings({each.partition(":")[2]: held[each] for each in parts})
    array = held[f"{number}:"]
    if kind in SAFETENSORS_CODES:
        return array
    return array.view(np.dtype(getattr(ml_dtypes, kind, kind))).reshape(shape)


def _read(path: Path, limits: Limits) -> dict[str, Array]:
    with open_tensors(path, display=path.name, limit_bytes=limits.memory_bytes) as held:
        return {name: held[name] for name in held}


def _file(folder: Path, stem: str, number: int) -> Path:
    return folder / f"{stem}.{number}.safetensors"
