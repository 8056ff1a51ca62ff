"""The files of a submission: those that the metadata list, compared with those in the folder.

A path is opened one component at a time, relative to the folder above it and without following
links, so that no link can lead out of the submission, not even one that is put there in the
meantime. A file with several names (hard links) is refused: where its other names are cannot be
known.

Every object with a ``rel_filepath`` lists a file, wherever it stands: a list under a misspelt key
or in an invalid entry counts as well. A file with a different name than the metadata give is one
problem, not two: it is offered as what the listing may have meant, and is not reported as unlisted.
A folder without any listed file is reported as one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from conformance.submission.defects import Defect
from conformance.submission.positions import Pointer
from conformance.submission.reading import METADATA, Document, Limits
from conformance.submission.sections import iterate_values
from conformance.submission.startup_files import (
    advise_against_modules,
    find_modules,
    find_startup_files,
    refuse_startup_files,
)
from conformance.submission.text import count, is_placeholder, nearest, shown
from conformance.submission.violations import Violation
from conformance.verdicts import ConformanceError, Json, Location

NOT_PART = frozenset(
    {
        *(".git", ".gitattributes", ".gitignore", ".gitmodules", ".hg", ".hgignore", ".svn"),
        *(".github", ".gitlab", ".gitlab-ci.yml"),
    }
)
"""What version control and code hosts keep at the top of a folder; no part of a submission."""

_OURS = re.compile(re.escape(METADATA) + r"(\.bak(\.\d+)?)?")
_FILE_KEYS = frozenset(
    {
        *("models", "vectors", "samples", "associated_files"),
        *("files", "shards", "inputs", "targets", "outputs", "rel_filepath"),
    }
)
"""Keys below which files may be listed."""

_DIGEST = re.compile("[0-9a-f]{64}")
_MOST_GUESSES = 200
_CHUNK = 2**20
_CONTROL = 0x20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was measured of a file: ``size`` in bytes, ``sha256`` in lower-case hexadecimal.

    While ``size``, ``mtime_ns`` and ``inode`` stay the same, the file need not be hashed again.
    """

    rel_filepath: str
    size: int
    mtime_ns: int
    inode: int
    sha256: str


def path_fault(path: str) -> tuple[str, str] | None:
    """Return what makes ``path`` unfit for a submission and how to fix it, or None."""
    parts = path.split("/")
    absolute = path.startswith("/") or (len(path) > 1 and path[1] == ":" and path[0].isalpha())
    faults = (
        ("\\" in path, "contains a backslash", "Separate folders by forward slashes."),
        (absolute, "is absolute", "Write the path relative to the folder of submission.json."),
        (".." in parts, "contains '..'", "Put the file into the folder of the submission."),
        (
            "" in parts or "." in parts,
            "is not in its plain form",
            "Leave out empty parts and '.' between slashes.",
        ),
        (
            parts[0] in NOT_PART,
            f"leads to {parts[0]} of version control, which is not part of a submission",
            "Copy the file to a different place in the folder, and list that.",
        ),
        (any(ord(c) < _CONTROL for c in path), "contains a control character", "Rename the file."),
    )
    return next(((fault, fix) for is_so, fault, fix in faults if is_so), None)


@contextlib.contextmanager
def open_confined(root: Path, path: str) -> Iterator[BinaryIO]:
    """Open the regular file ``path`` below ``root`` for reading.

    Raise :exc:`ConformanceError` if the path is unsafe, leads through a link, or does not lead to
    a readable regular file with a single name.
    """
    if fault := path_fault(path):
        raise _refusal(path, f"the path {fault[0]}", path, fault[1])
    *folders, name = path.split("/")
    with contextlib.ExitStack() as stack:
        try:
            parent = _open_folder(stack, os.fspath(root), None)
            for folder in folders:
                _check_kind(path, os.stat(folder, dir_fd=parent, follow_symlinks=False), True)
                parent = _open_folder(stack, folder, parent)
            _check_kind(path, os.stat(name, dir_fd=parent, follow_symlinks=False), False)
            descriptor = os.open(name, _FILE, dir_fd=parent)
        except FileNotFoundError as error:
            fix = "Add the file, correct the path, or take it out of submission.json."
            raise _refusal(path, "the file is missing", "no such file", fix) from error
        except OSError as error:
            found = error.strerror or str(error)
            fix = "Make the file readable, or correct the path."
            raise _refusal(path, "the file cannot be read", found, fix) from error
        stream = stack.enter_context(open(descriptor, "rb", buffering=0))  # noqa: PTH123
        yield stream


