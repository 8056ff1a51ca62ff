"""The ZIP archive that PyTorch keeps a model in, opened without trust and without unpickling.

Use it like this::

    archive = Archive(path, "model.pt", limit_bytes=1 << 32)
    text = archive.read("version")
    weights = archive.array("data/0")  # a view of the mapped file

Names are those inside the archive's one folder. Every checksum is compared on opening, so that a
flipped bit is a damaged file and not another network.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn, final

import numpy as np
import numpy.typing as npt

from conformance.runtimes._protocol import Unread
from conformance.runtimes.mapped import MappedFile
from conformance.runtimes.pytorch.zip_directory import STORED, Entry, read_directory
from conformance.runtimes.wire import Span
from conformance.verdicts import (
    ConformanceError,
    LimitError,
    Location,
    MalformedError,
    UnsupportedError,
)

_ALIGNMENT = 128
_VERSIONS = (".data/version", "version")  # the first for what older readers cannot read
_CHUNK = 1 << 20
_DEFLATE_MAX_RATIO = 1032
_AGAIN = "Save the model again with PyTorch: the file is damaged."


@final
class Archive:
    """The members of one archive; ``limit_bytes`` bounds what they unpack to, all together."""

    def __init__(self, path: Path, display: str, limit_bytes: int) -> None:
        self.display = display
        self._limit = limit_bytes
        self._file = MappedFile(path, display)
        view = self._file.view()
        _check_magic(view, display)
        entries = read_directory(view, display)
        self.root = _common_root(entries, display)
        self.members: Mapping[str, Entry] = {e.path[len(self.root) + 1 :]: e for e in entries}
        self._check_sizes(limit_bytes)
        for name in self.members:
            self._check_sum(name)

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def where(self, name: str, element: str | None = None) -> Location:
        """Return the place of a member, or of ``element`` in it."""
        entry = self.members.get(name)
        shown = f"{name}: {element}" if element else name
        return Location(self.display, byte_offset=entry.header if entry else None, element=shown)

    @property
    def version_member(self) -> str:
        """The member with the version of the archive, as PyTorch looks for it."""
        return next((name for name in _VERSIONS if name in self.members), _VERSIONS[-1])

    def read(self, name: str, limit_bytes: int) -> bytes:
        """Return the bytes of a member.

        LimitError if there are more than ``limit_bytes``, MalformedError if there is no member.
        """
        entry = self._entry(name)
        if entry.size > limit_bytes:
            raise LimitError(
                f"the member {name!r} is too long",
                where=self.where(name),
                expected=f"at most {limit_bytes} bytes",
                found=f"{entry.size} bytes",
                fix="Export a smaller network, or one with fewer operators.",
            )
        if entry.method == STORED:
            return self._file.bytes_at(entry.data).tobytes()
        return self._inflated(name, entry)

    def nested(self, name: str) -> Archive:
        """Return a member that is such an archive itself, as a file that is gone once closed."""
        with tempfile.NamedTemporaryFile() as copy:
            copy.write(self.read(name, self._limit))
            copy.flush()
            return Archive(Path(copy.name), self.display, self._limit)

    def text(self, name: str, limit_bytes: int) -> str:
        """Return a member as text; errors as for :meth:`read`."""
        try:
            return self.read(name, limit_bytes).decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError(
                f"the member {name!r} is not text",
                where=self.where(name),
                expected="UTF-8",
                found=f"another byte at {error.start}",
                fix=_AGAIN,
            ) from error

    def array(self, name: str) -> npt.NDArray[np.uint8]:
        """Return the bytes of a member as a read-only view of the file."""
        entry = self._entry(name)
        if entry.method != STORED:
            raise UnsupportedError(
                f"the tensor data {name!r} are compressed",
                where=self.where(name),
                expected="tensors stored as they are, as PyTorch writes them",
                found=f"{entry.data.size} bytes that unpack to {entry.size}",
                fix="Save the model again with PyTorch; do not pack it into a ZIP yourself.",
            )
        return self._file.bytes_at(entry.data)

    def size_of(self, name: str) -> int:
        """Return the bytes that a member unpacks to; MalformedError if there is none."""
        return self._entry(name).size

    def refuse_unknown(self, known: Callable[[str], bool], what: str) -> None:
        """Raise ConformanceError for the first member that ``known`` does not accept."""
        for name in self.members:
            if not known(name):
                raise ConformanceError(
                    f"the archive has a member that {what} has not",
                    where=self.where(name),
                    expected=f"the members that PyTorch writes for {what}",
                    found=repr(name),
                    fix="Remove the member: save the model again with PyTorch.",
                )

    def unread(self, names: Iterable[str]) -> Iterator[Unread]:
        """Yield the members ``names``, which nothing reads, and padding beyond alignment."""
        for name in names:
            yield Unread(self.display, f"member {name}", self.members[name].data.size)
        for name, entry in self.members.items():
            yield Unread(self.display, f"padding before {name}", entry.padding - _ALIGNMENT)

    def close(self) -> None:
        """Unmap the file, as soon as no view of it is left."""
        self._file.close()

    def _entry(self, name: str) -> Entry:
        entry = self.members.get(name)
        if entry is None:
            raise MalformedError(
                f"the archive has no member {name!r}",
                where=Location(self.display, element=name),
                expected=f"{self.root}/{name}",
                found=f"{len(self.members)} other members",
                fix=_AGAIN,
            )
        return entry

    def _check_sizes(self, limit_bytes: int) -> None:
        total = 0
        for name, entry in self.members.items():
            most = entry.data.size * (1 if entry.method == STORED else _DEFLATE_MAX_RATIO) + 64
            if entry.size > most:
                self._damaged(name, f"at most {most} bytes", f"{entry.size} bytes")
            total += entry.size
        if total > limit_bytes:
            raise LimitError(
                "the archive unpacks to more memory than is allowed",
                where=Location(self.display, element="directory"),
                expected=f"at most {limit_bytes} bytes",
                found=f"{total} bytes",
                fix="Submit a smaller model, or judge it with a higher memory limit.",
            )

    def _check_sum(self, name: str) -> None:
        entry = self.members[name]
        if entry.method != STORED:
            self._inflated(name, entry)
            return
        found = 0
        for begin in range(entry.data.begin, entry.data.end, _CHUNK):
            part = Span(begin, min(begin + _CHUNK, entry.data.end))
            found = zlib.crc32(self._file.bytes_at(part).data, found)
        self._file.forget(entry.data)
        if found != entry.crc:
            self._damaged(name, f"CRC-32 {entry.crc:08x}", f"{found:08x}")

    def _inflated(self, name: str, entry: Entry) -> bytes:
        """Return a deflated member: never more bytes than were declared."""
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = unpacker.decompress(self._file.bytes_at(entry.data).data, entry.size + 1)
        except zlib.error as error:
            self._damaged(name, "deflated data", str(error))
        if len(data) != entry.size or not unpacker.eof or unpacker.unused_data:
            self._damaged(name, f"{entry.size} bytes", f"{len(data)} bytes, or more")
        if zlib.crc32(data) != entry.crc:
            self._damaged(name, f"CRC-32 {entry.crc:08x}", f"{zlib.crc32(data):08x}")
        return data

    def _damaged(self, name: str, expected: str, found: str) -> NoReturn:
        raise MalformedError(
            f"the member {name!r} is damaged",
            where=self.where(name),
            expected=expected,
            found=found,
            fix=_AGAIN,
        )


def _check_magic(view: memoryview, display: str) -> None:
    head = bytes(view[:4])
    if head == b"PK\3\4":
        return
    legacy = head[:1] == b"\x80" or b"ustar" in bytes(view[:512])
    what = "a file in PyTorch's format before 1.6, a bare pickle" if legacy else repr(head)
    raise MalformedError(
        "the file is not the ZIP archive that PyTorch keeps a model in",
        where=Location(display, byte_offset=0, element="magic number"),
        expected="b'PK\\x03\\x04'",
        found=what,
        fix="Load it where you trust it, and save it again with a PyTorch of today."
        if legacy
        else "Submit the file that PyTorch saved, or declare another format.",
    )


def _common_root(entries: tuple[Entry, ...], display: str) -> str:
    """Return the one folder that all members lie in."""
    roots = {entry.path.partition("/")[0] for entry in entries}
    flat = [entry for entry in entries if "/" not in entry.path]
    if len(roots) == 1 and not flat:
        return roots.pop()
    raise MalformedError(
        "the members of the archive do not lie in one folder",
        where=Location(display, element=flat[0].path if flat else "directory"),
        expected="one folder, as PyTorch writes since version 1.6 (torch.export: 2.8)",
        found=", ".join(sorted(roots)[:5]) or "no members",
        fix="Save the model again with a PyTorch of today.",
    )
