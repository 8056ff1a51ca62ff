"""Whether each id and each measurement is there once, and what refers to an id finds one.

One missing entry that many places refer to is one problem, and so is a vector set of a different
model: there is one thing to fix.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from conformance.submission.defects import Defect
from conformance.submission.positions import Pointer, pointer_text
from conformance.submission.sections import MEASUREMENTS, SECTIONS, entries, ids_of
from conformance.submission.text import is_placeholder, listing, nearest, shown
from conformance.submission.violations import Violation
from conformance.verdicts import Json

_LAYERS = ("layers", "claims", "metric_values")
_USES = (("metric", "metrics"), ("vectors", "vectors"))
# Where references stand: the way to the object, and which of its keys refer to which section.
_REFERENCES: tuple[tuple[tuple[str, ...], tuple[tuple[str, str], ...]], ...] = (
    (
        ("models",),
        (("use_cases", "use_cases"), ("training_data", "datasets"), ("test_data", "datasets")),
    ),
    (("models", "metric_values"), _USES),
    (("vectors",), (("model", "models"), ("dataset", "datasets"))),
    (("vectors", "equivalent_to"), (("vectors", "vectors"),)),
    (("samples",), (("model", "models"), ("same_tensors_as", "samples"))),
    (("samples", "metrics"), _USES),
    (("samples", "claims", "metric_values"), _USES),
    (
        ("samples", "update_of"),
        (("sample", "samples"), ("model", "models"), ("contexts_of", "samples")),
    ),
    (("samples", "merge_of"), (("sample", "samples"),)),
    (("samples", *_LAYERS), _USES),
)


def find_duplicate_ids(data: Json) -> Iterator[Defect]:
    """Yield a problem for each id that several entries of one section have."""
    for section in SECTIONS:
        owners: dict[str, list[Pointer]] = defaultdict(list)
        for pointer, entry in entries(data, section):
            if isinstance(entry.get("id"), str):
                owners[entry["id"]].append((*pointer, "id"))
        for name, (first, *others) in owners.items():
            if others:
                yield _duplicate(section, name, first, others)


def find_repeated_measurements(data: Json) -> Iterator[Defect]:
    """Yield a problem for each metric that one list names twice for the same vectors.

    Two entries for one measurement could contradict each other: a bound that holds would stand
    next to one that does not.
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


def find_repeated_shards(data: Json) -> Iterator[Defect]:
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


def _repeated_shards(vectors: str, repeated: list[Pointer]) -> Defect:
    first, *others = repeated
    return Defect(
        check="SUBMISSION-VECTORS-001",
        message=f"the vectors {shown(vectors)} list inputs that they have listed before",
        expected="in each shard, inputs that no other shard of the set has",
        found=f"{len(repeated)} of the shards with the sha256 of an earlier one",
        fix="Take these shards out: an item that is repeated says nothing new.",
        pointer=first,
        also=others,
    )


def _repeated(pair: tuple[str, str], first: Pointer, pointer: Pointer) -> Defect:
    metric, vectors = map(shown, pair)
    return Defect(
        check="SUBMISSION-ID-001",
        message=f"the metric {metric} on the vectors {vectors} is there twice",
        expected="one entry for each metric and vector set",
        found=f"another entry at {pointer_text(first)}",
        fix="Keep the entry that holds, and remove the other.",
        pointer=pointer,
        also=(first,),
    )


def _duplicate(section: str, id: str, first: Pointer, others: list[Pointer]) -> Defect:
    return Defect(
        check="SUBMISSION-ID-001",
        message=f"{section} has {len(others) + 1} entries with the id {shown(id)}",
        expected=f"an id that no other entry of {section} has",
        found=f"{shown(id)}, which {pointer_text(first)} is as well",
        fix="Give one of them another id, and change what refers to it.",
        pointer=others[0],
        also=(first, *others[1:]),
    )


def find_reference_problems(data: Json, violations: Collection[Violation]) -> Iterator[Defect]:
    """Yield what is wrong with references.

    Nothing is said of sections of which not every id can be known because of ``violations``.
    """
    uncertain = _uncertain_sections(violations)
    yield from _find_dangling_references(data, uncertain)
    if not {"models", "vectors"} & uncertain:
        yield from _find_foreign_vectors(data)
        yield from _find_equal_to_themselves(data)


def _uncertain_sections(violations: Collection[Violation]) -> frozenset[str]:
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