def _open_folder(stack: contextlib.ExitStack, folder: str, parent: int | None) -> int:
    flags = _FOLDER if parent is not None else _FOLDER & ~os.O_NOFOLLOW
    descriptor = os.open(folder, flags, dir_fd=parent)
    stack.callback(os.close, descriptor)
    return descriptor


def _check_kind(path: str, status: os.stat_result, folder: bool) -> None:
    mode = status.st_mode
    fix = "Put a plain copy of the file in its place."
    if stat.S_ISLNK(mode):
        message = "the path leads through a symbolic link"
        raise _refusal(path, message, "a symbolic link", fix)
    if folder and not stat.S_ISDIR(mode):
        raise _refusal(path, "the file is missing", "a file where a folder must be", "Fix it.")
    if not folder and not stat.S_ISREG(mode):
        found = "a folder" if stat.S_ISDIR(mode) else "a device, pipe or socket"
        raise _refusal(path, "the path does not lead to a file", found, fix)
    if not folder and status.st_nlink > 1:
        found = f"a file with {status.st_nlink} names (hard links)"
        raise _refusal(path, "the file has other names (hard links)", found, fix)


def _refusal(path: str, message: str, found: str, fix: str) -> ConformanceError:
    return ConformanceError(
        f"{path!r}: {message}",
        where=Location(file=path),
        expected="a regular file inside the folder, reached without links",
        found=found,
        fix=fix,
    )


def measure(root: Path, path: str, known: FileFacts | None = None) -> FileFacts:
    """Return the facts of a file, hashed in chunks unless ``known`` still holds.

    Raise :exc:`ConformanceError` as :func:`open_confined` does, and if reading fails.
    """
    with open_confined(root, path) as stream:
        status = os.fstat(stream.fileno())
        facts = (status.st_size, status.st_mtime_ns, status.st_ino)
        if known is not None and facts == (known.size, known.mtime_ns, known.inode):
            return known
        try:
            digest = _digest(stream)
        except OSError as error:
            found = error.strerror or str(error)
            raise _refusal(path, "the file cannot be read", found, "Copy it anew.") from error
        return FileFacts(path, *facts, digest)


def size_of(root: Path, path: str) -> int:
    """Return the size of a file in bytes; raise :exc:`ConformanceError`."""
    with open_confined(root, path) as stream:
        return os.fstat(stream.fileno()).st_size


def _digest(stream: BinaryIO) -> str:
    digest, buffer = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    while count := stream.readinto(buffer):  # type: ignore[attr-defined]
        digest.update(buffer[:count])
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class CheckedFiles:
    """What came of comparing: facts of the files that are as listed, problems and advice.

    ``ignored`` names what version control keeps at the top of the folder.
    """

    files: Mapping[str, FileFacts]
    problems: tuple[Defect, ...]
    advice: tuple[Defect, ...]
    ignored: tuple[str, ...]


