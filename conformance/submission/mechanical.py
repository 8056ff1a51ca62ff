"""Values of raw metadata that nobody has to think about: they follow from the files.

Sizes and digests of listed files, and the claims that are sums of sizes: of samples, of all that
an update builds upon, and of layers that consist of files.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from conformance.submission.cumulative import added_up
from conformance.submission.derivation import Entry, needed_samples
from conformance.submission.files import FileFacts, Listing, find_listings, measure
from conformance.submission.positions import Pointer
from conformance.submission.reading import METADATA, Document
from conformance.submission.sections import entries
from conformance.verdicts import ConformanceError, Json


@dataclass(frozen=True, slots=True)
class Field:
    """The value that ``key`` of the object at ``owner`` should have."""

    owner: Pointer
    key: str
    new: Json
    old: Json


def mechanical_fields(document: Document) -> Iterator[Field]:
    """Yield every value that can be measured; what needs a file that is not there is left out."""
    listings = find_listings(document.data)
    facts = _measure_all(document.root, listings)
    for listing in listings:
        if (measured := facts.get(listing.path)) is not None:
            entry = functools.reduce(lambda value, key: value[key], listing.pointer, document.data)
            yield Field(listing.pointer, "size", measured.size, entry.get("size"))
            yield Field(listing.pointer, "sha256", measured.sha256, entry.get("sha256"))
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


def _compressed_sizes(data: Json, sizes: Mapping[str, int]) -> Iterator[Field]:
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


def _cumulative_sizes(data: Json, sizes: Mapping[str, int]) -> Iterator[Field]:
    """Yield the claims of updates and merges that lead back to files that are all there."""
    samples = [(at, sample) for at, sample in entries(data, "samples") if _name(sample)]
    totals = _totals(samples, sizes)
    for at, sample in samples:
        if _name(sample) in totals and ("update_of" in sample or "merge_of" in sample):
            yield from _claim(at, sample, "cumulative_size", totals[_name(sample)])


def _totals(samples: Sequence[Entry], sizes: Mapping[str, int]) -> Mapping[str, int]:
    """Return the bytes that lead to each sample, where they can be told; to none in a ring."""
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


def _layer_sizes(data: Json, sizes: Mapping[str, int]) -> Iterator[Field]:
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


def _claim(at: Pointer, owner: Mapping[str, Json], key: str, new: int) -> Iterator[Field]:
    claims = owner.get("claims")
    if isinstance(claims, dict):
        yield Field((*at, "claims"), key, new, claims.get(key))
