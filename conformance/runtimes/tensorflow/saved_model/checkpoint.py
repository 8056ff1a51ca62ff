"""The stored values of the variables: ``variables.index`` and the data files that it points into.

TensorFlow is not asked: the index is checked here, and values are views of the mapped data files.
Each is compared with its checksum when it is first read. Format:
tensorflow/core/util/tensor_bundle and tensorflow/core/protobuf/tensor_bundle.proto.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, final

import numpy as np

from conformance.runtimes._protocol import Array, Unread
from conformance.runtimes.dtypes import DType
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.tensorflow.dtypes import STRING, dtype_of
from conformance.runtimes.tensorflow.faults import damaged
from conformance.runtimes.tensorflow.messages import message, parse
from conformance.runtimes.tensorflow.saved_model.crc32c import masked_crc32c
from conformance.runtimes.tensorflow.saved_model.files import INDEX, Files
from conformance.runtimes.tensorflow.saved_model.table import MOST_BYTES, read_table
from conformance.runtimes.wire import Span, WireReader
from conformance.verdicts import ConformanceError, LimitError, Location, UnsupportedError

_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
"""The description of the objects that variables belong to, which TensorFlow writes and reads."""

_MOST_RANK = 32
_CRC_BYTES = 4


@dataclass(frozen=True, slots=True)
class Stored:
    """A value: its key, element type (None for strings) and shape, and where its bytes lie."""

    key: str
    dtype: DType | None
    shape: tuple[int, ...]
    shard: int
    span: Span
    crc: int

    @property
    def elements(self) -> int:
        """Elements of the value."""
        return math.prod(self.shape)


@final
class Checkpoint:
    """The values of one checkpoint; without an index among the files there are none."""

    def __init__(self, files: Files, limit_bytes: int, format: str) -> None:
        path, self.file = files.index or (None, INDEX)
        self.entries: Mapping[str, Stored] = {}
        self._shards: list[MappedFile] = []
        self._sound: set[str] = set()
        self.unread: tuple[Unread, ...] = ()
        if path is not None:
            self._read_index(path, files.data, format)
            self._check_spans()
            self._check_total(limit_bytes)
        used = {shard.display for shard in self._shards}
        self.unused_files = tuple(name for _, name in files.data.values() if name not in used)

    def _read_index(self, path: Path, data: Mapping[str, tuple[Path, str]], format: str) -> None:
        with path.open("rb") as file:
            table = read_table(file.read(MOST_BYTES + 1), self.file)
        header = parse(
            _message("BundleHeaderProto", format), table.pop(b"", b""), self.file, "header"
        )
        self._shards = [_opened(name, data, self.file) for name in _data_names(header, self.file)]
        kind = _message("BundleEntryProto", format)
        entries = (self._stored(kind, key, value) for key, value in table.items())
        self.entries = {entry.key: entry for entry in entries}

    def read(self, key: str) -> Array:
        """Return the value of ``key`` as a view of the file; MalformedError if it is damaged."""
        stored = self.entries[key]
        array = np.frombuffer(self._bytes(stored), stored.dtype).reshape(stored.shape)
        return array if array.flags.aligned else array.copy()

    def text(self, key: str) -> bytes:
        """Return the one string that ``key`` holds; errors as for :meth:`read`."""
        stored = self.entries[key]
        data = self._mapped(stored).bytes_at(stored.span)
        reader = WireReader(memoryview(data.tobytes()), self._mapped(stored).display)
        length = next(reader.varints(Span(0, len(data)), key), 0)
        begin = len(data) - length
        if begin < _CRC_BYTES or self._sum_of_text(data, begin, length) != stored.crc:
            self._damaged(stored, "a string of its length and checksum", f"{len(data)} bytes")
        return data[begin:].tobytes()

    def where(self, key: str) -> Location:
        """Return where the value of ``key`` lies."""
        stored = self.entries[key]
        return Location(self._mapped(stored).display, byte_offset=stored.span.begin, element=key)

    def close(self) -> None:
        """Unmap the data files, as soon as no view of them is left."""
        for shard in self._shards:
            shard.close()

    def _mapped(self, stored: Stored) -> MappedFile:
        return self._shards[stored.shard]

    def _bytes(self, stored: Stored) -> np.ndarray[Any, np.dtype[np.uint8]]:
        data = self._mapped(stored).bytes_at(stored.span)
        if stored.key not in self._sound:
            found = masked_crc32c(data)
            if found != stored.crc:
                self._damaged(stored, f"checksum {stored.crc:08x}", f"checksum {found:08x}")
            self._sound.add(stored.key)
        return data

    @staticmethod
    def _sum_of_text(data: Array, begin: int, length: int) -> int:
        """Return the checksum of a string: of its length as 4 bytes, its checksum, its text."""
        fixed = np.frombuffer(length.to_bytes(4, "little"), np.uint8)
        return masked_crc32c(np.concatenate([fixed, data[begin - _CRC_BYTES :]]))

    def _stored(self, kind: Any, raw_key: bytes, value: bytes) -> Stored:
        key = raw_key.decode("utf-8", "backslashreplace")
        entry = parse(kind, value, self.file, key)
        where = Location(self.file, element=key)
        if entry.slices or entry.shape.unknown_rank:
            raise UnsupportedError(
                f"the variable {key!r} is stored in slices",
                where=where,
                expected="variables that are stored whole",
                found=f"{len(entry.slices)} slices",
                fix="Save the model on one device, without partitioned variables.",
            )
        shape = tuple(dim.size for dim in entry.shape.dim)
        dtype = None if entry.dtype == STRING else dtype_of(entry.dtype, where)
        span = Span(entry.offset, entry.offset + entry.size)
        size = math.prod(shape) * (dtype.itemsize if dtype is not None else 0)
        if min(shape, default=0) < 0 or len(shape) > _MOST_RANK or min(span) < 0:
            self._misfit(key, "a shape of sizes that are not negative", f"{shape}, bytes {span}")
        if not 0 <= entry.shard_id < len(self._shards):
            self._misfit(key, f"one of {len(self._shards)} data files", f"number {entry.shard_id}")
        if dtype is not None and span.size != size:
            self._misfit(key, f"{size} bytes for {dtype.name} of shape {shape}", f"{span.size}")
        return Stored(key, dtype, shape, entry.shard_id, span, entry.crc32c)

    def _check_spans(self) -> None:
        """Refuse values that leave their file or overlap; note what belongs to nobody."""
        ends = [0] * len(self._shards)
        free: list[Unread] = []
        for stored in sorted(self.entries.values(), key=lambda s: (s.shard, s.span)):
            mapped = self._mapped(stored)
            if stored.span.end > mapped.size:
                raise damaged(
                    mapped.display,
                    f"the value of {stored.key!r} is cut short",
                    byte_offset=mapped.size,
                    element=stored.key,
                    expected=f"bytes {stored.span.begin} to {stored.span.end}",
                    found=f"a file of {mapped.size} bytes",
                )
            if stored.span.size and stored.span.begin < ends[stored.shard]:
                self._damaged(stored, f"bytes from {ends[stored.shard]} on", "bytes of another")
            free.append(_gap(mapped, ends[stored.shard], stored.span.begin))
            if stored.dtype is None and stored.key != _OBJECTS:
                free.append(Unread(mapped.display, f"the string {stored.key}", stored.span.size))
            ends[stored.shard] = max(ends[stored.shard], stored.span.end)
        free += (_gap(each, end, each.size) for each, end in zip(self._shards, ends, strict=True))
        self.unread = tuple(free)

    def _check_total(self, limit_bytes: int) -> None:
        total = sum(stored.span.size for stored in self.entries.values())
        if total > limit_bytes:
            raise LimitError(
                "the variables take more memory than is allowed",
                where=Location(self.file),
                expected=f"at most {limit_bytes} bytes",
                found=f"{total} bytes",
                fix="Submit a smaller network, or judge it with a higher memory limit.",
            )

    def _misfit(self, key: str, expected: str, found: str) -> NoReturn:
        message = f"the entry of {key!r} contradicts itself"
        raise damaged(self.file, message, element=key, expected=expected, found=found)

    def _damaged(self, stored: Stored, expected: str, found: str) -> NoReturn:
        raise damaged(
            self._mapped(stored).display,
            f"the value of {stored.key!r} is damaged",
            byte_offset=stored.span.begin,
            element=stored.key,
            expected=expected,
            found=found,
        )


def _gap(shard: MappedFile, begin: int, end: int) -> Unread:
    piece = f"unaccounted bytes {begin} to {end}, of no variable"
    return Unread(shard.display, piece, max(0, end - begin))


def _message(name: str, format: str) -> Any:
    return message("protobuf.tensor_bundle", name, format)


def _data_names(header: Any, file: str) -> Sequence[str]:
    """Return the names of the data files that the header implies."""
    most = 1000
    if header.endianness != 0 or not 1 <= header.num_shards <= most:
        raise damaged(
            file,
            "the header of the index of the variables is not one that is read here",
            element="header",
            expected=f"1 to {most} data files, little-endian",
            found=f"{header.num_shards} data files, endianness {header.endianness}",
        )
    count = header.num_shards
    return [f"variables.data-{number:05d}-of-{count:05d}" for number in range(count)]


def _opened(name: str, files: Mapping[str, tuple[Path, str]], index: str) -> MappedFile:
    if name not in files:
        raise ConformanceError(
            "a data file of the variables is not declared",
            where=Location(index, element=name),
            expected=f"{name} next to the index, among the model's files",
            found=", ".join(sorted(files)) or "none",
            fix="List every file of the folder `variables` under the model's files.",
        )
    return MappedFile(*files[name])
