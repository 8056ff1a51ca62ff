"""Advice on data sets: odd, but no reason to refuse a submission."""

import pytest

from conformance.submission import load
from tests.submission import builder
from tests.submission.builder import put

TRAINED, FEWER = "SUBMISSION-DATA-001", "SUBMISSION-DATA-002"


def advice(folder, *changes):
    """What is advised about the submission with these values put at pointers."""
    data = builder.valid()
    for pointer, value in changes:
        put(data, pointer, value)
    builder.write_metadata(folder, data)
    loaded = load(folder)
    assert loaded.problems == ()
    assert loaded.submission is not None
    return loaded.advice


def test_nothing_is_odd_about_two_parts_of_one_data_set(folder):
    assert advice(folder) == ()


TRAIN, TEST = "/datasets/0", "/datasets/1"
SAME = {
    "one entry, by test_data": (("/models/0/test_data", ["train-data"]), "id", [TRAIN]),
    "one entry, by vectors": (("/vectors/0/dataset", "train-data"), "id", [TRAIN]),
    "one of several": (("/models/0/training_data", ["train-data", "test-data"]), "id", [TEST]),
    "one split": (("/datasets/1/split", "train"), "url and split", [TRAIN, TEST]),
    "one split in other words": (("/datasets/1/split", " TRAIN\n"), "url and split", [TRAIN, TEST]),
}


@pytest.mark.parametrize(("change", "same", "also"), SAME.values(), ids=SAME)
def test_training_data_that_is_test_data(folder, change, same, also):
    (found,) = advice(folder, change)
    assert found.check == TRAINED
    assert found.found.endswith(f"have one {same}")
    assert found.where.pointer == "/models/0/training_data"
    assert found.evidence["also_at"] == also
    assert "split" in found.fix


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("url", "https://example.org/x", "https://example.org/X/"),
        ("doi", "10.1234/a", "10.1234/A"),
        ("name", "Letters", "letters "),
        ("sha256", "a" * 64, "a" * 64),
    ],
)
def test_any_address_digest_or_name_makes_two_entries_one(folder, key, one, other):
    different = [("/datasets/0/url", "https://a.org"), ("/datasets/0/name", "A")]
    split = [("/datasets/1/split", "train")] if key != "sha256" else []
    values = [(f"/datasets/0/{key}", one), (f"/datasets/1/{key}", other)]
    assert advice(folder, *different, *split) == ()
    (found,) = advice(folder, *different, *split, *values)
    assert found.check == TRAINED


@pytest.mark.parametrize(("items", "odd"), [(99, True), (100, False), (101, False), (None, False)])
def test_data_set_smaller_than_its_vectors(folder, items, odd):
    found = advice(folder, ("/datasets/1/items", items))
    assert [each.check for each in found] == [FEWER] * odd
    if odd:
        assert found[0].where.pointer == "/datasets/1/items"
        assert '100 items, as in vector set "test"' in found[0].expected
        assert found[0].found == "99 items"


def test_a_shard_that_is_there_twice_is_another_finding(folder):
    data = builder.valid()
    data["vectors"][0]["shards"] *= 2
    builder.write_metadata(folder, data)
    loaded = load(folder)
    assert [each.check for each in loaded.problems] == ["SUBMISSION-VECTORS-001"]
    assert loaded.advice == ()


def test_metadata_that_do_not_hold_together_get_no_advice(folder):
    data = builder.valid()
    put(data, "/models/0/training_data", ["nowhere"])
    put(data, "/datasets/1/items", 1)
    builder.write_metadata(folder, data)
    assert load(folder).advice == ()
