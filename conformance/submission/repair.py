"""Fixing mechanical fields of ``submission.json``: sizes, digests, and sums of sizes.

:func:`plan_repairs` only measures; :attr:`Repairs.diff` shows what would change; :func:`apply`
writes. Nothing but the values concerned changes: not the order of keys, nor the indentation.
"""

from __future__ import annotations

import difflib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from conformance.submission.mechanical import Field, mechanical_fields
from conformance.submission.positions import Place, Pointer, iterate_places, pointer_text
from conformance.submission.reading import METADATA, read_document
from conformance.verdicts import ConformanceError, Json, Location


@dataclass(frozen=True, slots=True)
class Change:
    """A value that is other than it should be; ``old`` is None where the key is missing."""

    pointer: str
    old: Json
    new: Json


@dataclass(frozen=True, slots=True)
class Repairs:
    """Planned changes to the metadata in ``root``, and its text before and after them."""

    root: Path
    changes: tuple[Change, ...]
    before: str
    after: str
    metadata_sha256: str

    @property
    def diff(self) -> str:
        """The changes as a unified diff; empty if there are none."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            METADATA,
            f"{METADATA} (fixed)",
        )
        return "".join(line if line.endswith("\n") else line + "\n" for line in lines)


def plan_repairs(folder: Path) -> Repairs:
    """Measure what is listed in ``folder`` and plan to fix sizes, digests and sums of sizes.

    Entries whose file is missing or unsafe are left as they are. Raise
    :exc:`UnreadableSubmissionError` if the metadata cannot be read, and :exc:`ConformanceError` if
    a key is there twice, since which of the two counts cannot be known.
    """
    document = read_document(folder)
    if document.repeats:
        raise ConformanceError(
            f"{METADATA} has a key twice in one object",
            where=Location(file=METADATA, pointer=pointer_text(document.repeats[0].pointer)),
            expected="each key once in an object",
            found=f"a second {document.repeats[0].pointer[-1]!r}",
            fix="Delete or rename one of them, then fix the rest.",
        )
    wrong = [field for field in mechanical_fields(document) if field.new != field.old]
    return Repairs(
        root=document.root,
        changes=tuple(
            Change(pointer_text((*each.owner, each.key)), each.old, each.new) for each in wrong
        ),
        before=document.text,
        after=_edit(document.text, wrong),
        metadata_sha256=document.sha256,
    )


def _edit(text: str, fields: list[Field]) -> str:
    wanted = {field.owner for field in fields}
    # First members tell how the members of an object are set apart.
    first: dict[Pointer, Place] = {}
    places: dict[Pointer, Place] = {}
    for place in iterate_places(text):
        owner = place.pointer[:-1]
        if place.pointer and owner in wanted:
            places[place.pointer] = place
            first.setdefault(owner, place)
    edits = [_replacement(text, field, places, first) for field in fields]
    pieces, end = [], 0
    for start, stop, new in sorted(edit for edit in edits if edit is not None):
        pieces += [text[end:start], new]
        end = stop
    return "".join([*pieces, text[end:]])


def _replacement(
    text: str, field: Field, places: dict[Pointer, Place], first: dict[Pointer, Place]
) -> tuple[int, int, str] | None:
    """Return which part of the text gives way to what."""
    new = json.dumps(field.new)
    place = places.get((*field.owner, field.key))
    if place is not None:
        return place.start, place.end, new
    neighbour = first.get(field.owner)
    if neighbour is None or neighbour.key_start is None:
        return None
    opening = text.rindex("{", 0, neighbour.key_start)
    space = text[opening + 1 : neighbour.key_start] or " "
    return neighbour.end, neighbour.end, f",{space}{json.dumps(field.key)}: {new}"


def apply(repairs: Repairs) -> Path:
    """Write the planned text in one step, and return the path of the backup.

    Raise :exc:`ConformanceError` if the metadata have changed since the plan was made.
    """
    target = repairs.root / METADATA
    if read_document(repairs.root).sha256 != repairs.metadata_sha256:
        raise ConformanceError(
            f"{METADATA} has changed meanwhile",
            where=Location(file=METADATA),
            expected=f"sha256 {repairs.metadata_sha256}",
            found="other content",
            fix="Run the command again.",
        )
    backup = _write_backup(target, repairs.before)
    _replace(target, repairs.after)
    return backup


def _write_backup(target: Path, text: str) -> Path:
    backup, number = target.with_name(f"{target.name}.bak"), 0
    while backup.exists() or backup.is_symlink():
        number += 1
        backup = target.with_name(f"{target.name}.bak.{number}")
    with backup.open("xb") as stream:
        stream.write(text.encode())
    return backup


def _replace(target: Path, text: str) -> None:
    mode = target.stat().st_mode
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".submission-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode & 0o777)
            stream.write(text.encode())
            stream.flush()
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
