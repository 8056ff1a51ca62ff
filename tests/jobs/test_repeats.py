"""Items with the same inputs are found, whatever the inputs are, and others are not."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from conformance.jobs import repeats
from conformance.jobs.repeats import Repeats

RNG = np.random.default_rng(15)


def first(*shards: dict[str, np.ndarray], batched: bool = True) -> list[int]:
    found = Repeats(batched=batched)
    for inputs in shards:
        found.add(inputs, len(next(iter(inputs.values()))) if batched else 1)
    return found.first().tolist()


LARGEST = np.finfo(np.float64).max

INPUTS = {
    "float32": RNG.normal(size=(6, 40)).astype(np.float32),
    "float16": RNG.normal(size=(6, 40)).astype(np.float16),
    "bfloat16": RNG.normal(size=(6, 40)).astype(ml_dtypes.bfloat16),
    "complex64": (RNG.normal(size=(6, 40)) + 1j * RNG.normal(size=(6, 40))).astype(np.complex64),
    "int64": RNG.integers(0, 30_000, (6, 40)),
    "uint8": RNG.integers(0, 256, (6, 40)).astype(np.uint8),
    "bool": RNG.integers(0, 2, (6, 40)).astype(bool),
    "string": np.array([[f"word {number}"] for number in range(6)]),
    "object": np.array([[f"word {number}"] for number in range(6)], object),
    "images": RNG.random((6, 3, 50, 50)).astype(np.float32),
    "numbers": RNG.random(6),
    "largest numbers": RNG.choice([-LARGEST, LARGEST], (6, 40)),
}


@pytest.mark.parametrize("kind", INPUTS)
def test_repeated_items_are_found_within_and_across_shards(kind: str) -> None:
    items = INPUTS[kind]
    assert first({"x": items}) == list(range(6))
    assert first({"x": items[[0, 1, 0, 2]]}, {"x": items[[3, 1, 3]]}) == [0, 1, 0, 3, 4, 1, 4]


@pytest.mark.parametrize("kind", INPUTS)
def test_a_shard_that_is_not_batched_is_one_item(kind: str) -> None:
    items = INPUTS[kind]
    shards = [{"x": items[a:b]} for a, b in ((0, 3), (3, 6), (0, 3), (0, 2))]
    assert first(*shards, batched=False) == [0, 1, 0, 3]


@pytest.mark.parametrize("dtype", ["float32", "complex64", "int64", "bool"])
def test_an_input_may_be_empty_in_some_shards(dtype: str) -> None:
    token = np.ones((1, 3), np.float32)
    pasts = [np.ones((1, size, 4), dtype) for size in (0, 2, 0, 2)]
    shards = [{"x": token, "past": past} for past in pasts]
    assert first(*shards, batched=False) == [0, 1, 0, 1]
    assert first(*shards[::2], batched=False) == [0, 0]


def test_items_are_identical_only_in_all_their_inputs() -> None:
    a, b = INPUTS["float32"], INPUTS["int64"]
    assert first({"a": a[[0, 0, 0]], "b": b[[0, 1, 0]]}) == [0, 1, 0]
    assert first({"a": a[[0, 1, 0]], "b": b[[0, 0, 0]]}) == [0, 1, 0]
    assert first({"a": a[[0, 1, 0]], "b": a[[0, 0, 1]]}) == [0, 1, 2]


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e20])
@pytest.mark.parametrize("size", [1, 40, 5_000])
@pytest.mark.parametrize(("change", "same"), [(0.9e-6, True), (1e-4, False)])
def test_a_millionth_of_the_range_makes_no_other_item(
    scale: float, size: int, change: float, same: bool
) -> None:
    rng = np.random.default_rng(size)
    items = rng.random((50, size))
    items[0, 0], items[1, 0] = 0.0, 1.0  # the range is 1
    noise = change * rng.choice([-1.0, 1.0], items.shape)
    found = first({"x": items * scale}, {"x": (items + noise) * scale})
    assert found[:50] == list(range(50))
    assert (found[50:] == list(range(50))) is same
    assert same or found[50:] == list(range(50, 100))


def test_a_change_of_one_value_makes_another_item() -> None:
    items = np.repeat(np.random.default_rng(2).random((1, 150_528)), 2, axis=0)
    items[1, 70_000] = 1 - items[1, 70_000]
    assert first({"x": items}) == [0, 1]


def test_integers_count_exactly() -> None:
    items = np.full((3, 512), 30_000)
    items[1, 100] += 1
    assert first({"x": items}) == [0, 1, 0]


@pytest.mark.parametrize("value", [0.0, 3.7e8, np.nan, np.inf])
def test_constant_and_odd_values_are_equal_to_themselves(value: float) -> None:
    assert first({"x": np.full((5, 70), value)}) == [0] * 5
    assert first({"x": np.empty((3, 0))}) == [0] * 3


def test_many_items_and_wide_ones_are_taken_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    items = np.random.default_rng(3).random((300, 5000))
    items[200:] = items[:100]
    whole = first({"x": items})
    monkeypatch.setattr(repeats, "ROWS", 7)
    assert first({"x": items}) == whole == [*range(200), *range(100)]


def test_items_of_other_shapes_are_others() -> None:
    assert first({"x": np.zeros((1, 2))}, {"x": np.zeros((1, 3))}) == [0, 1]
    assert first({"x": np.zeros((1, 2, 3), int)}, {"x": np.zeros((1, 3, 2), int)}) == [0, 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_do_not_widen_the_range(value: float) -> None:
    items = 1000 + 1e-3 * np.random.default_rng(6).random((4, 40))
    items[1] = items[0] + 1e-7
    items[3, 5] = value
    assert first({"x": items}) == [0, 1, 2, 3]
    items = 1e-30 * np.arange(12.0).reshape(3, 4)
    items[:, 1] = value
    assert first({"x": items}) == [0, 1, 2]


@pytest.mark.parametrize("dtype", ["float32", "float16", ml_dtypes.bfloat16, "complex64"])
def test_values_that_are_not_finite_are_equal_to_themselves_alone(dtype: type) -> None:
    values = [0.0, 1.0, np.nan, np.inf, -np.inf, np.nan, np.inf, 0.0, 0.5]
    items = np.zeros((9, 300))
    items[:, 299] = values
    assert first({"x": items.astype(dtype)}) == [0, 1, 2, 3, 4, 2, 3, 0, 8]


def test_strings_are_compared_however_they_are_stored() -> None:
    short, long = np.array([["cat"], ["dog"]]), np.array([["cat"], ["horse"]])
    assert first({"x": short}, {"x": long}) == [0, 1, 0, 3]
    one, other = (np.array([["".join(["c", "at"])]], object) for _ in range(2))
    assert first({"x": one}, {"x": other}) == [0, 0]


@pytest.mark.parametrize("offset", [-1e6, -10.0, 0.0, 1e6])
@pytest.mark.parametrize("noise", ["one way", "both ways"])
def test_the_range_is_that_of_the_values_wherever_they_lie(offset: float, noise: str) -> None:
    """Far from zero, as many digits as double precision keeps of them are added."""
    rng = np.random.default_rng(4)
    items = rng.random((5, 5_000)) + offset
    change = 0.9e-6 + 0.6e-12 * abs(offset)
    signs = np.ones(items.shape) if noise == "one way" else rng.choice([-1.0, 1.0], items.shape)
    found = first({"x": items}, {"x": items + change * signs})
    assert found == [*range(5), *range(5)]


@pytest.mark.parametrize(("units", "same"), [(3.99, True), (4.0, True), (4.01, False)])
def test_one_number_is_another_beyond_four_times_what_is_allowed(units: float, same: bool) -> None:
    allowed = 1e-6 + 1e-12
    assert first({"x": np.array([0.0, units * allowed, 1.0])}) == [0, 0 if same else 1, 2]


def test_what_is_equal_to_either_of_two_makes_them_one() -> None:
    """An edge of a grid lies between the first of them and the others, of another grid not."""
    edge, unit = 64_000, 1e-6 + 1e-12
    items = [0.0, 1.0, *(unit * (edge + each) for each in (-1, 5, 2))]
    assert first({"x": np.array(items)}) == [0, 1, 2, 2, 2]


@pytest.mark.parametrize("between", [6e-6, 1e-5, 4e-5])
@pytest.mark.parametrize("size", [1, 784])
def test_copies_are_found_beside_another_item_that_is_hardly_different(
    size: int, between: float
) -> None:
    """Only what is compared is found: an item close by must not stand in for its copies."""
    rng = np.random.default_rng(7)
    for _ in range(20):
        item = rng.random((1, size))
        other = item + between * rng.choice([-1.0, 1.0], item.shape)
        copies = np.repeat(other, 30, axis=0) + 1e-9 * rng.random((30, size))
        ends = np.zeros((1, size)), np.ones((1, size))
        found = first({"x": np.concatenate([*ends, item, copies])})
        assert found[:3] == [0, 1, 2]
        assert len(set(found[3:])) == 1


@pytest.mark.parametrize(("items", "distinct"), [(63, 63), (64, 64), (65, 64), (81, 64)])
def test_items_in_a_tiny_part_of_the_range_count_up_to_a_number(items: int, distinct: int) -> None:
    """All of them lie in one cell of a grid: 64e-6 of the range, for each of two inputs."""
    steps = (1e-6 + 1e-12) * (64_003 + 6 * np.arange(9))
    left = np.append([0.0, 1.0], np.repeat(steps, 9)[:items])
    right = np.append([0.0, 1.0], np.tile(steps, 9)[:items])
    assert len(set(first({"left": left, "right": right}))) == 2 + distinct


def test_what_is_found_near_the_limit_is_the_same_in_every_version() -> None:
    """The random signs are part of what a report says: its counts do not change with a release."""
    rng = np.random.default_rng(5)
    counts = []
    for count, size in ((2000, 40), (200, 5000)):
        items = rng.random((count, size))
        items[0, 0], items[1, 0] = 0.0, 1.0
        noise = 3.9e-6 * rng.choice([-1.0, 1.0], items.shape)
        found = first({"x": items}, {"x": items + noise})
        counts.append(len(set(found)) - count)
    assert counts == [795, 62]