def _find_dangling_references(data: Json, uncertain: Collection[str]) -> Iterator[Defect]:
    """Yield a problem for each missing entry; nothing is said of ``uncertain`` sections."""
    places: dict[tuple[str, str], list[Pointer]] = defaultdict(list)
    ids = {section: ids_of(data, section) for _, keys in _REFERENCES for _, section in keys}
    for pointer, section, name in _references(data):
        if section not in uncertain and name not in ids[section]:
            places[section, name].append(pointer)
    for (section, name), (first, *others) in places.items():
        yield _dangling(section, name, first, others, list(ids[section]))


def _references(data: Json) -> Iterator[tuple[Pointer, str, str]]:
    for way, keys in _REFERENCES:
        for pointer, entry in entries(data, *way):
            for key, section in keys:
                for at, name in _values((*pointer, key), entry.get(key)):
                    yield at, section, name


def _values(pointer: Pointer, value: Json) -> Iterator[tuple[Pointer, str]]:
    listed = isinstance(value, list)
    for index, each in enumerate(value if listed else [value]):
        if isinstance(each, str) and each and not is_placeholder(each):
            yield ((*pointer, index) if listed else pointer), each


def _dangling(
    section: str, id: str, first: Pointer, others: list[Pointer], known: list[str]
) -> Defect:
    meant = nearest(id, known)
    places = f", in {len(others) + 1} places" if others else ""
    return Defect(
        check="SUBMISSION-REFERENCE-001",
        message=f"{section} has no entry with the id {shown(id)}",
        expected=f"one of the ids of {section}: {listing(known)}",
        found=shown(id) + places,
        fix=_fix(section, id, meant),
        pointer=first,
        also=others,
    )


def _fix(section: str, id: str, meant: str | None) -> str:
    if "/" in id and section == "samples":
        return "Only samples of this submission can be named: copy the other one into it."
    return f"Did you mean {shown(meant)}?" if meant else f"Add such an entry to {section}."


def _find_foreign_vectors(data: Json) -> Iterator[Defect]:
    """Yield a problem where a model or sample uses vectors that are those of a different model."""
    models, vectors = ids_of(data, "models"), ids_of(data, "vectors")
    owners = {entry.get("id"): entry.get("model") for _, entry in entries(data, "vectors")}
    places: dict[tuple[str, str], list[tuple[Pointer, str]]] = defaultdict(list)
    for user, pointer, used in _vector_uses(data):
        owner = owners[used] if used in vectors else None
        if isinstance(owner, str) and {user, owner} <= models.keys() and owner != user:
            places[owner, user].append((pointer, used))
    for (owner, user), uses in places.items():
        yield _foreign(owner, user, uses)


def _vector_uses(data: Json) -> Iterator[tuple[str, Pointer, str]]:
    """Yield the id of a model, and the place and id of vectors used with it."""
    for section, key, ways in (
        ("models", "id", [("metric_values",)]),
        ("samples", "model", [("metrics",), ("claims", "metric_values"), _LAYERS]),
    ):
        for at, entry in entries(data, section):
            for way in ways:
                for inner, use in entries(entry, *way):
                    if isinstance(entry.get(key), str) and isinstance(use.get("vectors"), str):
                        yield entry[key], (*at, *inner, "vectors"), use["vectors"]


def _foreign(owner: str, user: str, uses: list[tuple[Pointer, str]]) -> Defect:
    (first, used), *others = uses
    return Defect(
        check="SUBMISSION-REFERENCE-001",
        message=f"the vectors {shown(used)} are not for the model {shown(user)}",
        expected=f"vectors whose model is {shown(user)}",
        found=f"{shown(used)}, whose model is {shown(owner)}",
        fix="Name vectors of this model here, or correct the model that the vectors name.",
        pointer=first,
        also=[pointer for pointer, _ in others],
    )


def _find_equal_to_themselves(data: Json) -> Iterator[Defect]:
    """Yield a problem for each vector set that is said to equal one of the same model.

    A network agrees with itself: nothing would be compared, and the noise floor would be 0.
    """
    owners = {entry.get("id"): entry.get("model") for _, entry in entries(data, "vectors")}
    for at, entry in entries(data, "vectors"):
        equal = entry.get("equivalent_to")
        other = equal.get("vectors") if isinstance(equal, dict) else None
        if isinstance(other, str) and other in owners and owners[other] == entry.get("model"):
            yield _equal_to_itself((*at, "equivalent_to", "vectors"), other, owners[other])


def _equal_to_itself(pointer: Pointer, vectors: str, model: Json) -> Defect:
    return Defect(
        check="SUBMISSION-REFERENCE-001",
        message=f"the vectors {shown(vectors)} are for the same model, which would be compared "
        "with itself",
        expected="vectors of another model: the same network in a different format",
        found=f"{shown(vectors)}, whose model is {shown(model)} as well",
        fix="Name the vectors of the other format, or remove equivalent_to.",
        pointer=pointer,
    )
