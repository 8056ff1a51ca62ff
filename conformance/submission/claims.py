"""Whether every metric that decides has a value that was claimed, and one of the original."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from conformance.submission.defects import Defect
from conformance.submission.positions import Pointer
from conformance.submission.sections import entries, ids_of
from conformance.submission.text import listing, shown
from conformance.verdicts import Json

CHECK = "SUBMISSION-CLAIM-001"

Pair: TypeAlias = tuple[str, str]
"""The ids of a metric and of a vector set."""


def find_missing_claims(data: Json) -> Iterator[Defect]:
    """Yield a problem for each metric that a sample is judged by, but whose value nobody claims.

    It is claimed for the sample and for each of its layers, and declared for the original. A use
    of what does not exist, or belongs to a different model, is a wrong reference and reported as
    such; so is a claim, which may be the one that is missing.
    """
    metrics = ids_of(data, "metrics")
    owners = {str(each.get("id")): each.get("model") for _, each in entries(data, "vectors")}
    by_model: dict[str, list[Pair]] = {}

    def missing(whose: str, at: Pointer, claims: Json, judged: Iterable[Pair]) -> Iterator[Defect]:
        values = claims.get("metric_values") if isinstance(claims, dict) else None
        if not isinstance(values, list):
            return
        claimed = [_pair(value) if isinstance(value, dict) else ("", "") for value in values]
        if all(metric in metrics and vectors in owners for metric, vectors in claimed):
            for pair in dict.fromkeys(judged):
                if pair not in claimed:
                    yield _defect(whose, (*at, "metric_values"), pair, claimed)

    for at, sample in entries(data, "samples"):
        model = sample.get("model")
        uses = [_pair(use) for _, use in entries(sample, "metrics")]
        of_model = {vectors for vectors, owner in owners.items() if owner == model}
        judged = [use for use in uses if use[0] in metrics and use[1] in of_model]
        yield from missing("sample", (*at, "claims"), sample.get("claims"), judged)
        for inner, layer in entries(sample, "layers"):
            yield from missing("layer", (*at, *inner, "claims"), layer.get("claims"), judged)
        by_model.setdefault(str(model), []).extend(judged)
    for at, original in entries(data, "models"):
        judged = by_model.get(str(original.get("id")), [])
        yield from missing("original", at, original, judged)


def _defect(whose: str, pointer: Pointer, missing: Pair, claimed: Iterable[Pair]) -> Defect:
    metric, vectors = map(shown, missing)
    said, by, owner = (
        ("declared for the original", "a sample of the model", "model")
        if whose == "original"
        else (f"claimed for the {whose}", "the sample", "sample")
    )
    return Defect(
        check=CHECK,
        message=f"no value of {metric} on {vectors} is {said}",
        expected=f"a value of each metric that {by} is judged by",
        found=listing(sorted(f"{m} on {v}" for m, v in claimed)) or "none",
        fix="Add the value that you measured yourself; `nnr-conformance measure DIR ID`, with the "
        f"id of the {owner}, prints what this tool measures.",
        pointer=pointer,
    )


def _pair(entry: Mapping[str, Json]) -> Pair:
    return str(entry.get("metric")), str(entry.get("vectors"))
