"""Read ``.npz`` files: a ZIP archive of ``NAME.npy`` members, and of strings as ``NAME.json``.

Sizes in the archive, in the NumPy headers and the limit are compared before memory is allocated;
a member is never read beyond the bytes its header declares, and its CRC-32 is verified.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import IO, BinaryIO, cast

import numpy as np

from conformance.tensorfiles._file import Entry, TensorFile
from conformance.tensorfiles._npy import read_npy_header
from conformance.tensorfiles._stored import Stored, build_array, check_name, check_total
from conformance.tensorfiles._zipend import check_end
from conformance.tensorfiles.dtypes import Array
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

MAX_TEXT_BYTES = 8 * 2**20
_ENCRYPTED = 1
_METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_DEFLATE_MAX_RATIO = 1032
_DEFLATE_SLACK = 64
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
)
_RESAVE = "Write the file again with numpy.savez or numpy.savez_compressed."


def read_npz(file: BinaryIO, display: str, limit_bytes: int) -> TensorFile:
    """Open the archive ``file``, which belongs to the result from then on."""
    check_end(file, display)
    with _explained(Location(file=display, element="central directory")):
        archive = zipfile.ZipFile(file)
    members = _members(archive, display)
    arrays = {name: info for name, info in members.items() if name.endswith(".npy")}
    entries = dict(_entry(archive, info, display) for info in arrays.values())
    check_total(display, {name: entry.stored for name, entry in entries.items()}, limit_bytes)
    texts = {name: info for name, info in members.items() if name.endswith(".json")}
    return TensorFile(
        display,
        entries,
        metadata=_read_texts(archive, texts, display),
        metadata_where={name: _where(info, display) for name, info in texts.items()},
        close=partial(_close, archive, file),
    )


def _close(archive: zipfile.ZipFile, file: BinaryIO) -> None:
    archive.close()
    file.close()


def _where(info: zipfile.ZipInfo, display: str) -> Location:
    return Location(file=display, byte_offset=info.header_offset, element=info.filename[:80])


def _members(archive: zipfile.ZipFile, display: str) -> Mapping[str, zipfile.ZipInfo]:
    """Return the members by name, after the checks that need no reading."""
    members: dict[str, zipfile.ZipInfo] = {}
    size = _size(archive)
    for info in archive.infolist():
        where = _where(info, display)
        if info.filename in members:
            raise MalformedError(
                f"the archive has two members {info.filename!r}",
                where=where,
                expected="each name once",
                found=f"another one at byte {members[info.filename].header_offset}",
                fix="Remove one of the two.",
            )
        if not info.filename.endswith((".npy", ".json")):
            raise MalformedError(
                "the archive has a member that is not an array",
                where=where,
                expected="members named NAME.npy, or NAME.json for strings",
                found=repr(info.filename[:80]),
                fix="Remove the member.",
            )
        _check_method(info, where)
        _check_ratio(info, size, where)
        members[info.filename] = info
    return members


def _check_method(info: zipfile.ZipInfo, where: Location) -> None:
    if info.flag_bits & _ENCRYPTED:
        raise UnsupportedError(
            "a member is encrypted",
            where=where,
            expected="a member that can be read without a password",
            found="the encryption flag is set",
            fix="Write the archive without encryption.",
        )
    if info.compress_type not in _METHODS:
        raise UnsupportedError(
            "a member uses a compression method that is not read here",
            where=where,
            expected="stored (0) or deflated (8), as NumPy writes",
            found=f"method {info.compress_type}",
            fix=_RESAVE,
        )


def _size(archive: zipfile.ZipFile) -> int:
    return archive.fp.seek(0, os.SEEK_END) if archive.fp else 0


def _check_ratio(info: zipfile.ZipInfo, archive_bytes: int, where: Location) -> None:
    """Refuse a size that the compressed bytes cannot give."""
    most = min(info.compress_size, archive_bytes)
    if info.compress_type == zipfile.ZIP_DEFLATED:
        most = most * _DEFLATE_MAX_RATIO + _DEFLATE_SLACK
    if info.file_size > most:
        raise MalformedError(
            "a member claims more bytes than it can hold",
            where=where,
            expected=f"at most {most} bytes from {info.compress_size} compressed ones",
            found=f"{info.file_size} bytes",
            fix=_RESAVE,
        )


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, display: str) -> tuple[str, Entry]:
    where = _where(info, display)
    name = check_name(info.filename.removesuffix(".npy"), where)
    with _explained(where), archive.open(info) as stream:
        stored, fortran, header_bytes = read_npy_header(cast(BinaryIO, stream), where)
    if header_bytes + stored.nbytes != info.file_size:
        raise MalformedError(
            f"the bytes of {name!r} do not fit its element type and shape",
            where=where,
            expected=f"{header_bytes + stored.nbytes} bytes with the header, for {stored}",
            found=f"{info.file_size} bytes",
            fix=_RESAVE,
        )
    return name, Entry(stored, partial(_read, archive, info, stored, fortran))


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, stored: Stored, fortran: bool) -> Array:
    with _explained(stored.where), archive.open(info) as stream:
        _, _, header_bytes = read_npy_header(cast(BinaryIO, stream), stored.where)
        buffer = np.empty(stored.nbytes, np.uint8)
        _fill(stream, buffer.data, header_bytes)
    return build_array(buffer, stored, fortran=fortran)


def _fill(stream: IO[bytes], buffer: memoryview, header_bytes: int) -> None:
    """Fill ``buffer``, then touch the end so that the CRC-32 is compared."""
    done = 0
    while done < len(buffer):
        piece = stream.read(min(len(buffer) - done, 2**20))
        if not piece:
            raise EOFError(f"{header_bytes + done} of {header_bytes + len(buffer)} bytes are there")
        buffer[done : done + len(piece)] = piece
        done += len(piece)
    stream.read(1)


def _read_texts(
    archive: zipfile.ZipFile, texts: Mapping[str, zipfile.ZipInfo], display: str
) -> Mapping[str, str]:
    read: dict[str, str] = {}
    for name, info in texts.items():
        where = _where(info, display)
        if info.file_size > MAX_TEXT_BYTES:
            raise LimitError(
                "a string in the archive is too long",
                where=where,
                expected=f"at most {MAX_TEXT_BYTES} bytes",
                found=f"{info.file_size} bytes",
                fix="Store fewer arrays in one file.",
            )
        with _explained(where), archive.open(info) as stream:
            read[name] = stream.read(MAX_TEXT_BYTES).decode("utf-8")
    return read


@contextmanager
def _explained(where: Location) -> Iterator[None]:
    """Turn what the standard library raises about broken archives into a MalformedError."""
    try:
        yield
    except NotImplementedError as error:
        raise UnsupportedError(
            "the archive uses a ZIP feature that is not read here",
            where=where,
            expected="an archive as NumPy writes it",
            found=str(error),
            fix=_RESAVE,
        ) from error
    except _BROKEN as error:
        raise MalformedError(
            "the archive is damaged",
            where=where,
            expected="a ZIP archive whose members are whole and match their CRC-32",
            found=f"{type(error).__name__}: {error}",
            fix=_RESAVE,
        ) from error
