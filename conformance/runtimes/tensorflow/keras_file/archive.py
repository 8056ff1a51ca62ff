"""The ZIP archive that a ``.keras`` file is: three members, and room for nothing else."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NoReturn, final

import numpy as np
import numpy.typing as npt

from conformance.runtimes._protocol import Unread
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.tensorflow.faults import damaged
from conformance.runtimes.tensorflow.keras_file.unread import unread_in_config
from conformance.runtimes.wire import Span
from conformance.verdicts import ConformanceError, LimitError, Location, UnsupportedError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MEMBERS = frozenset({CONFIG, WEIGHTS, "metadata.json"})
MOST_OVERHEAD = 64 << 10
"""Bytes of the file that are not a member's data: headers, the directory, and nothing else."""

_MOST_TEXT = 64 << 20
_MOST_HEADERS, _MOST_METADATA = 1 << 10, 256
_END, _LOCAL = struct.Struct("<4sHHHHIIH"), 30
_NAME_LENGTHS = struct.Struct("<HH")
_DEFLATE_MAX_RATIO = 1032
_ENCRYPTED = 1
_AGAIN = "Save the model again with model.save('model.keras'): the file is damaged."


@final
class KerasArchive:
    """The members of a ``.keras`` file, each compared with its checksum when it is read."""

    def __init__(self, path: Path, display: str, limit_bytes: int) -> None:
        self.display = display
        self._file = MappedFile(path, display)
        self._members = self._directory(path)
        self._check_sizes(limit_bytes)
        for info in self._members.values():
            self._span(info)

    def read(self, name: str) -> npt.NDArray[np.uint8]:
        """Return the bytes of a member; a view of the file if it is stored as it is."""
        info = self._members[name]
        packed = self._file.bytes_at(self._span(info))
        data = packed if info.compress_type == zipfile.ZIP_STORED else self._inflated(info, packed)
        found = zlib.crc32(data.data)
        if len(data) != info.file_size or found != info.CRC:
            self._refuse(
                info.header_offset,
                f"the member {name!r} is damaged",
                f"{info.file_size} bytes with the CRC-32 {info.CRC:08x}",
                f"{len(data)} bytes with {found:08x}",
                name,
            )
        return data

    def unread(self) -> Iterator[Unread]:
        """Yield what is in no member, and what the members hold that no layer is made of."""
        sizes = {name: info.compress_size for name, info in self._members.items()}
        between = self._file.size - sum(sizes.values())
        yield Unread(
            self.display, "headers and unaccounted bytes of the archive", between - _MOST_HEADERS
        )
        dates = sizes["metadata.json"] - _MOST_METADATA
        yield Unread(self.display, "member metadata.json", dates)
        yield from unread_in_config(self.read(CONFIG).tobytes(), self.display)

    def close(self) -> None:
        """Unmap the file, as soon as no view of it is left."""
        self._file.close()

    def _directory(self, path: Path) -> Mapping[str, zipfile.ZipInfo]:
        self._check_end()
        try:
            with path.open("rb") as file, zipfile.ZipFile(file) as archive:
                infos = archive.infolist()
        except (
            zipfile.BadZipFile,
            struct.error,
            ValueError,
            OSError,
            NotImplementedError,
        ) as error:
            self._refuse(0, "the archive cannot be read", "a ZIP archive", str(error)[:200], "")
        members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            self._check_member(info, members)
            members[info.filename] = info
        for name in sorted(MEMBERS - set(members)):
            self._refuse(0, f"the archive has no {name}", name, ", ".join(members) or "none", name)
        return members

    def _check_end(self) -> None:
        """Refuse a file with a comment, or with a directory of more than a few members."""
        begin = self._file.size - _END.size
        tail = bytes(self._file.view()[max(0, begin) :])
        fields = _END.unpack(tail) if len(tail) == _END.size else (b"",)
        if fields[0] != b"PK\5\6" or fields[7] != 0:
            self._refuse(
                max(0, begin),
                "no end-of-central-directory record at the end of the file",
                "the end of a ZIP archive, without a comment",
                repr(tail[:4]),
                "end of archive",
            )
        if fields[5] > MOST_OVERHEAD:
            self._refuse(
                begin,
                "the directory of the archive is too long",
                f"at most {MOST_OVERHEAD} bytes for {len(MEMBERS)} members",
                f"{fields[5]} bytes",
                "end of archive",
            )

    def _check_member(self, info: zipfile.ZipInfo, known: Mapping[str, zipfile.ZipInfo]) -> None:
        name = info.filename
        if name in known:
            self._refuse(
                info.header_offset, f"the archive has two members {name!r}", "one", "two", name
            )
        if name not in MEMBERS:
            raise ConformanceError(
                "the archive has a member that is not judged here",
                where=Location(self.display, byte_offset=info.header_offset, element=name[:200]),
                expected=f"{', '.join(sorted(MEMBERS))}, and no assets",
                found=repr(name[:200]),
                fix="Save a network without vocabularies or other files, with model.save.",
            )
        packing = info.compress_type, info.flag_bits & _ENCRYPTED
        if packing not in ((zipfile.ZIP_STORED, 0), (zipfile.ZIP_DEFLATED, 0)):
            raise UnsupportedError(
                f"the member {name!r} is packed in a way that Keras does not write",
                where=Location(self.display, byte_offset=info.header_offset, element=name),
                expected="stored or deflated, and not encrypted",
                found=f"method {info.compress_type}, flags {info.flag_bits:#06x}",
                fix="Save the model again with model.save.",
            )

    def _check_sizes(self, limit_bytes: int) -> None:
        for name, info in self._members.items():
            limit = limit_bytes if name == WEIGHTS else min(limit_bytes, _MOST_TEXT)
            if info.file_size > limit:
                raise LimitError(
                    f"the member {name!r} unpacks to more than is allowed",
                    where=Location(self.display, byte_offset=info.header_offset, element=name),
                    expected=f"at most {limit} bytes",
                    found=f"{info.file_size} bytes",
                    fix="Submit a smaller network, or judge it with a higher memory limit.",
                )
        overhead = self._file.size - sum(info.compress_size for info in self._members.values())
        if not 0 <= overhead <= MOST_OVERHEAD:
            self._refuse(
                0,
                "the archive holds bytes that belong to no member",
                f"at most {MOST_OVERHEAD} bytes in addition to the members",
                f"{overhead} bytes",
                "archive",
            )

    def _span(self, info: zipfile.ZipInfo) -> Span:
        """Return where the data of a member lie: after its own header."""
        start = info.header_offset
        if start < 0 or start + _LOCAL > self._file.size:
            self._refuse(start, "a member begins outside the file", "", "", info.filename)
        header = self._file.bytes_at(Span(start, start + _LOCAL)).tobytes()
        begin = start + _LOCAL + sum(_NAME_LENGTHS.unpack_from(header, _LOCAL - 4))
        end = begin + info.compress_size
        if header[:4] != b"PK\3\4" or end > self._file.size:
            self._refuse(
                start,
                f"the member {info.filename!r} is not where the directory says",
                f"a header, and {info.compress_size} bytes after it",
                f"{header[:4]!r} in a file of {self._file.size} bytes",
                info.filename,
            )
        return Span(begin, end)

    def _inflated(
        self, info: zipfile.ZipInfo, packed: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.uint8]:
        """Return a deflated member: never more bytes than were declared."""
        if info.file_size > len(packed) * _DEFLATE_MAX_RATIO + _LOCAL:
            self._refuse(
                info.header_offset,
                f"the member {info.filename!r} claims more bytes than it can hold",
                f"at most {_DEFLATE_MAX_RATIO} times {len(packed)} bytes",
                f"{info.file_size} bytes",
                info.filename,
            )
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = unpacker.decompress(packed.data, info.file_size + 1)
        except zlib.error as error:
            self._refuse(
                info.header_offset,
                f"the member {info.filename!r} is damaged",
                *("deflated data", str(error), info.filename),
            )
        return np.frombuffer(data, np.uint8)

    def _refuse(
        self, offset: int, message: str, expected: str, found: str, element: str
    ) -> NoReturn:
        raise damaged(
            self.display,
            message,
            byte_offset=max(0, offset),
            element=element or None,
            expected=expected or "an archive as Keras writes it",
            found=found or "another one",
            fix=_AGAIN,
        )