def check_files(
    document: Document,
    known: Mapping[str, FileFacts],
    limits: Limits,
    violations: Collection[Violation],
) -> CheckedFiles:
    """Compare the files that the metadata list with those in the folder.

    Files that are still as ``known`` are not hashed again. ``violations`` are of the schema: while
    they may hide a list of files, none is called unlisted.
    """
    listings = find_listings(document.data)
    compared = _compare_files(document.root, listings, known, limits.file_bytes)
    folder = list_folder(document.root, limits.files)
    mentioned = {each.path for each in listings} | (_texts(document.data) if violations else set())
    startup = find_startup_files(document.root)
    unlisted = _without_links_to_listed(folder.paths, {*mentioned, *startup})
    matched = list(_match_renamed(document.root, compared.unfound, unlisted))
    rest = set(unlisted) - {meant for _, meant in matched}
    lists_known = not document.repeats and not any(map(_hides_files, violations))
    unaccounted = _find_unlisted(folder, rest, limits.files) if lists_known else ()
    renamed = (problem for problem, _ in matched)
    problems = (*compared.problems, *refuse_startup_files(startup), *renamed, *unaccounted)
    advice = tuple(advise_against_modules(find_modules(folder.paths)))
    return CheckedFiles(compared.files, problems, advice, folder.ignored)


def _texts(data: Json) -> set[str]:
    return {value for _, value in iterate_values(data) if isinstance(value, str)}


def _hides_files(violation: Violation) -> bool:
    """Return whether files may be listed where the violation keeps them from being seen."""
    if violation.key:
        return False
    names = [part for part in violation.pointer if isinstance(part, str)]
    own = names[-1] if names else ""
    if violation.missing:
        return bool(_FILE_KEYS.intersection(violation.missing))
    return own in _FILE_KEYS or not names


