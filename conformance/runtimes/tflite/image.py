"""A private copy of a model file with other data in its tensors.

What has the length of the old data is put in its place. A tensor that shares its data with another
one, as converters let equal constants do, gets its own data, at the end of the copy: a new list
of buffers is there, in which old ones are named by their position in the file (the schema's
``offset`` and ``size``, meant for large models). So does a sparse tensor, whose places may not be
those of another tensor's zeros: in the copy it is one whose every level is dense, and `DENSIFY`
unpacks all of its values.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from conformance.runtimes.tflite.model import Model, Range
from conformance.runtimes.tflite.stored import Stored

LARGEST_TABLES = (1 << 31) - 1
"""The bytes that offsets of a FlatBuffers file may span."""

_ALIGNMENT = 64
_TABLE = struct.Struct("<i4xQQ")
_VTABLE = struct.pack("<5H", 10, _TABLE.size, 0, 8, 16)
_VTABLE_BYTES = 16
_SPARSITY = struct.Struct("<5H2x4Hi2I")
"""The vtables of SparsityParameters (without a block map) and of a dense level; then the former."""
_SPARSITY_TABLE = 20
"""Where the table begins after its vtables."""
_LEVEL = struct.Struct("<2i")
"""A dense level: how far back its vtable is, and its size."""
_NUMBER = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the copy of a file of ``size`` bytes has the data of each tensor, by name.

    ``patches`` are bytes that differ from the file whatever the data, and ``total`` is the size of
    the copy.
    """

    size: int
    total: int
    places: Mapping[str, Range]
    patches: Mapping[int, bytes]

    @property
    def is_plain(self) -> bool:
        """Whether every tensor has its data where the file has them."""
        return not self.patches


def plan_layout(model: Model, tensors: Sequence[Stored], size: int) -> Layout:
    """Return where data of ``tensors`` go in a copy of a file of ``size`` bytes."""
    places: dict[str, Range] = {}
    taken: set[Range] = set()
    moved: list[Stored] = []
    for tensor in tensors:
        if tensor.data in taken or tensor.sparsity_place is not None:
            moved.append(tensor)
        else:
            taken.add(tensor.data)
            places[tensor.name] = tensor.data
    if not moved:
        return Layout(size, size, places, {})
    begin = _aligned(size)
    buffers = [each or Range(0, 0) for each in model.buffers]
    end = begin + len(_buffer_list([*buffers, *(each.data for each in moved)]))
    patches: dict[int, bytes] = {}
    for tensor in moved:
        start = _aligned(end)
        end = start + tensor.dense_bytes
        places[tensor.name] = Range(start, end)
        if tensor.sparsity_place is not None:
            table = _aligned(end)
            patches[table] = _all_dense(tensor.shape)
            offset = table + _SPARSITY_TABLE - tensor.sparsity_place
            patches[tensor.sparsity_place] = _NUMBER.pack(offset)
            end = table + len(patches[table])
    added = [places[each.name] for each in moved]
    root = model.table.places["buffers"]
    patches |= {root: _NUMBER.pack(begin - root), begin: _buffer_list([*buffers, *added])}
    for index, tensor in enumerate(moved, len(buffers)):
        patches[tensor.buffer_place] = _NUMBER.pack(index)
    return Layout(size, end, places, patches)


@contextmanager
def written_copy(
    data: memoryview, layout: Layout, contents: Mapping[str, npt.NDArray[np.uint8]]
) -> Iterator[str]:
    """Yield the path of a copy in memory of the file ``data``, with ``contents`` in its tensors.

    ``contents`` are bytes, for every place of the layout. On leaving, the copy is gone as soon as
    nobody has it mapped.
    """
    with _file_of(layout.total) as (path, copy):
        _write(copy, data, layout, contents)
        yield path


def _write(
    copy: mmap.mmap,
    data: memoryview,
    layout: Layout,
    contents: Mapping[str, npt.NDArray[np.uint8]],
) -> None:
    target, source = np.frombuffer(copy, np.uint8), np.frombuffer(data, np.uint8)
    position = 0
    # The file's own data are not even read: each page of them would take memory.
    for span in sorted(each for each in layout.places.values() if each.end <= layout.size):
        target[position : span.begin] = source[position : span.begin]
        position = span.end
    target[position : layout.size] = source[position:]
    for place, patch in layout.patches.items():
        target[place : place + len(patch)] = np.frombuffer(patch, np.uint8)
    for name, span in layout.places.items():
        target[span.begin : span.end] = contents[name]


@contextmanager
def _file_of(size: int) -> Iterator[tuple[str, mmap.mmap]]:
    """Yield a new file of ``size`` bytes: its path, and its memory."""
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("model"), "r+b") as file:
            file.truncate(size)
            with mmap.mmap(file.fileno(), size) as memory:
                yield f"/proc/self/fd/{file.fileno()}", memory
    else:
        with tempfile.NamedTemporaryFile() as named:
            named.truncate(size)
            with mmap.mmap(named.fileno(), size) as memory:
                yield named.name, memory


def _buffer_list(buffers: Sequence[Range]) -> bytes:
    """Return a vector of buffer tables, which begins at a multiple of 64; then the tables."""
    header = -(-(_NUMBER.size * (1 + len(buffers))) // _VTABLE_BYTES) * _VTABLE_BYTES
    vtable = header
    first = header + _VTABLE_BYTES
    vector = bytearray(_NUMBER.pack(len(buffers)))
    tables = bytearray()
    for index, buffer in enumerate(buffers):
        position = first + index * _TABLE.size
        vector += _NUMBER.pack(position - _NUMBER.size * (1 + index))
        tables += _TABLE.pack(position - vtable, buffer.begin, buffer.size)
    return bytes(vector.ljust(header, b"\0") + _VTABLE.ljust(_VTABLE_BYTES, b"\0") + tables)


def _all_dense(shape: Sequence[int]) -> bytes:
    """Return the two vtables, and the sparsity of a tensor of which every element is stored."""
    rank = len(shape)
    order = _NUMBER.size * (1 + rank)
    first = _SPARSITY.size + 2 * order
    table = _SPARSITY.pack(10, 12, 4, 0, 8, 8, 8, 0, 4, _SPARSITY_TABLE, 8, order + 4)
    levels = [first + dim * _LEVEL.size for dim in range(rank)]
    vector = _SPARSITY.size + order + _NUMBER.size
    offsets = [place - vector - dim * _NUMBER.size for dim, place in enumerate(levels)]
    return b"".join(
        [
            table,
            struct.pack(f"<{1 + rank}I", rank, *range(rank)),
            struct.pack(f"<{1 + rank}I", rank, *offsets),
            *(_LEVEL.pack(place - 12, size) for place, size in zip(levels, shape, strict=True)),
        ]
    )


def _aligned(position: int) -> int:
    return -(-position // _ALIGNMENT) * _ALIGNMENT
