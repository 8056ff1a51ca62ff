"""Fixing what follows from the files in ``submission.json``: sizes, digests, and sums of sizes.

Sizes and digests of listed files, and the claims that are sums of sizes: of samples, of all that an
update builds on, and of layers that consist of files. Nobody needs to think about these values.

:func:`plan_repairs` only measures; :attr:`Repairs.diff` shows what would change; :func:`apply`
writes. Nothing but the values concerned changes: not the order of keys, nor the indentation.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from conformance.submission.files import FileFacts, Listing, find_listings, measure
from conformance.submission.positions import Place, Pointer, iterate_places, pointer_text
from conformance.submission.reading import METADATA, Document, read_document
from conformance.submission.sections import entries
from conformance.submission.update_graph import added_up
from conformance.submission.update_rules import Entry, needed_samples
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
    wrong = [field for field in _recomputed_fields(document) if field.new != field.old]
    return Repairs(
        root=document.root,
        changes=tuple(
            Change(pointer_text((*each.owner, each.key)), each.old, each.new) for each in wrong
        ),
        before=document.text,
        after=_edit(document.text, wrong),
        metadata_sha256=document.sha256,
    )


def _edit(text: str, fields: list[_Field]) -> str:
    wanted = {field.owner for field in fields}
    # First members show how the members of an object are set apart.
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
    text: str, field: _Field, places: dict[Pointer, Place], first: dict[Pointer, Place]
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
            f"{METADATA} was changed in the meantime",
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


@dataclass(frozen=True, slots=True)
class _Field:
    """The value that ``key`` of the object at ``owner`` should have."""

    owner: Pointer
    key: str
    new: Json
    old: Json


def _recomputed_fields(document: Document) -> Iterator[_Field]:
    """Yield every value that can be measured; what needs a file that is not there is left out."""
    listings = find_listings(document.data)
    facts = _measure_all(document.root, listings)
    for listing in listings:
        if (measured := facts.get(listing.path)) is not None:
            entry = functools.reduce(lambda value, key: value[key], listing.pointer, document.data)
            yield _Field(listing.pointer, "size", measured.size, entry.get("size"))
            yield _Field(listing.pointer, "sha256", measured.sha256, entry.get("sha256"))
    sizes = {path: measured.size for path, measured in facts.items()}
    yield from _compressed_sizes(document.data, sizes)
    yield from _cumulative_sizes(document.data, sizes)
    yield from _layer_sizes(document.data, sizes)


def _measure_all(root: Path, listings: tuple[Listing, ...]) -> dict[str, FileFacts]:
    facts = {}
    for path in {listing.path for listing in listings} - {METADATA}:
        with contextlib.suppress(ConformanceError):
            facts[path] = measure(root, path)
    return facts


def _compressed_sizes(data: Json, sizes: Mapping[str, int]) -> Iterator[_Field]:
    for at, sample in entries(data, "samples"):
        size = _size_of(sample, sizes)
        if size is not None:
            yield from _claim(at, sample, "compressed_size", size)


def _size_of(sample: Mapping[str, Json], sizes: Mapping[str, int]) -> int | None:
    """Return the bytes of a sample's files; None if one is missing. A merge has no files."""
    paths = [str(file.get("rel_filepath")) for _, file in entries(sample, "files")]
    if (not paths and "merge_of" not in sample) or not sizes.keys() >= set(paths):
        return None
    return sum(sizes[path] for path in paths)


def _cumulative_sizes(data: Json, sizes: Mapping[str, int]) -> Iterator[_Field]:
    """Yield the claims of updates and merges that lead back to files that are all there."""
    samples = [(at, sample) for at, sample in entries(data, "samples") if _name(sample)]
    totals = _totals(samples, sizes)
    for at, sample in samples:
        if _name(sample) in totals and ("update_of" in sample or "merge_of" in sample):
            yield from _claim(at, sample, "cumulative_size", totals[_name(sample)])


def _totals(samples: Sequence[Entry], sizes: Mapping[str, int]) -> Mapping[str, int]:
    """Return the bytes that lead to each sample, where they are known; to none in a cycle."""
    times = Counter(_name(sample) for _, sample in samples)
    needs = {
        _name(sample): tuple(name for _, name in needed_samples(at, sample))
        for at, sample in samples
        if times[_name(sample)] == 1
    }
    own = {_name(sample): _size_of(sample, sizes) for _, sample in samples}
    known: dict[str, tuple[str, ...]] = {}
    try:
        for name in TopologicalSorter(needs).static_order():
            if own.get(name) is not None and name in needs and known.keys() >= set(needs[name]):
                known[name] = needs[name]
    except CycleError:
        return {}
    return added_up(known, {name: size for name, size in own.items() if size is not None})


def _name(sample: Mapping[str, Json]) -> str:
    name = sample.get("id")
    return name if isinstance(name, str) else ""


def _layer_sizes(data: Json, sizes: Mapping[str, int]) -> Iterator[_Field]:
    """Yield the claims of layers of files; what units take is not known without decoding."""
    for at, sample in entries(data, "samples"):
        total = 0
        for inner, layer in entries(sample, "layers"):
            paths = layer.get("files")
            if not isinstance(paths, list) or not paths or not sizes.keys() >= set(map(str, paths)):
                break
            size = sum(sizes[str(path)] for path in paths)
            total += size
            yield from _claim((*at, *inner), layer, "size", size)
            yield from _claim((*at, *inner), layer, "cumulative_size", total)


def _claim(at: Pointer, owner: Mapping[str, Json], key: str, new: int) -> Iterator[_Field]:
    claims = owner.get("claims")
    if isinstance(claims, dict):
        yield _Field((*at, "claims"), key, new, claims.get(key))