@dataclass(frozen=True, slots=True)
class Listing:
    """One entry that lists a file; ``size`` and ``sha256`` are None where they are not valid."""

    pointer: Pointer
    path: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Facts of the files that are as listed, problems, and listings without their file."""

    files: Mapping[str, FileFacts]
    problems: tuple[Defect, ...]
    unfound: tuple[tuple[Listing, Defect], ...]


def find_listings(data: Json) -> tuple[Listing, ...]:
    """Return every entry that lists a file by a path."""
    return tuple(
        Listing(pointer, value["rel_filepath"], _size(value), _sha256(value))
        for pointer, value in iterate_values(data)
        if isinstance(value, dict)
        and isinstance(value.get("rel_filepath"), str)
        and value["rel_filepath"]
        and not is_placeholder(value["rel_filepath"])
    )


def _size(entry: Mapping[str, Json]) -> int | None:
    size: Json = entry.get("size")
    if isinstance(size, float) and size.is_integer():  # JSON Schema takes it for an integer
        size = int(size)
    return size if type(size) is int and size >= 0 else None


def _sha256(entry: Mapping[str, Json]) -> str | None:
    text = entry.get("sha256")
    return text if isinstance(text, str) and _DIGEST.fullmatch(text) else None


def _compare_files(
    root: Path,
    listings: Collection[Listing],
    known: Mapping[str, FileFacts],
    most_bytes: int,
) -> _Comparison:
    """Compare each listed file with the one on disk; a file listed twice is read once."""
    by_path: dict[str, list[Listing]] = defaultdict(list)
    for listing in listings:
        by_path[listing.path].append(listing)
    files: dict[str, FileFacts] = {}
    problems: list[Defect] = []
    unfound: list[tuple[Listing, Defect]] = []
    for path, same in by_path.items():
        try:
            outcome = _compare(root, path, same, known.get(path), most_bytes)
        except ConformanceError as error:
            unfound.append((same[0], _unusable(error, same)))
            continue
        if isinstance(outcome, FileFacts):
            files[path] = outcome
        else:
            problems.append(outcome)
    return _Comparison(files, tuple(problems), tuple(unfound))


def _compare(
    root: Path, path: str, same: list[Listing], known: FileFacts | None, most_bytes: int
) -> FileFacts | Defect:
    """Return the facts of a file that is as listed, or else what is wrong with it."""
    if path == METADATA:
        return _lists_itself(same)
    size = size_of(root, path)
    sizes = {each.size for each in same if each.size is not None}
    digests = {each.sha256 for each in same if each.sha256 is not None}
    if len(sizes) > 1 or len(digests) > 1:
        return _contradiction(same, size)
    if size > most_bytes:
        return _too_large(same, size, most_bytes)
    if sizes and sizes != {size}:
        return _other_size(same, size)
    facts = measure(root, path, known)
    return _other_digest(same, facts) if digests and digests != {facts.sha256} else facts


def _defect(
    number: int,
    same: list[Listing],
    key: str,
    *,
    message: str,
    expected: str,
    found: str,
    fix: str,
) -> Defect:
    first, *others = ((*each.pointer, key) for each in same)
    return Defect(
        check=f"SUBMISSION-FILE-{number:03}",
        message=message,
        expected=expected,
        found=found,
        fix=fix,
        pointer=first,
        also=others,
    )


def _unusable(error: ConformanceError, same: list[Listing]) -> Defect:
    return _defect(
        1,
        same,
        "rel_filepath",
        message=error.message,
        expected=error.expected,
        found=error.found,
        fix=error.fix,
    )


def _lists_itself(same: list[Listing]) -> Defect:
    return _defect(
        1,
        same,
        "rel_filepath",
        message="the metadata list themselves",
        expected=f"every file but {METADATA}",
        found=METADATA,
        fix="Take this entry out.",
    )


def _contradiction(same: list[Listing], size: int) -> Defect:
    said = "; ".join(f"{each.size} bytes, sha256 {each.sha256}" for each in same[:4])
    return _defect(
        4,
        same,
        "rel_filepath",
        message=f"{same[0].path!r}: entries for the same file contradict each other",
        expected="the same size and sha256 wherever a file is listed",
        found=f"{said}; the file has {size} bytes",
        fix="Make the entries agree, or run `nnr-conformance check --fix`.",
    )


def _too_large(same: list[Listing], size: int, most_bytes: int) -> Defect:
    return _defect(
        1,
        same,
        "rel_filepath",
        message=f"{same[0].path!r}: the file is too large to be read",
        expected=f"at most {most_bytes} bytes",
        found=f"{size} bytes",
        fix="Split the file into shards.",
    )


_FIX = (
    "If the file is right, run `nnr-conformance check --fix`; if not, put the right file in place."
)


def _other_size(same: list[Listing], size: int) -> Defect:
    return _defect(
        2,
        same,
        "size",
        message=f"{same[0].path!r}: the size differs from the declared one",
        expected=f"{next(each.size for each in same if each.size is not None)} bytes",
        found=f"{size} bytes",
        fix=_FIX,
    )


def _other_digest(same: list[Listing], facts: FileFacts) -> Defect:
    return _defect(
        3,
        same,
        "sha256",
        message=f"{same[0].path!r}: the content differs from the declared one",
        expected=f"sha256 {next(each.sha256 for each in same if each.sha256)}",
        found=f"sha256 {facts.sha256}",
        fix=_FIX,
    )


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Paths of all files below a folder, links among them; what could not be looked into.

    ``ignored`` are names at the top that are not part of a submission, and were not looked into.
    """

    paths: tuple[str, ...]
    unreadable: tuple[str, ...]
    complete: bool
    ignored: tuple[str, ...] = ()


def list_folder(root: Path, most: int) -> FolderFiles:
    """List at most ``most`` files below ``root``, without following links."""
    paths: list[str] = []
    unreadable: list[str] = []
    ignored: list[str] = []
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            for entry in os.scandir(root / folder):
                path = f"{folder}/{entry.name}" if folder else entry.name
                if path in NOT_PART:
                    ignored.append(path)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                elif not _OURS.fullmatch(path):
                    paths.append(path)
                if len(paths) + len(folders) > most:
                    return FolderFiles(
                        tuple(paths), tuple(unreadable), False, tuple(sorted(ignored))
                    )
        except OSError:
            unreadable.append(folder)
    return FolderFiles(tuple(sorted(paths)), tuple(unreadable), True, tuple(sorted(ignored)))


