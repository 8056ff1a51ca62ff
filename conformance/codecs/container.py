"""Unpack a compressed container into a temporary file, with a bound on every size.

A container is exactly one zstandard frame (RFC 8878), one .xz stream or one zlib stream
(RFC 1950), and nothing after it. Output is taken in bounded pieces, so that memory stays bounded
whatever the bytes say.
"""

from __future__ import annotations

import lzma
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import BinaryIO, Literal, Protocol, TypeAlias, cast

import zstandard

from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

Container: TypeAlias = Literal["none", "zstd", "xz", "deflate"]

MAX_WINDOW_BYTES = 2**27
"""The largest zstandard window and .xz memory that are accepted: what ``zstd`` takes unasked."""

_ERRORS = (zlib.error, lzma.LZMAError, zstandard.ZstdError)
"""What the decompressors raise about damaged data."""
_PIECE_BYTES = 2**20
_ZSTD_SLICE_BYTES = 2**10  # a slice of this size cannot give more than 32 MiB
_READ_BYTES = 2**16
_MAGIC: Mapping[str, bytes] = {"zstd": b"\x28\xb5\x2f\xfd", "xz": b"\xfd7zXZ\0"}
_ZSTD_HEADER_BYTES = 18


def unpack(file: BinaryIO, container: Container, decoded_size: int, display: str) -> BinaryIO:
    """Return a temporary file with the ``decoded_size`` bytes inside the container ``file``.

    A MalformedError is raised if the container is damaged, cut off, followed by something, or
    shorter than declared; a LimitError if it is longer, or needs too much memory to unpack.
    """
    head = file.read(_ZSTD_HEADER_BYTES)
    file.seek(0)
    _check_magic(head, container, display)
    if container == "zstd":
        _check_zstandard(head, display)
    with ExitStack() as stack:
        unpacked = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile()))
        _unpack_into(unpacked, file, container, decoded_size, display)
        stack.pop_all()
    return unpacked


def _unpack_into(
    unpacked: BinaryIO, file: BinaryIO, container: Container, decoded_size: int, display: str
) -> None:
    unpacker = _UNPACKERS[container]()
    size = 0
    for piece in _pieces(file, unpacker, container, display):
        size += len(piece)
        if size > decoded_size:
            raise _too_long(container, decoded_size, display)
        unpacked.write(piece)
    unpacked.seek(0)
    if size < decoded_size:
        raise MalformedError(
            f"the {container} container holds less than declared",
            where=Location(file=display, element=f"{container} container"),
            expected=f"decoded_size: {decoded_size} bytes",
            found=f"{size} bytes",
            fix=f"Declare decoded_size {size}, or submit the right file.",
        )


def _pieces(
    file: BinaryIO, unpacker: _Unpacker, container: Container, display: str
) -> Iterator[bytes]:
    """Yield what the container holds; it must end where the file ends."""
    offset = 0
    try:
        while not unpacker.ended and (data := file.read(_READ_BYTES)):
            yield from unpacker.feed(data)
            offset += len(data)
    except _ERRORS as error:
        raise _damaged(error, container, offset, display) from error
    if not unpacker.ended:
        raise _refused(
            f"the {container} container is cut off",
            Location(file=display, byte_offset=offset, element="end of file"),
            f"a whole {container} stream",
            f"the file ends after {offset} bytes",
            "Submit the whole file.",
        )
    trailing = unpacker.unused or len(file.read(1))
    if trailing:
        raise _refused(
            f"something follows the {container} container",
            Location(
                file=display, byte_offset=offset - unpacker.unused, element="end of the container"
            ),
            f"one {container} stream (a single frame), and then the end of the file",
            "more bytes",
            "Compress everything as one stream, and remove what follows it.",
        )


def _damaged(error: Exception, container: Container, offset: int, display: str) -> MalformedError:
    where = Location(file=display, byte_offset=offset, element=f"{container} container")
    if "Memory usage limit" in str(error):
        return LimitError(
            f"the {container} container needs too much memory to unpack",
            where=where,
            expected=f"at most {MAX_WINDOW_BYTES} bytes",
            found=str(error),
            fix="Compress with a smaller dictionary (xz -9 or below).",
        )
    return _refused(
        f"the {container} container is damaged",
        where,
        f"a {container} stream (in the {_READ_BYTES} bytes from here on)",
        str(error),
        "Compress the payload again, or correct the container in the codec's parameters.",
    )


def _too_long(container: Container, decoded_size: int, display: str) -> LimitError:
    return LimitError(
        f"the {container} container holds more than declared",
        where=Location(file=display, element=f"{container} container"),
        expected=f"decoded_size: {decoded_size} bytes",
        found="more; unpacking was stopped there",
        fix="Declare the size of the payload before compression as decoded_size.",
    )


def _check_magic(head: bytes, container: Container, display: str) -> None:
    magic = _MAGIC.get(container, b"")
    if not head.startswith(magic):
        raise _refused(
            f"not a valid {container} stream (bad magic)",
            Location(file=display, byte_offset=0, element=f"{container} magic number"),
            f"bytes {magic.hex(' ')}",
            head[: len(magic)].hex(" ") or "an empty file",
            f"Compress the payload with {container}, or correct the codec's parameters.",
        )


def _check_zstandard(head: bytes, display: str) -> None:
    """Check the frame header before the library acts on it."""
    where = Location(file=display, byte_offset=0, element="zstd frame header")
    try:
        frame = zstandard.get_frame_parameters(head)
    except zstandard.ZstdError as error:
        raise _damaged(error, "zstd", 0, display) from error
    if frame.window_size > MAX_WINDOW_BYTES:
        raise LimitError(
            "the zstd container needs too large a window to unpack",
            where=where,
            expected=f"a window of at most {MAX_WINDOW_BYTES} bytes",
            found=f"{frame.window_size} bytes",
            fix="Compress without --long, or with --long=27 or less.",
        )
    if frame.dict_id:
        raise UnsupportedError(
            "the zstd container needs a dictionary",
            where=where,
            expected="a frame that needs none",
            found=f"dictionary {frame.dict_id}",
            fix="Compress without a dictionary.",
        )


def _refused(message: str, where: Location, expected: str, found: str, fix: str) -> MalformedError:
    return MalformedError(message, where=where, expected=expected, found=found, fix=fix)


class _Unpacker(Protocol):
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


_UNPACKERS: Mapping[str, type[_Unpacker]] = {
    "deflate": _Deflate,
    "xz": _Xz,
    "zstd": _Zstandard,
}
"""The decompressor of each container."""
