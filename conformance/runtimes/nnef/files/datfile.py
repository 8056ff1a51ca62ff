"""Tensor files (``.dat``) of NNEF 1.0: the header is checked before a byte of the data is read.

A header has 128 bytes: the magic number 4E EF, the version, the length of the data, the rank, eight
extents, the bits of an item, the item type, and reserved bytes. All numbers are little-endian.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType
from conformance.runtimes.nnef.files.stored import StoredFile
from conformance.tensorfiles import LFS_BYTES
from conformance.verdicts import MalformedError, UnsupportedError

HEADER_BYTES = 128
MAX_RANK = 8

_MAGIC = b"\x4e\xef"
_FIELDS = struct.Struct("<4sII8III76s")
_OFFSETS = {"magic": 0, "version": 2, "data length": 4, "rank": 8, "extents": 12}
_BITS, _ITEM_TYPE, _RESERVED = 44, 48, 52
_FLOAT, _UINT, _QUINT, _QINT, _INT, _BOOL = range(6)
_TYPE_NAMES = ("float", "uint", "quint", "qint", "int", "bool")
_KINDS = {_FLOAT: "f", _UINT: "u", _QUINT: "u", _QINT: "i", _INT: "i"}
_WIDTHS = {
    _FLOAT: (16, 32, 64),
    _UINT: (8, 16, 32),
    _QUINT: (8, 16, 32),
    _QINT: (8, 16, 32),
    _INT: (8, 16, 32, 64),
    _BOOL: (1, 8),
}
_SIGNED_FLAG = b"\x01" + bytes(75)
_FIX = "Write the tensor again with nnef.write_tensor (nnef 1.0.3 or newer)."


@dataclass(frozen=True, slots=True)
class TensorFile:
    """A tensor file whose header was checked; ``dtype`` is that of :meth:`read`."""

    file: StoredFile
    shape: tuple[int, ...]
    dtype: DType
    is_quantised: bool
    is_packed: bool

    @property
    def elements(self) -> int:
        """How many items there are."""
        return math.prod(self.shape)

    @property
    def item_name(self) -> str:
        """The type of an item, in a message."""
        return f"quantised {self.dtype.name}" if self.is_quantised else self.dtype.name

    def read(self) -> Array:
        """Return the items: a read-only view of the file, but for logical items."""
        if self.dtype != np.bool_:
            mapped = np.memmap(self.file.path, self.dtype, "r", HEADER_BYTES, self.shape)
            items: Array = mapped.view(np.ndarray)
            return items
        stored = np.fromfile(self.file.path, np.uint8, offset=HEADER_BYTES)
        bits = np.unpackbits(stored, count=self.elements) if self.is_packed else stored
        flags: Array = (bits != 0).reshape(self.shape)
        return flags


def open_tensor(file: StoredFile) -> TensorFile:
    """Return the tensor in ``file``.

    Raises MalformedError if the header contradicts itself or the size of the file, and
    UnsupportedError for item types of a vendor, or that cannot be run here.
    """
    size = file.size()
    with file.path.open("rb") as stream:
        header = stream.read(HEADER_BYTES)
    file.check_start(header[:LFS_BYTES])
    return _Header(file, header, size).tensor()


class _Header:
    def __init__(self, file: StoredFile, data: bytes, size: int) -> None:
        self._file = file
        self._size = size
        self._check_magic(data)
        if len(data) < HEADER_BYTES:
            raise self._wrong("the header is cut short", "header", len(data), 128, len(data))
        _, self._length, self._rank, *rest = _FIELDS.unpack(data)
        self._extents, (self._bits, self._type, self._reserved) = rest[:MAX_RANK], rest[MAX_RANK:]

    def tensor(self) -> TensorFile:
        """Return what the header says, once all of it is checked."""
        shape = self._shape()
        dtype = self._dtype()
        needed = (math.prod(shape) * self._bits + 7) // 8
        if self._length != needed:
            raise self._wrong(
                "the data length does not fit the shape",
                *("data length", _OFFSETS["data length"]),
                f"{needed} bytes for {self._bits} bits x {list(shape)}",
                f"{self._length} bytes",
            )
        if self._size != HEADER_BYTES + needed:
            raise self._wrong(
                "the file does not end where its data do",
                *("data", min(self._size, HEADER_BYTES + needed)),
                f"{HEADER_BYTES + needed} bytes",
                f"{self._size} bytes",
            )
        quantised = self._type in {_QINT, _QUINT}
        return TensorFile(self._file, shape, dtype, quantised, self._bits == 1)

    def _check_magic(self, data: bytes) -> None:
        if data[:2] != _MAGIC:
            raise self._wrong(
                "not an NNEF tensor file (bad magic)",
                *("magic", 0, "4e ef"),
                data[:2].hex(" "),
            )
        if data[2:4] != b"\x01\x00":
            raise self._wrong(
                "the tensor file has a different version than 1.0",
                *("version", 2, "01 00"),
                data[2:4].hex(" "),
            )

    def _shape(self) -> tuple[int, ...]:
        if self._rank > MAX_RANK:
            raise self._wrong(
                "the rank is too large", "rank", _OFFSETS["rank"], f"at most {MAX_RANK}", self._rank
            )
        shape, rest = self._extents[: self._rank], self._extents[self._rank :]
        if 0 in shape or any(rest):
            raise self._wrong(
                "the extents do not fit the rank",
                *("extents", _OFFSETS["extents"]),
                f"{self._rank} extents above 0, then zeros",
                self._extents,
            )
        return tuple(shape)

    def _dtype(self) -> DType:
        item_type = self._item_type()
        if self._bits not in _WIDTHS[item_type]:
            raise UnsupportedError(
                "the items have a width that cannot be run here",
                where=self._file.where("bits per item", offset=_BITS),
                expected=" or ".join(f"{bits} bits" for bits in _WIDTHS[item_type])
                + f" for {_TYPE_NAMES[item_type]}",
                found=f"{self._bits} bits",
                fix="Store the items in one of these widths.",
            )
        if item_type == _BOOL:
            return np.dtype(np.bool_)
        return np.dtype(f"<{_KINDS[item_type]}{self._bits // 8}")

    def _item_type(self) -> int:
        if self._type >> 16:
            raise self._no_type("an item type of a vendor")
        if self._type not in _WIDTHS:
            raise self._no_type("an item type that NNEF 1.0 does not have")
        # Before NNEF 1.0.3 there was one type of integers, and a flag for signed ones.
        if self._type == _UINT and self._reserved == _SIGNED_FLAG:
            return _INT
        if any(self._reserved):
            raise self._wrong(
                "the reserved bytes of the header are in use",
                *("reserved", _RESERVED, "zeros", self._reserved.hex(" ", 4)[:80]),
            )
        return int(self._type)

    def _no_type(self, what: str) -> UnsupportedError:
        return UnsupportedError(
            f"the items have {what}",
            where=self._file.where("item type", offset=_ITEM_TYPE),
            expected=", ".join(f"{code} ({name})" for code, name in enumerate(_TYPE_NAMES)),
            found=f"{self._type:#x}",
            fix=f"{_FIX} Quantisation is declared in graph.quant.",
        )

    def _wrong(
        self, message: str, element: str, offset: int, expected: object, found: object
    ) -> MalformedError:
        return MalformedError(
            message,
            where=self._file.where(element, offset=offset),
            expected=str(expected),
            found=str(found),
            fix=_FIX,
        )