def _without_links_to_listed(paths: Iterable[str], mentioned: Collection[str]) -> list[str]:
    """Return the paths that are neither mentioned nor a (linked) folder on the way to one."""
    ways = {str(parent) for path in mentioned for parent in PurePosixPath(path).parents}
    return [path for path in paths if path not in mentioned and path not in ways]


def _match_renamed(
    root: Path, unfound: Iterable[tuple[Listing, Defect]], unlisted: Iterable[str]
) -> Iterator[tuple[Defect, str | None]]:
    """Yield each problem of a file that was not found, with the unlisted file it may mean."""
    candidates = _Candidates(root, list(islice(unlisted, _MOST_GUESSES)))
    for number, (listing, problem) in enumerate(unfound):
        meant = candidates.take(listing) if number < _MOST_GUESSES else None
        hint = f" Is it {shown(meant)}?" if meant else ""
        yield replace(problem, fix=problem.fix + hint), meant


class _Candidates:
    """Unlisted files, each of which can stand for one listing; no file is hashed twice."""

    def __init__(self, root: Path, paths: list[str]) -> None:
        self._root = root
        self._free = paths
        self._facts: dict[str, tuple[int, str]] = {}

    def take(self, listing: Listing) -> str | None:
        same = (path for path in self._free if self._has_content(path, listing))
        name = re.split(r"[/\\]", listing.path)[-1]
        by_name = (path for path in self._free if PurePosixPath(path).name == name)
        meant = next(same, None) or next(by_name, None) or nearest(listing.path, self._free)
        if meant is not None:
            self._free.remove(meant)
        return meant

    def _has_content(self, path: str, listing: Listing) -> bool:
        try:
            if listing.size is None or size_of(self._root, path) != listing.size:
                return False
            if path not in self._facts:
                self._facts[path] = (listing.size, measure(self._root, path).sha256)
        except ConformanceError:
            return False
        return self._facts[path] == (listing.size, listing.sha256)


def _find_unlisted(folder: FolderFiles, unlisted: Collection[str], most: int) -> Iterator[Defect]:
    """Yield a problem for each unlisted file, or folder of several."""
    listed = set(folder.paths) - set(unlisted)
    ways = {str(parent) for path in listed for parent in PurePosixPath(path).parents} | {"."}
    found = Counter(_highest(path, ways) for path in unlisted)
    names = {_highest(path, ways): path for path in unlisted}
    for place, number in sorted(found.items()):
        yield _unlisted(names[place] if number == 1 else f"{place}/", number)
    if not folder.complete:
        yield _too_many(most)
    yield from (_unreadable(path) for path in folder.unreadable)


def _highest(path: str, ways: Collection[str]) -> str:
    """Return the highest folder on the way to ``path`` without a listed file, or ``path``."""
    parents = [str(parent) for parent in reversed(PurePosixPath(path).parents)]
    return next((parent for parent in parents if parent not in ways), path)


def _printable(path: str) -> str:
    """Return ``path`` with the bytes that are not UTF-8 escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _unlisted(path: str, number: int) -> Defect:
    name = _printable(path)
    return Defect(
        check="SUBMISSION-FILE-004",
        message=f"{name!r} is not listed in {METADATA}",
        expected="every file of the folder listed under a model, vector set or sample, or in "
        "associated_files",
        found="a file that is not listed" if number == 1 else count(number, "unlisted file"),
        fix="List it in associated_files if it belongs to the submission; delete it if not.",
        file=name,
    )


def _too_many(number: int) -> Defect:
    return Defect(
        check="SUBMISSION-FILE-004",
        message="the folder holds too many files",
        expected=f"at most {number} files",
        found="more; the rest was not looked at",
        fix="Pack small files together, or delete what does not belong to the submission.",
        file=".",
    )


def _unreadable(path: str) -> Defect:
    name = _printable(path)
    return Defect(
        check="SUBMISSION-FILE-001",
        message=f"the folder {name!r} cannot be read",
        expected="a folder whose files can be listed",
        found="permission denied, or an error of the disk",
        fix="Make the folder readable, or delete it.",
        file=name,
    )
