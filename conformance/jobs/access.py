"""Random access: single tensors of a sample, and how much of its file was read for each."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import final

from conformance.codecs import DecodedModel, RandomAccess, Source
from conformance.jobs.context import METADATA, TaskContext
from conformance.plan.requests import PartRequest, PartSpec
from conformance.plan.results import AccessedTensor, AccessResult
from conformance.tensorfiles import tensor_digest
from conformance.verdicts import (
    ConformanceError,
    Location,
    NotRunError,
    UnsupportedError,
)

MOST_TENSORS = 32
"""Tensors that are decoded alone; of more, as many are chosen evenly over the sorted names."""

COUNTED = 3
"""How often what is read for a tensor is counted."""


def access_tensors(task: TaskContext[PartRequest]) -> AccessResult:
    """Return the digest and the bytes read of tensors that are decoded one by one.

    Each is decoded once before it is counted: what is imported or compiled for it is not part of
    the sample. Then the least of three counts is taken: whatever else the process reads at the time
    adds to one.
    """
    part = task.asked.part
    decoder, source = task.codec(part.codec, part.role), task.source(part)
    if not isinstance(decoder, RandomAccess):
        raise _always_whole(task, part)
    if part.owner == "update":
        raise _no_network(task.id(part.role))
    decoded = decoder.decode(source)
    if isinstance(decoded, DecodedModel):
        raise _always_whole(task, part)
    with decoded:
        names = sorted(decoded)
        bits = sum(decoded.stored_bits.values()) - decoded.shared_bits
        chosen = {name: tensor_digest(decoded[name]) for name in evenly(names, MOST_TENSORS)}
    return AccessResult(
        file_bytes=sum(path.stat().st_size for path in source.files),
        payload_bytes=-(-bits // 8),
        count=len(names),
        tensors=tuple(_access(decoder, source, *each) for each in chosen.items()),
    )


def evenly(names: Sequence[str], most: int) -> list[str]:
    """Return at most that many names, from the first to the last and evenly between them."""
    if len(names) <= most:
        return list(names)
    return [names[place * (len(names) - 1) // (most - 1)] for place in range(most)]


def _access(decoder: RandomAccess, source: Source, name: str, whole: str) -> AccessedTensor:
    with decoder.decode_one(source, name) as decoded:
        digest = tensor_digest(decoded[name])
    counts = []
    same = True
    for _ in range(COUNTED):
        counter = ReadCounter()
        with decoder.decode_one(source, name) as decoded:
            same = tensor_digest(decoded[name]) == digest and same
            counts.append(counter.bytes)
            stored = -(-decoded.stored_bits[name] // 8)
    return AccessedTensor(
        tensor=name,
        stored_bytes=stored,
        bytes_read=min(counts),
        sha256=digest if same else None,
        whole_sha256=whole,
    )


def _always_whole(task: TaskContext[PartRequest], part: PartSpec) -> ConformanceError:
    return ConformanceError(
        f"a sample of the codec {part.codec!r} is always read as a whole",
        where=Location(task.display(part.files[0])),
        expected="a codec that decodes one tensor without the others: nnc, or tensors without a "
        "container",
        found=part.codec,
        fix='remove "random_access" from the claims, or use such a codec',
    )


def _no_network(sample: str) -> UnsupportedError:
    return UnsupportedError(
        "random access is judged for whole networks, in layers or not",
        where=Location(METADATA, element=sample),
        expected="a sample without update_of and merge_of",
        found="a sample that has one of them",
        fix='claim "random_access" for a sample that needs no other',
    )


COUNTS = Path("/proc/self/io")
"""Where the system says what this process has read."""
_READ = b"rchar:"
_MOST_BYTES = 4096


@final
class ReadCounter:
    """Counts the bytes that all threads of this process ask the system for, from its making on.

    Files that are mapped instead of read do not show. Raises NotRunError where the system does not
    count.
    """

    def __init__(self) -> None:
        # To look at the count is to read, which the next look counts.
        self._before, self._looked = _count()

    @property
    def bytes(self) -> int:
        """Bytes read since the counter was made, without looks at the count."""
        now, looked = _count()
        found = now - self._before - self._looked
        self._looked += looked
        return found


def _count() -> tuple[int, int]:
    """Return the bytes read until now, and how many this look takes."""
    try:
        descriptor = os.open(COUNTS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, _MOST_BYTES)
        finally:
            os.close(descriptor)
        line = next(line for line in text.splitlines() if line.startswith(_READ))
    except (OSError, StopIteration) as error:
        raise NotRunError(
            "bytes that are read cannot be counted on this system",
            expected=f"{COUNTS} with a line {_READ.decode()}",
            found=str(error) or "no such line",
            fix="run on Linux, in a container that shows its processes their own counts",
        ) from error
    return int(line.removeprefix(_READ)), len(text)
