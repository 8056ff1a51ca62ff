"""Files of the folder that the metadata do not list.

A file under another name than the metadata say is one problem, not two: it is offered as what the
listing may have meant, and is not reported as unlisted. A folder without any listed file is
reported as one.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from conformance.submission.clauses import FILES
from conformance.submission.files import NOT_PART, measure, size_of
from conformance.submission.listed import Listing
from conformance.submission.problems import Problem
from conformance.submission.reading import METADATA
from conformance.submission.wording import count, nearest, shown
from conformance.verdicts import ConformanceError

_OURS = re.compile(re.escape(METADATA) + r"(\.bak(\.\d+)?)?")
_MOST_GUESSES = 200


@dataclass(frozen=True, slots=True)
class FolderFiles:
    """Paths of all files below a folder, links among them; what could not be looked into.

    ``ignored`` are names at the top that are no part of a submission, and were not looked into.
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


def without_links_to_listed(paths: Iterable[str], mentioned: Collection[str]) -> list[str]:
    """Return the paths that are neither mentioned nor a (linked) folder on the way to one."""
    ways = {str(parent) for path in mentioned for parent in PurePosixPath(path).parents}
    return [path for path in paths if path not in mentioned and path not in ways]


def match_renamed(
    root: Path, unfound: Iterable[tuple[Listing, Problem]], unlisted: Iterable[str]
) -> Iterator[tuple[Problem, str | None]]:
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


def find_unlisted(folder: FolderFiles, unlisted: Collection[str], most: int) -> Iterator[Problem]:
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


def _unlisted(path: str, number: int) -> Problem:
    name = _printable(path)
    return Problem(
        check="SUBMISSION-FILE-004",
        message=f"{name!r} is not listed in {METADATA}",
        expected="every file of the folder listed under a model, vector set or sample, or in "
        "associated_files",
        found="a file that is not listed" if number == 1 else count(number, "unlisted file"),
        fix="List it in associated_files if it belongs to the submission; delete it if not.",
        clause=FILES,
        file=name,
    )


def _too_many(number: int) -> Problem:
    return Problem(
        check="SUBMISSION-FILE-004",
        message="the folder holds too many files",
        expected=f"at most {number} files",
        found="more; the rest was not looked at",
        fix="Pack small files together, or delete what does not belong to the submission.",
        clause=FILES,
        file=".",
    )


def _unreadable(path: str) -> Problem:
    name = _printable(path)
    return Problem(
        check="SUBMISSION-FILE-001",
        message=f"the folder {name!r} cannot be read",
        expected="a folder whose files can be listed",
        found="permission denied, or an error of the disk",
        fix="Make the folder readable, or delete it.",
        clause=FILES,
        file=name,
    )
