"""Look at the end of a ZIP archive before anything reads its directory into memory.

The structures are those of PKWARE's APPNOTE.TXT: 4.3.16 (end of central directory record),
4.3.15 and 4.3.14 (its Zip64 locator and record).
"""

from __future__ import annotations

import os
from typing import BinaryIO

from conformance.verdicts import LimitError, Location, MalformedError

MAX_DIRECTORY_BYTES = 8 * 2**20
_END, _END_BYTES, _END_SIZE_AT = b"PK\x05\x06", 22, 12
_LOCATOR, _LOCATOR_BYTES = b"PK\x06\x07", 20
_END64, _END64_BYTES, _END64_SIZE_AT = b"PK\x06\x06", 56, 40


def check_end(file: BinaryIO, display: str) -> None:
    """Refuse an archive that is cut off, goes on after its end, or has a huge directory."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES - _LOCATOR_BYTES - _END64_BYTES))
    tail = file.read()
    end = tail[-_END_BYTES:]
    if len(end) < _END_BYTES or not end.startswith(_END) or end[-2:] != b"\0\0":
        raise MalformedError(
            "no end-of-central-directory record at the end of the file",
            where=Location(
                file=display, byte_offset=max(0, size - _END_BYTES), element="end of archive"
            ),
            expected="an end of central directory record, without a comment, as the last 22 bytes",
            found=repr(end[:4]),
            fix="Submit the whole .npz file: it is cut off, or something was added to it.",
        )
    directory = _directory_bytes(tail, end)
    if directory > MAX_DIRECTORY_BYTES:
        raise LimitError(
            "the directory of the archive is too long",
            where=Location(file=display, byte_offset=size - _END_BYTES, element="end of archive"),
            expected=f"at most {MAX_DIRECTORY_BYTES} bytes",
            found=f"{directory} bytes",
            fix="Store fewer arrays in one file.",
        )


def _directory_bytes(tail: bytes, end: bytes) -> int:
    """Return the size of the central directory; a Zip64 record goes before the old one."""
    before = tail[:-_END_BYTES]
    record = before[:_END64_BYTES]
    if before[_END64_BYTES:].startswith(_LOCATOR) and record.startswith(_END64):
        return int.from_bytes(record[_END64_SIZE_AT : _END64_SIZE_AT + 8], "little")
    return int.from_bytes(end[_END_SIZE_AT : _END_SIZE_AT + 4], "little")
