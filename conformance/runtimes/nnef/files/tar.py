"""Archives (``.tgz``): unpacked front to back, once, with every byte accounted for.

Only regular files and folders of the formats ustar, pax and GNU are known. Names, sizes and what
lies between files are checked, so that no member leaves the folder, and no byte counts as the size
of a model that it is not made of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from conformance.runtimes.nnef.files.gunzip import FIX, Unzipped
from conformance.verdicts import ConformanceError, LimitError, MalformedError, UnsupportedError

MAX_MEMBERS = 1 << 15
MAX_NOTE = 4096
"""The most bytes of a pax header, or of a long name."""

MAX_AROUND = 4096
"""The most bytes of headers and padding for each file."""

MANY_FOLDERS = 16
"""So many folders more than files are allowed for."""

_BLOCK = 512
_CHUNK = 1 << 20
_MAX_NAME = 1024
_MAX_DEPTH = 32
_FILES, _FOLDER, _LONG_NAME, _PAX, _GLOBAL_PAX = (b"0", b"\0"), b"5", b"L", b"x", b"g"
_LINKS = {b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device"}
_RECORD = re.compile(rb"(\d{1,5}) ([^=\n]+)=")


@dataclass(slots=True)
class _Notes:
    """What pax headers and long names say of the member that follows them."""

    name: str | None = None
    size: int | None = None


def unpack(path: Path, display: str, folder: Path, limit_bytes: int) -> dict[str, Path]:
    """Unpack the archive ``path`` into the empty ``folder``; return its files by their names.

    Raises MalformedError if it is damaged or a member would leave ``folder``, UnsupportedError for
    links and devices, LimitError beyond ``limit_bytes`` or MAX_MEMBERS.
    """
    stream = Unzipped(path, display)
    try:
        return _Unpacker(stream, folder, limit_bytes).unpack()
    finally:
        stream.close()


class _Unpacker:
    def __init__(self, stream: Unzipped, folder: Path, limit_bytes: int) -> None:
        self._stream = stream
        self._folder = folder
        self._limit = limit_bytes
        self._left = limit_bytes
        self._files: dict[str, Path] = {}

    def unpack(self) -> dict[str, Path]:
        notes, members = _Notes(), 0
        while (header := self._stream.read(_BLOCK)).strip(b"\0"):
            members += 1
            if members > MAX_MEMBERS:
                raise self._too_large(f"at most {MAX_MEMBERS} members", "more")
            notes = self._member(header, notes)
        self._stream.rest()
        self._check_packing()
        return self._files

    def _member(self, header: bytes, notes: _Notes) -> _Notes:
        """Read a header and what belongs to it; return what that says of the next member."""
        self._check_sum(header)
        kind, size = header[156:157], self._number(header[124:136])
        if kind in {_LONG_NAME, _PAX, _GLOBAL_PAX}:
            return self._note(kind, size, notes)
        name = notes.name if notes.name is not None else self._name(header)
        size = notes.size if notes.size is not None else size
        parts = self._confined(name)
        if kind in _FILES:
            self._write(parts, size)
        elif kind != _FOLDER or size:
            raise UnsupportedError(
                "the archive holds something else than files and folders",
                where=self._stream.where(name[:80]),
                expected="regular files and folders",
                found=_LINKS.get(kind, f"a member of type {kind!r}"),
                fix=FIX,
            )
        return _Notes()

    def _write(self, parts: tuple[str, ...], size: int) -> None:
        name = "/".join(parts)
        if not parts or name in self._files:
            raise self._wrong(
                "the name of a file in the archive is empty or not unique", "unique names", name
            )
        if size > self._left:
            raise self._too_large(f"at most {self._limit} bytes in all", f"{size} bytes in {name}")
        self._left -= size
        target = self._folder.joinpath(*parts)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                for start in range(0, size, _CHUNK):
                    file.write(self._stream.read(min(_CHUNK, size - start)))
        except OSError as error:
            raise self._unwritable(name, error) from error
        self._stream.read(-size % _BLOCK)
        self._files[name] = target

    def _note(self, kind: bytes, size: int, notes: _Notes) -> _Notes:
        if size > MAX_NOTE:
            raise self._too_large(f"headers of at most {MAX_NOTE} bytes", f"{size} bytes")
        data = self._stream.read(size)
        self._stream.read(-size % _BLOCK)
        if kind == _LONG_NAME:
            notes.name = self._text(data.rstrip(b"\0"))
            return notes
        for key, value in self._records(data):
            if key.startswith("GNU.sparse") or (kind == _GLOBAL_PAX and key in {"path", "size"}):
                raise self._wrong("a pax header is not understood", "path and size", key)
            if key == "path":
                notes.name = value
            elif key == "size":
                notes.size = self._decimal(value)
        return notes

    def _records(self, data: bytes) -> list[tuple[str, str]]:
        found, offset = [], 0
        while offset < len(data):
            match = _RECORD.match(data, offset)
            end = offset + int(match[1]) if match else 0
            if match is None or not match.end() < end <= len(data) or data[end - 1] != ord("\n"):
                raise self._wrong("a pax header is damaged", "LENGTH KEY=VALUE", "other bytes")
            found.append((self._text(match[2]), self._text(data[match.end() : end - 1])))
            offset = end
        return found

    def _name(self, header: bytes) -> str:
        prefix = header[345:500] if header[257:263] == b"ustar\0" else b""
        name = header[:100].split(b"\0", 1)[0]
        before = prefix.split(b"\0", 1)[0]
        return self._text(before + b"/" + name if before else name)

    def _confined(self, name: str) -> tuple[str, ...]:
        """Return the parts of a name that stays in the folder, none for the folder itself."""
        path = PurePosixPath(name)
        leaves = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
        too_long = len(name) > _MAX_NAME or len(path.parts) > _MAX_DEPTH
        if leaves or too_long or not name.isprintable():
            raise self._wrong(
                "a member of the archive lies outside its folder, or has no usable name",
                *("a relative path with forward slashes and without '..'", repr(name[:120])),
            )
        return path.parts

    def _check_sum(self, header: bytes) -> None:
        wanted = self._number(header[148:156])
        if sum(header[:148]) + 8 * ord(" ") + sum(header[156:]) != wanted:
            raise self._wrong("a header of the archive is damaged", "its checksum", str(wanted))

    def _check_packing(self) -> None:
        """Refuse what counts as the size of the model, but is not part of its files."""
        size, unpacked = self._stream.size, self._stream.offset
        around = unpacked - (self._limit - self._left)
        allowed = MAX_AROUND * (len(self._files) + MANY_FOLDERS)
        if around > allowed:
            raise self._wrong(
                "the archive holds too much in addition to its files",
                *(f"headers and folders of at most {allowed} bytes", f"{around} bytes"),
            )
        # Compressed data that are longer than what they unpack to were padded.
        if size > unpacked + unpacked // 1000 + MAX_NOTE:
            raise self._wrong(
                "the archive is larger than what is in it",
                *(f"about {unpacked} bytes or less", f"{size} bytes"),
            )

    def _number(self, field: bytes) -> int:
        if field[0] & 0x80:
            return int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        text = field.strip(b" \0")
        if not re.fullmatch(rb"[0-7]*", text):
            raise self._wrong("a header of the archive is damaged", "octal digits", repr(field))
        return int(text or b"0", 8)

    def _decimal(self, text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise self._wrong("a pax header is damaged", "a size in digits", repr(text[:40]))
        return int(text)

    def _text(self, data: bytes) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._wrong("a name in the archive is not text", "UTF-8", repr(data)) from error

    def _wrong(self, message: str, expected: str, found: str) -> MalformedError:
        where = self._stream.where()
        return MalformedError(message, where=where, expected=expected, found=found, fix=FIX)

    def _too_large(self, expected: str, found: str) -> LimitError:
        return LimitError(
            "the archive unpacks to more than is allowed",
            where=self._stream.where(),
            expected=expected,
            found=found,
            fix="Submit a smaller model, or judge it with a higher memory limit.",
        )

    def _unwritable(self, name: str, error: OSError) -> ConformanceError:
        return LimitError(
            "a file of the archive cannot be unpacked",
            where=self._stream.where(name),
            expected="names that do not clash, and room for the unpacked files",
            found=error.strerror or type(error).__name__,
            fix=FIX,
        )
