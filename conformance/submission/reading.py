"""Reading ``submission.json``: strict JSON of bounded size and depth.

:func:`read_document` either returns the whole document or raises
:exc:`UnreadableSubmissionError`; nothing can be said about a submission whose metadata cannot be
read. A repeated key is no such case: it is noted in :attr:`Document.repeats`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.submission.positions import (
    Place,
    Pointer,
    iterate_places,
    iterate_tokens,
    line_and_column,
)
from conformance.verdicts import ConformanceError, Json, Location

METADATA = "submission.json"
"""Name of the file with the metadata of a submission."""

_INTEGER_DIGITS = 18
_SHOWN = 100
_SURROGATE = re.compile("[\ud800-\udfff]")


class UnreadableSubmissionError(ConformanceError):
    """There is no metadata, or nothing can be said about it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a submission may ask for: bytes, levels of nesting, files and problems."""

    metadata_bytes: int = 16 * 2**20
    depth: int = 64
    files: int = 100_000
    file_bytes: int = 256 * 2**30
    problems: int = 1_000


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Document:
    """The metadata of the submission in ``root``: the text, what it says, and its SHA-256.

    ``repeats`` are the places of keys that their object already has.
    """

    root: Path
    text: str
    data: Json
    sha256: str
    repeats: tuple[Place, ...]


def read_document(folder: Path, limits: Limits = DEFAULT_LIMITS) -> Document:
    """Read ``submission.json`` of ``folder``; raise :exc:`UnreadableSubmissionError`."""
    raw = _read_bytes(folder, limits.metadata_bytes)
    text = _decode(raw)
    _check_depth(text, limits.depth)
    data, repeated = _parse(text)
    if "\\u" in text:
        _refuse_surrogates(text)
    repeats = _find_repeats(text) if repeated else ()
    return Document(folder.resolve(), text, data, hashlib.sha256(raw).hexdigest(), repeats)


def _read_bytes(folder: Path, limit: int) -> bytes:
    if not folder.is_dir():
        raise UnreadableSubmissionError(
            f"{folder} is not a folder" if folder.exists() else f"{folder} does not exist",
            where=Location(file=str(folder)),
            expected=f"a folder that holds {METADATA}",
            found="a file" if folder.exists() else "nothing",
            fix="Give the path of the folder of the submission.",
        )
    try:
        descriptor = os.open(folder / METADATA, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _unreadable_file(folder, error) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise _not_a_file("not a regular file with a single name")
        if status.st_size > limit:
            raise _too_large(status.st_size, limit)
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(limit)
    finally:
        os.close(descriptor)


def _unreadable_file(folder: Path, error: OSError) -> UnreadableSubmissionError:
    if isinstance(error, FileNotFoundError):
        return UnreadableSubmissionError(
            f"{METADATA} is missing",
            where=Location(file=METADATA),
            expected=f"a file {METADATA} in {folder}",
            found="no such file",
            fix=f"Write {METADATA}, or let `nnr-conformance init` write one to start from.",
        )
    if (folder / METADATA).is_symlink():
        return _not_a_file("a symbolic link")
    return _not_a_file(error.strerror or str(error))


def _not_a_file(found: str) -> UnreadableSubmissionError:
    return UnreadableSubmissionError(
        f"{METADATA} cannot be read",
        where=Location(file=METADATA),
        expected="a regular file, no link and without a second name (hard link)",
        found=found,
        fix=f"Put a plain, readable copy of {METADATA} into the folder.",
    )


def _too_large(size: int, limit: int) -> UnreadableSubmissionError:
    return UnreadableSubmissionError(
        f"{METADATA} is too large",
        where=Location(file=METADATA),
        expected=f"at most {limit} bytes",
        found=f"{size} bytes",
        fix="Move long strings and tables into associated_files.",
    )


def _decode(raw: bytes) -> str:
    if raw.startswith(b"\xef\xbb\xbf"):
        raise UnreadableSubmissionError(
            f"{METADATA} starts with a byte-order mark",
            where=Location(file=METADATA, byte_offset=0),
            expected="UTF-8 without a byte-order mark",
            found="the bytes EF BB BF",
            fix="Save the file as UTF-8 without BOM.",
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableSubmissionError(
            f"{METADATA} is not UTF-8",
            where=Location(file=METADATA, byte_offset=error.start),
            expected="text in UTF-8",
            found=f"the byte {raw[error.start]:02X} ({error.reason})",
            fix="Save the file in the encoding UTF-8.",
        ) from error


def _shown_line(text: str, offset: int) -> str:
    """Return what of the line of ``offset`` stands near it."""
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    line_end = len(text) if end < 0 else end
    first = max(start, min(offset - _SHOWN // 2, line_end - _SHOWN))
    return text[first : min(line_end, first + _SHOWN)].strip()


def _at(text: str, offset: int, problem: str, expected: str, fix: str) -> ConformanceError:
    line, column = line_and_column(text, offset)
    return UnreadableSubmissionError(
        f"{METADATA} {problem}",
        where=Location(file=METADATA, line=line, column=column),
        expected=expected,
        found=_shown_line(text, offset) or "the end of the text",
        fix=fix,
    )


def _check_depth(text: str, limit: int) -> None:
    depth = 0
    for token, offset in iterate_tokens(text):
        depth += (token in "[{") - (token in "]}")
        if depth > limit:
            raise _at(
                text,
                offset,
                f"is nested more than {limit} levels deep",
                f"at most {limit} levels of objects and lists",
                "Flatten the document; the submission format itself needs 9 levels.",
            )


class _NumberError(ValueError):
    """A number that cannot be kept exactly, with its text."""


def _parse(text: str) -> tuple[Json, bool]:
    repeated = False

    def to_object(pairs: list[tuple[str, Json]]) -> Mapping[str, Json]:
        nonlocal repeated
        result = dict(pairs)
        repeated = repeated or len(result) < len(pairs)
        return result

    try:
        data = json.loads(
            text,
            object_pairs_hook=to_object,
            parse_constant=_refuse_number,
            parse_int=_to_int,
            parse_float=_to_float,
        )
    except json.JSONDecodeError as error:
        raise _at(
            text,
            error.pos,
            f"is not JSON: {error.msg}",
            "JSON (RFC 8259)",
            "Look at this place for a missing or extra comma, quotation mark or bracket.",
        ) from error
    except _NumberError as error:
        raise _bad_number(text, str(error)) from error
    return data, repeated


def _refuse_number(token: str) -> float:
    raise _NumberError(token)


def _to_int(token: str) -> int:
    return int(token) if len(token.lstrip("-")) <= _INTEGER_DIGITS else int(_refuse_number(token))


def _to_float(token: str) -> float:
    value = float(token)
    return value if math.isfinite(value) else _refuse_number(token)


def _bad_number(text: str, token: str) -> ConformanceError:
    offset = next(offset for each, offset in iterate_tokens(text) if each == token)
    shown = token if len(token) <= _SHOWN else f"{token[:_SHOWN]}... ({len(token)} characters)"
    return _at(
        text,
        offset,
        f"holds a number that cannot be used: {shown}",
        f"a finite number; integers of at most {_INTEGER_DIGITS} digits",
        "Write the number in decimal, within this range.",
    )


def _refuse_surrogates(text: str) -> None:
    # UTF-8 has no form for half a surrogate pair, so no report could be written about it.
    for token, offset in iterate_tokens(text):
        if "\\u" in token and _SURROGATE.search(json.loads(token, strict=False)):
            raise _at(
                text,
                offset,
                "holds half of a surrogate pair",
                "escapes \\uD800 to \\uDFFF only in pairs",
                "Write the character itself, or both halves of its escape.",
            )


def _find_repeats(text: str) -> tuple[Place, ...]:
    seen: set[Pointer] = set()
    repeats: dict[Pointer, Place] = {}
    for place in iterate_places(text):
        if place.pointer in seen:
            repeats[place.pointer] = place
        seen.add(place.pointer)
    return tuple(
        place
        for pointer, place in repeats.items()
        if not any(pointer[:length] in repeats for length in range(len(pointer)))
    )
