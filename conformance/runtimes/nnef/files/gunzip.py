"""Gzip files, decompressed step by step; nothing in them is skipped."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import BinaryIO

from conformance.verdicts import Location, MalformedError

MAX_ZEROS = 64 << 10
"""The most bytes of zeros at the end of the unpacked data."""

_MAX_NAME = 4096
_CHUNK = 1 << 16
_FHCRC, _FNAME = 0x02, 0x08


FIX = "Make the archive again: tar czf model.tgz -C FOLDER ."


class Unzipped:
    """The bytes of a gzip file, decompressed as they are asked for."""

    def __init__(self, path: Path, display: str) -> None:
        self.display = display
        self.size = path.stat().st_size
        self.offset = 0
        self._file: BinaryIO = path.open("rb")
        self._gunzip = zlib.decompressobj(wbits=31)
        self._check_header()

    def read(self, count: int) -> bytes:
        """Return the next ``count`` bytes; MalformedError if there are fewer."""
        data = b""
        while len(data) < count:
            more = self._some(count - len(data))
            if not more:
                raise self._wrong("the archive is cut short", f"{count - len(data)} bytes", "none")
            data += more
        self.offset += count
        return data

    def rest(self) -> None:
        """Read to the end; MalformedError if anything but a few zeros follows."""
        zeros = 0
        while more := self._some(_CHUNK):
            zeros += len(more)
            if more.strip(b"\0") or zeros > MAX_ZEROS:
                raise self._wrong(
                    "something follows the end of the archive",
                    *(f"at most {MAX_ZEROS} zeros", "other bytes, or more zeros"),
                )
        if self._gunzip.unused_data or self._file.read(1):
            raise self._wrong("something follows the compressed data", "nothing", "more bytes")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _some(self, most: int) -> bytes:
        """Return 1 to ``most`` bytes, or none at the end."""
        try:
            while not self._gunzip.eof:
                data = self._gunzip.unconsumed_tail or self._file.read(_CHUNK)
                made = self._gunzip.decompress(data, most)
                if made:
                    return made
                if not data:
                    raise self._wrong("the archive is cut short", "compressed data", "none")
        except zlib.error as error:
            raise self._wrong("the archive cannot be decompressed", "gzip", str(error)) from error
        return b""

    def _check_header(self) -> None:
        """Refuse notes in the gzip header, which may be of any length."""
        start = self._file.read(10 + _MAX_NAME)
        flags = start[3] if len(start) > 3 else 0  # noqa: PLR2004 - the place of the flags
        named = flags & _FNAME and b"\0" not in start[10:]
        if start[:2] != b"\x1f\x8b" or flags & ~(_FHCRC | _FNAME) or named:
            raise self._wrong(
                "bad gzip header (magic or flags)",
                *("1f 8b, and no extra field or comment", start[:4].hex(" ") or "no bytes"),
            )
        self._file.seek(0)

    def where(self, element: str | None = None) -> Location:
        """Return the place that was read up to: the bytes of an archive count unpacked."""
        parts = [*([element] if element else []), f"byte {self.offset} of the unpacked archive"]
        return Location(file=self.display, element=", ".join(parts))

    def _wrong(self, message: str, expected: str, found: str) -> MalformedError:
        return MalformedError(message, where=self.where(), expected=expected, found=found, fix=FIX)
