"""Going through raw metadata, whatever may be wrong with them: values, sections, ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from conformance.submission.clauses import clause_of
from conformance.submission.explanations import Violation
from conformance.submission.positions import Pointer, pointer_text
from conformance.submission.problems import Problem
from conformance.submission.wording import shown
from conformance.verdicts import Json

SECTIONS = ("use_cases", "models", "datasets", "metrics", "vectors", "samples")
"""The keys of a submission whose entries have ids."""
MEASUREMENTS = (
    ("models", "metric_values"),
    ("samples", "metrics"),
    ("samples", "claims", "metric_values"),
    ("samples", "layers", "claims", "metric_values"),
)
"""The paths of lists whose entries are told apart by metric and vectors."""


def entries(data: Json, *keys: str) -> Iterator[tuple[Pointer, dict[str, Json]]]:
    """Yield every object below ``keys`` with its pointer; lists are gone through."""
    level: list[tuple[Pointer, Json]] = [((), data)] if isinstance(data, dict) else []
    for key in keys:
        held = (((*at, key), each[key]) for at, each in level if key in each)
        level = [each for at, value in held for each in _objects(at, value)]
    yield from level


def _objects(pointer: Pointer, value: Json) -> list[tuple[Pointer, Json]]:
    members = enumerate(value) if isinstance(value, list) else ()
    found = [((*pointer, index), each) for index, each in members] or [(pointer, value)]
    return [(at, each) for at, each in found if isinstance(each, dict)]


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


def ids_of(data: Json, section: str) -> dict[str, Pointer]:
    """Return the ids of a section, each with the pointer of the entry that has it first."""
    ids: dict[str, Pointer] = {}
    for pointer, entry in entries(data, section):
        if isinstance(entry.get("id"), str):
            ids.setdefault(entry["id"], pointer)
    return ids


def uncertain_sections(violations: Collection[Violation]) -> frozenset[str]:
    """Return the sections of which not every id can be known, because of ``violations``."""
    return frozenset(
        section for section in SECTIONS if any(_hides(each, section) for each in violations)
    )


def _hides(violation: Violation, section: str) -> bool:
    owner = violation.pointer[:-1] if violation.key else violation.pointer
    is_whole = not violation.key and not violation.missing
    if owner == ():
        return section in violation.missing or is_whole
    if owner[0] != section:
        return False
    if owner[2:] == ("id",) or len(owner) == 1:
        return True
    return len(owner) == 2 and ("id" in violation.missing or is_whole)  # noqa: PLR2004


def find_duplicate_ids(data: Json) -> Iterator[Problem]:
    """Yield a problem for each id that several entries of one section have."""
    for section in SECTIONS:
        owners: dict[str, list[Pointer]] = defaultdict(list)
        for pointer, entry in entries(data, section):
            if isinstance(entry.get("id"), str):
                owners[entry["id"]].append((*pointer, "id"))
        for name, (first, *others) in owners.items():
            if others:
                yield _duplicate(section, name, first, others)


def find_repeated_measurements(data: Json) -> Iterator[Problem]:
    """Yield a problem for each metric that one list names twice for the same vectors.

    Two entries for one measurement could contradict each other: a bound that holds would stand
    beside one that does not.
    """
    for keys in MEASUREMENTS:
        for owner_at, owner in entries(data, *keys[:-1]):
            seen: dict[tuple[str, str], Pointer] = {}
            for inner, entry in entries(owner, keys[-1]):
                pair = str(entry.get("metric")), str(entry.get("vectors"))
                pointer = (*owner_at, *inner)
                if pair in seen:
                    yield _repeated(pair, seen[pair], pointer)
                seen.setdefault(pair, pointer)


def find_repeated_shards(data: Json) -> Iterator[Problem]:
    """Yield a problem for each vector set with shards whose inputs have the bytes of another's.

    Targets and outputs may be equal where inputs differ: those of two digits of one class, say.
    """
    for at, vectors in entries(data, "vectors"):
        owners: dict[tuple[str, ...], list[Pointer]] = defaultdict(list)
        for inner, shard in entries(vectors, "shards"):
            contents = [each.get("sha256") for _, each in entries(shard, "inputs")]
            if contents and all(isinstance(each, str) for each in contents):
                owners[tuple(sorted(map(str, contents)))].append((*at, *inner, "inputs"))
        repeated = [each for pointers in owners.values() for each in pointers[1:]]
        if repeated:
            yield _repeated_shards(str(vectors.get("id")), sorted(repeated))


def _repeated_shards(vectors: str, repeated: list[Pointer]) -> Problem:
    first, *others = repeated
    return Problem(
        check="SUBMISSION-VECTORS-001",
        message=f"the vectors {shown(vectors)} list inputs that they have listed before",
        expected="in each shard, inputs that no other shard of the set has",
        found=f"{len(repeated)} of the shards with the sha256 of an earlier one",
        fix="Take these shards out: an item that is repeated says nothing new.",
        clause=clause_of(first),
        pointer=first,
        also=others,
    )


def _repeated(pair: tuple[str, str], first: Pointer, pointer: Pointer) -> Problem:
    metric, vectors = map(shown, pair)
    return Problem(
        check="SUBMISSION-ID-001",
        message=f"the metric {metric} on the vectors {vectors} is there twice",
        expected="one entry for each metric and vector set",
        found=f"another entry at {pointer_text(first)}",
        fix="Keep the entry that holds, and remove the other.",
        clause=clause_of(pointer),
        pointer=pointer,
        also=(first,),
    )


def _duplicate(section: str, id: str, first: Pointer, others: list[Pointer]) -> Problem:
    return Problem(
        check="SUBMISSION-ID-001",
        message=f"{section} has {len(others) + 1} entries with the id {shown(id)}",
        expected=f"an id that no other entry of {section} has",
        found=f"{shown(id)}, which {pointer_text(first)} is as well",
        fix="Give one of them another id, and change what refers to it.",
        clause=clause_of(others[0]),
        pointer=others[0],
        also=(first, *others[1:]),
    )
