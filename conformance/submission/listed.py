"""The files that the metadata list, compared with those on disk.

Every object with a ``rel_filepath`` lists a file, wherever it stands: a list under a misspelt key
or in an invalid entry counts as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.submission.clauses import FILES
from conformance.submission.files import FileFacts, measure, size_of
from conformance.submission.positions import Pointer
from conformance.submission.problems import Problem
from conformance.submission.reading import METADATA
from conformance.submission.wording import is_placeholder
from conformance.verdicts import ConformanceError, Json

_DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Listing:
    """One entry that lists a file; ``size`` and ``sha256`` are None where they are not valid."""

    pointer: Pointer
    path: str
    size: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing: facts of the files, problems, and listings without their file."""

    files: Mapping[str, FileFacts]
    problems: tuple[Problem, ...]
    unfound: tuple[tuple[Listing, Problem], ...]


def iterate_values(data: Json) -> Iterator[tuple[Pointer, Json]]:
    """Yield every value with its pointer, in the order of the text."""
    stack: list[tuple[Pointer, Json]] = [((), data)]
    while stack:
        pointer, value = stack.pop()
        yield pointer, value
        inner: Collection[tuple[Any, Json]] = ()
        if isinstance(value, dict):
            inner = list(value.items())
        elif isinstance(value, list):
            inner = list(enumerate(value))
        stack.extend(((*pointer, key), each) for key, each in reversed(list(inner)))


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
    valid = isinstance(text, str) and len(text) == _DIGEST_LENGTH and set(text) <= _HEXADECIMAL
    return text if valid else None


_HEXADECIMAL = set("0123456789abcdef")


def compare_files(
    root: Path,
    listings: Collection[Listing],
    known: Mapping[str, FileFacts],
    most_bytes: int,
) -> Comparison:
    """Compare each listed file with the one on disk; a file listed twice is read once."""
    by_path: dict[str, list[Listing]] = defaultdict(list)
    for listing in listings:
        by_path[listing.path].append(listing)
    files: dict[str, FileFacts] = {}
    problems: list[Problem] = []
    unfound: list[tuple[Listing, Problem]] = []
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
    return Comparison(files, tuple(problems), tuple(unfound))


def _compare(
    root: Path, path: str, same: list[Listing], known: FileFacts | None, most_bytes: int
) -> FileFacts | Problem:
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


def _problem(
    number: int,
    same: list[Listing],
    key: str,
    *,
    message: str,
    expected: str,
    found: str,
    fix: str,
) -> Problem:
    first, *others = ((*each.pointer, key) for each in same)
    return Problem(
        check=f"SUBMISSION-FILE-{number:03}",
        message=message,
        expected=expected,
        found=found,
        fix=fix,
        clause=FILES,
        pointer=first,
        also=others,
    )


def _unusable(error: ConformanceError, same: list[Listing]) -> Problem:
    return _problem(
        1,
        same,
        "rel_filepath",
        message=error.message,
        expected=error.expected,
        found=error.found,
        fix=error.fix,
    )


def _lists_itself(same: list[Listing]) -> Problem:
    return _problem(
        1,
        same,
        "rel_filepath",
        message="the metadata list themselves",
        expected=f"every file but {METADATA}",
        found=METADATA,
        fix="Take this entry out.",
    )


def _contradiction(same: list[Listing], size: int) -> Problem:
    said = "; ".join(f"{each.size} bytes, sha256 {each.sha256}" for each in same[:4])
    return _problem(
        4,
        same,
        "rel_filepath",
        message=f"{same[0].path!r}: entries for the same file contradict each other",
        expected="the same size and sha256 wherever a file is listed",
        found=f"{said}; the file has {size} bytes",
        fix="Make the entries agree, or run `nnr-conformance check --fix`.",
    )


def _too_large(same: list[Listing], size: int, most_bytes: int) -> Problem:
    return _problem(
        1,
        same,
        "rel_filepath",
        message=f"{same[0].path!r}: the file is too large to be read",
        expected=f"at most {most_bytes} bytes",
        found=f"{size} bytes",
        fix="Split the file into shards.",
    )


_MEND = (
    "If the file is right, run `nnr-conformance check --fix`; if not, put the right file in place."
)


def _other_size(same: list[Listing], size: int) -> Problem:
    return _problem(
        2,
        same,
        "size",
        message=f"{same[0].path!r}: the size differs from the declared one",
        expected=f"{next(each.size for each in same if each.size is not None)} bytes",
        found=f"{size} bytes",
        fix=_MEND,
    )


def _other_digest(same: list[Listing], facts: FileFacts) -> Problem:
    return _problem(
        3,
        same,
        "sha256",
        message=f"{same[0].path!r}: the content differs from the declared one",
        expected=f"sha256 {next(each.sha256 for each in same if each.sha256)}",
        found=f"sha256 {facts.sha256}",
        fix=_MEND,
    )
