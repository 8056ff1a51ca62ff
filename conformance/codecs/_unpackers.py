"""Decompressors with one interface: fed in order, giving bounded pieces."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator, Mapping
from typing import Protocol

import zstandard

MAX_WINDOW_BYTES = 2**27
"""The largest zstandard window and .xz memory that are accepted: what ``zstd`` takes unasked."""

ERRORS = (zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""What the decompressors raise about damaged data."""

_PIECE_BYTES = 2**20
_ZSTD_SLICE_BYTES = 2**10  # a slice of this size cannot give more than 32 MiB


class Unpacker(Protocol):
    """A decompressor of one stream, fed the bytes of a file in order."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes, and yield what they give in bounded pieces."""
        ...

    @property
    def ended(self) -> bool:
        """Whether the stream has come to its end."""
        ...

    @property
    def unused(self) -> int:
        """How many of the bytes last fed lie after the end of the stream."""
        ...


class _Deflate:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        piece = self._inner.decompress(data, _PIECE_BYTES)
        yield piece
        while not self._inner.eof and len(piece) == _PIECE_BYTES:
            piece = self._inner.decompress(self._inner.unconsumed_tail, _PIECE_BYTES)
            yield piece

    @property
    def ended(self) -> bool:
        return self._inner.eof

    @property
    def unused(self) -> int:
        return len(self._inner.unused_data)


class _Xz:
    def __init__(self) -> None:
        self._inner = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_WINDOW_BYTES)

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield self._inner.decompress(data, _PIECE_BYTES)
        while not self._inner.eof and not self._inner.needs_input:
            yield self._inner.decompress(b"", _PIECE_BYTES)

    @property
    def ended(self) -> bool:
        return self._inner.eof

    @property
    def unused(self) -> int:
        return len(self._inner.unused_data)


class _Zstandard:
    def __init__(self) -> None:
        inner = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
        self._inner = inner.decompressobj(write_size=_PIECE_BYTES)
        self._left = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        for begin in range(0, len(data), _ZSTD_SLICE_BYTES):
            yield self._inner.decompress(data[begin : begin + _ZSTD_SLICE_BYTES])
            if self._inner.eof:
                self._left = max(0, len(data) - begin - _ZSTD_SLICE_BYTES)
                return

    @property
    def ended(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused(self) -> int:
        return self._left + len(self._inner.unused_data)


UNPACKERS: Mapping[str, type[Unpacker]] = {
    "deflate": _Deflate,
    "xz": _Xz,
    "zstd": _Zstandard,
}
"""The decompressor of each container."""
