"""What the metadata say of data sets that may be right, and is odd: advice, no part of a verdict.

Data that a network was trained on says little about it when it is tested there; a data set cannot
have fewer items than the vectors that were taken from it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from conformance.submission.defects import Defect
from conformance.submission.positions import Pointer
from conformance.submission.sections import entries
from conformance.submission.text import count, shown
from conformance.verdicts import Json

_PLACES = ("url", "doi", "name")


def find_odd_data(data: Json) -> Iterator[Defect]:
    """Yield advice on the data sets of metadata that follow the schema."""
    datasets = {each["id"]: (at, each) for at, each in entries(data, "datasets")}
    yield from _trained_on_tests(data, datasets)
    yield from _fewer_than_used(data, datasets)


def _trained_on_tests(data: Json, datasets: dict[str, tuple[Pointer, Json]]) -> Iterator[Defect]:
    """Yield one problem for each model that was trained on what it is tested with."""
    tested: dict[str, list[str]] = defaultdict(list)
    for _, vectors in entries(data, "vectors"):
        tested[vectors["model"]].append(vectors["dataset"])
    for at, model in entries(data, "models"):
        tests = dict.fromkeys([*model["test_data"], *tested[model["id"]]])
        known = {same: test for test in tests for same in _identities(datasets[test][1])}
        same, training = next(
            (
                (same, training)
                for training in model["training_data"]
                for same in _identities(datasets[training][1])
                if same in known
            ),
            ((), ""),
        )
        if same:
            test = known[same]
            yield Defect(
                check="SUBMISSION-DATA-001",
                message=f"model {shown(model['id'])} was trained on the data it is tested with",
                expected="test data that the network has not seen",
                found=f"training data {shown(training)} and test data {shown(test)} have one "
                f"{same[0]}",
                fix="Name the data that the network was trained on, or test it with other data; "
                "if these are two parts of one data set, say in split which.",
                pointer=(*at, "training_data"),
                also=tuple(datasets[each][0] for each in dict.fromkeys((training, test))),
            )


def _identities(dataset: Json) -> Iterator[tuple[str, ...]]:
    """Yield what makes a data set the same as another: the word for it, then its values."""
    yield "id", dataset["id"]
    if "sha256" in dataset:
        yield "SHA-256", dataset["sha256"]
    for key in _PLACES:
        if key in dataset:
            yield f"{key} and split", _plain(dataset[key]), _plain(dataset["split"])


def _plain(text: str) -> str:
    """Return a string without what makes no difference: case, spaces and a last slash."""
    return " ".join(text.casefold().split()).rstrip("/")


def _fewer_than_used(data: Json, datasets: dict[str, tuple[Pointer, Json]]) -> Iterator[Defect]:
    """Yield a problem for each data set that is smaller than a vector set taken from it."""
    used: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for _, vectors in entries(data, "vectors"):
        used[vectors["dataset"]].append((_distinct_items(vectors), vectors["id"]))
    for dataset, amounts in used.items():
        at, declared = datasets[dataset]
        items, largest = max(amounts)
        if declared["items"] is not None and items > declared["items"]:
            yield Defect(
                check="SUBMISSION-DATA-002",
                message=f"data set {shown(dataset)} has fewer items than the vectors taken from it",
                expected=f"at least {count(items, 'item')}, as in vector set {shown(largest)}",
                found=count(declared["items"], "item"),
                fix="Declare the number of items in this part of the data set, or say in "
                "description how one item gives several inputs.",
                pointer=(*at, "items"),
            )


def _distinct_items(vectors: Json) -> int:
    """Return how many items the shards hold, those with the same input files counted once.

    That a shard is there twice is a finding of SUBMISSION-VECTORS-001.
    """
    shards = {
        tuple(file["sha256"] for file in shard["inputs"]): shard["items"]
        for shard in vectors["shards"]
    }
    return int(sum(shards.values()))
