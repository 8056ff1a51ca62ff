"""The directory of a ZIP archive, read so strictly that no other reader can see another archive.

PyTorch writes member after member without a gap, then the directory, then its end, and nothing
after it. Exactly that is accepted: every byte of the file belongs to one member or to the
directory, and whatever is said twice is said alike. The structures are those of PKWARE's
APPNOTE.TXT, sections 4.3.7 (local header), 4.3.9 (descriptor), 4.3.12 (directory), 4.3.14 to
4.3.16 (its end), 4.5.3 (64-bit sizes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from conformance.runtimes.wire import Span
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

STORED, DEFLATED = 0, 8
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_ENTRY = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_END64 = struct.Struct("<4sQHHIIQQQQ")
_LOCATOR = struct.Struct("<4sIQI")
_DESCRIPTORS = (struct.Struct("<4sIII"), struct.Struct("<4sIQQ"))
_MAX_ENTRIES = 200_000
_MAX_NAME = 1024
_MAX_EXTRA = 64
_ENCRYPTED, _DESCRIBED, _UTF8 = 0x0001, 0x0008, 0x0800
_LEVEL = 0x0006  # how hard the writer tried to compress
_FULL = 0xFFFFFFFF
_ZIP64 = 1
_AGAIN = "Save the model again with PyTorch: the file is damaged, was cut short or was edited."


@dataclass(frozen=True, slots=True)
class Entry:
    """A member: its path in the archive, where it lies, and what its bytes unpack to.

    ``header`` is the offset of its local header, ``data`` the bytes as they lie in the file;
    ``padding`` counts the bytes that only move the data to an aligned offset.
    """

    path: str
    header: int
    data: Span
    size: int
    method: int
    crc: int
    flags: int
    padding: int = 0


class _Broken:
    """Raises the errors of one file."""

    def __init__(self, display: str) -> None:
        self.display = display

    def at(self, offset: int, message: str, expected: str, found: str, element: str) -> NoReturn:
        """Raise MalformedError for what is found at a byte offset."""
        raise self.error(offset, message, expected, found, element)

    def error(
        self, offset: int, message: str, expected: str, found: str, element: str
    ) -> MalformedError:
        """Return the error for what is found at a byte offset."""
        return MalformedError(
            message,
            where=Location(file=self.display, byte_offset=offset, element=element),
            expected=expected,
            found=found,
            fix=_AGAIN,
        )


def read_directory(view: memoryview, display: str) -> tuple[Entry, ...]:
    """Return every member of the archive in ``view``, in the order of the file.

    Raises MalformedError for anything that is not as PyTorch writes it, LimitError for too many
    members, UnsupportedError for encryption or a method other than stored and deflated.
    """
    broken = _Broken(display)
    directory, count, end = _find_directory(view, broken)
    if count > _MAX_ENTRIES:
        raise LimitError(
            "the archive has too many members",
            where=Location(file=display, byte_offset=directory, element="directory"),
            expected=f"at most {_MAX_ENTRIES}",
            found=str(count),
            fix="Store the model in fewer tensors.",
        )
    entries = sorted(_entries(view, directory, count, end, broken), key=lambda e: e.header)
    _check_names(entries, broken)
    return tuple(_located(view, entries, directory, broken))


def _find_directory(view: memoryview, broken: _Broken) -> tuple[int, int, int]:
    """Return where the directory begins, the number of its entries, and where it ends."""
    place = len(view) - _END.size
    fields = _END.unpack_from(view, place) if place >= 0 else (b"",)
    if fields[0] != b"PK\5\6" or fields[7] != 0:
        broken.at(
            max(place, 0),
            "no end-of-central-directory record at the end of the file",
            "an end of central directory record, without a comment, as the last 22 bytes",
            repr(bytes(view[max(place, 0) :][:4])),
            "end of archive",
        )
    size, start, count, end = fields[5], fields[6], fields[4], place
    record = place - _LOCATOR.size - _END64.size
    if record >= 0 and bytes(view[place - _LOCATOR.size :][:4]) == b"PK\6\7":
        size, start, count, end = *_read_end64(view, record, fields, broken), record
    consistent = fields[1:3] == (0, 0) and fields[3] == fields[4] and start + size == end
    if not consistent:
        broken.at(
            place,
            "the end of the archive contradicts itself",
            f"a directory that ends at byte {end}, where its end record begins",
            f"{size} bytes of directory from byte {start}",
            "end of archive",
        )
    return start, count, end


def _read_end64(
    view: memoryview, record: int, fields: tuple[int, ...], broken: _Broken
) -> tuple[int, int, int]:
    """Return size, start and count of the 64-bit end record, which must agree with the old."""
    _, disk, offset, disks = _LOCATOR.unpack_from(view, record + _END64.size)
    found = _END64.unpack_from(view, record)
    count, size, start = found[7], found[8], found[9]
    alike = all(
        old in (new, full)
        for old, new, full in (
            (fields[4], count, 0xFFFF),
            (fields[5], size, _FULL),
            (fields[6], start, _FULL),
        )
    )
    whole = found[:2] == (b"PK\6\6", _END64.size - 12) and found[4:7] == (0, 0, count)
    if not (alike and whole and (disk, offset, disks) == (0, record, 1)):
        broken.at(
            record,
            "the two end records of the archive contradict each other",
            "one directory",
            "a different size, place or number of entries in the 64-bit record",
            "end of archive",
        )
    return size, start, count


def _entries(
    view: memoryview, place: int, count: int, end: int, broken: _Broken
) -> Iterator[Entry]:
    for index in range(count):
        element = f"directory entry {index}"
        if place + _ENTRY.size > end:
            broken.at(place, "the directory is cut short", f"{count} entries", f"{index}", element)
        fields = _ENTRY.unpack_from(view, place)
        name_size, extra_size, comment_size = fields[10:13]
        stop = place + _ENTRY.size + name_size + extra_size
        plain = fields[0] == b"PK\1\2" and comment_size == 0 and fields[13] == 0
        if not plain or stop > end or name_size > _MAX_NAME or extra_size > _MAX_EXTRA:
            broken.at(
                place,
                "an entry of the directory is damaged",
                "an entry without a comment, on disk 0, inside the directory",
                f"signature {fields[0]!r}, {name_size} + {extra_size} + {comment_size} bytes",
                element,
            )
        start = place + _ENTRY.size
        name = _name(bytes(view[start : start + name_size]), place, element, broken)
        extra = bytes(view[start + name_size : stop])
        yield _entry(name, fields, extra, place, broken)
        place = stop
    if place != end:
        broken.at(
            place, "the directory goes on after its last entry", f"byte {end}", "", "directory"
        )


def _name(raw: bytes, place: int, element: str, broken: _Broken) -> str:
    """Return a name that stays inside the archive and can be shown."""
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = ""
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or not all(parts) or {"..", "."} & set(parts):
        broken.at(
            place,
            "a member has a name that PyTorch does not write",
            "a relative path of printable characters, with forward slashes",
            ascii(raw[:80]),
            element,
        )
    return name


def _entry(name: str, fields: tuple[int, ...], extra: bytes, place: int, broken: _Broken) -> Entry:
    flags, method, crc = fields[3], fields[4], fields[7]
    packed, size, header = _sizes64(fields[8], fields[9], fields[16], extra)
    where = Location(file=broken.display, byte_offset=place, element=name)
    if flags & ~(_DESCRIBED | _UTF8 | _LEVEL) or method not in (STORED, DEFLATED):
        raise UnsupportedError(
            f"the member {name!r} is packed in a way that PyTorch does not write",
            where=where,
            expected="a stored or deflated member that is not encrypted",
            found=f"method {method}, flags {flags:#06x}",
            fix="Save the model again with PyTorch.",
        )
    if method == STORED and packed != size:
        broken.at(place, f"the sizes of {name!r} differ", f"{size} bytes", f"{packed} bytes", name)
    return Entry(name, header, Span(0, packed), size, method, crc, flags)


def _sizes64(packed: int, size: int, header: int, extra: bytes) -> tuple[int, int, int]:
    """Return the three numbers, each from the 64-bit field if the 32-bit one is full."""
    wide = iter(_wide_numbers(extra))
    size = next(wide, size) if size == _FULL else size
    packed = next(wide, packed) if packed == _FULL else packed
    return packed, size, next(wide, header) if header == _FULL else header


def _wide_numbers(extra: bytes) -> list[int]:
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        body = extra[place + 4 : place + 4 + length]
        if kind == _ZIP64:
            return [int.from_bytes(body[at : at + 8], "little") for at in range(0, len(body), 8)]
        place += 4 + length
    return []


def _check_names(entries: list[Entry], broken: _Broken) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.path in seen:
            broken.at(
                entry.header,
                f"the archive has two members {entry.path!r}",
                "each name once",
                "the same name again",
                entry.path,
            )
        seen.add(entry.path)


def _located(
    view: memoryview, entries: list[Entry], directory: int, broken: _Broken
) -> Iterator[Entry]:
    """Yield the entries with the place of their data; they must fill the file without a gap."""
    position = 0
    for entry, limit in zip(entries, [e.header for e in entries[1:]] + [directory], strict=True):
        if entry.header != position or limit > directory:
            _gap(position, max(entry.header, limit), entry.path, broken)
        data, padding = _data_span(view, entry, limit, broken)
        position = _after_descriptor(view, entry, data, limit, broken)
        yield replace(entry, data=data, padding=padding)
        if position != limit:
            _gap(position, limit, entry.path, broken)
    if position != directory:
        _gap(position, directory, "directory", broken)


def _data_span(view: memoryview, entry: Entry, limit: int, broken: _Broken) -> tuple[Span, int]:
    """Return the data of a member and the bytes of padding before them."""
    begin = entry.header + _LOCAL.size
    fields = _LOCAL.unpack_from(view, entry.header) if begin <= limit else (b"",)
    if fields[0] == b"PK\3\4":
        name_size, extra_size = fields[9], fields[10]
        name = bytes(view[begin : begin + name_size])
        begin += name_size + extra_size
        same = (fields[2], fields[3]) == (entry.flags, entry.method)
        if same and name == entry.path.encode() and begin + entry.data.size <= limit:
            return Span(begin, begin + entry.data.size), extra_size
    raise broken.error(
        entry.header,
        f"the header of {entry.path!r} does not fit its entry in the directory",
        f"a header with the same name, flags and method, and {entry.data.size} bytes of data",
        "another header, or data that reach into the next member",
        entry.path,
    )


def _after_descriptor(
    view: memoryview, entry: Entry, data: Span, limit: int, broken: _Broken
) -> int:
    """Return where a member ends, its descriptor of checksum and sizes included."""
    said = (entry.crc, data.size, entry.size)
    if not entry.flags & _DESCRIBED:
        fields = _LOCAL.unpack_from(view, entry.header)
        if fields[6:9] == said or _FULL in fields[7:9]:
            return data.end
    for form in _DESCRIPTORS:
        if limit - data.end == form.size and entry.flags & _DESCRIBED:
            found = form.unpack_from(view, data.end)
            if found == (b"PK\7\x08", *said):
                return limit
    raise broken.error(
        data.end,
        f"checksum and sizes of {entry.path!r} are not those of its entry in the directory",
        f"{data.size} bytes that unpack to {entry.size}, CRC-32 {entry.crc:08x}",
        f"something else in {limit - data.end} bytes after the data",
        entry.path,
    )


def _gap(begin: int, end: int, element: str, broken: _Broken) -> NoReturn:
    broken.at(
        min(begin, end),
        "the archive holds bytes that belong to no member",
        "members that follow each other without a gap",
        f"{abs(end - begin)} bytes between two members",
        element,
    )
