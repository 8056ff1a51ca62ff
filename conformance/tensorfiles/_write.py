"""Write files of named arrays; the same arrays always give the same bytes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from conformance.tensorfiles._open import Format
from conformance.tensorfiles.dtypes import SAFETENSORS_CODES, Array, is_extended

_EPOCH = (1980, 1, 1, 0, 0, 0)
_ALIGNMENT = 8


def write_tensors(
    path: Path, arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None
) -> None:
    """Write ``arrays`` to the ``.safetensors`` or ``.npz`` file at ``path``.

    ``metadata`` are strings: ``__metadata__`` of safetensors; in an ``.npz``, members whose names
    end in ``.json``. A :class:`ValueError` says which array the format cannot hold.
    """
    with path.open("wb") as file:
        dump_tensors(file, "npz" if path.suffix == ".npz" else "safetensors", arrays, metadata)


def dump_tensors(
    file: BinaryIO,
    format: Format,
    arrays: Mapping[str, Array],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write ``arrays`` to the open ``file`` as ``format``."""
    if format == "npz":
        _dump_npz(file, arrays, metadata or {})
    else:
        _dump_safetensors(file, arrays, metadata or {})


def _dump_safetensors(
    file: BinaryIO, arrays: Mapping[str, Array], metadata: Mapping[str, str]
) -> None:
    order = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    header: dict[str, object] = {}
    position = 0
    for name in order:
        array = arrays[name]
        if array.dtype.name not in SAFETENSORS_CODES:
            raise ValueError(f"safetensors cannot hold {name!r}: it is {array.dtype.name}")
        end = position + array.nbytes
        header[name] = {
            "dtype": SAFETENSORS_CODES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [position, end],
        }
        position = end
    if metadata:
        header["__metadata__"] = dict(metadata)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    file.write(len(text).to_bytes(8, "little") + text)
    for name in order:
        file.write(byte_view(arrays[name]))


def _dump_npz(file: BinaryIO, arrays: Mapping[str, Array], metadata: Mapping[str, str]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = arrays[name]
            if array.dtype.kind in "OV" or is_extended(array.dtype):
                raise ValueError(f"npz cannot hold {name!r}: it is {array.dtype.name}")
            member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            with archive.open(member, "w", force_zip64=array.nbytes >= 2**31) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)
        for name in sorted(metadata):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), metadata[name])


def byte_view(array: Array) -> memoryview:
    """Return the little-endian C-order bytes of ``array``; they are copied only if they differ."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little).reshape(-1).view(np.uint8).data
