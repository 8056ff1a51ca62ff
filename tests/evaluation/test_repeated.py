"""Whether the items of a vector set are one item, repeated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conformance.evaluation.tasks.repeated import Repeated
from conformance.evaluation.tasks.vectors import ShardArrays
from conformance.submission.values import OutputTolerance, VectorSet

ONE, OTHER = np.ones((1, 2)), np.zeros((1, 2))


def found(*shards: Any, batched: bool = True) -> bool:
    vectors = VectorSet("test", "m", "d", batched, (), OutputTolerance(0, 0))
    repeated = Repeated()
    for index, array in enumerate(shards):
        items = len(array) if batched else 1
        repeated.add(vectors, ShardArrays(index, items, {"x": array}, {}, {}, {}))
    return repeated.all_the_same


@pytest.mark.parametrize(
    ("shards", "expected"),
    [
        ([np.ones((5, 2))], True),
        ([ONE, ONE], True),
        ([ONE], False),
        ([np.concatenate([ONE, OTHER])], False),
        ([ONE, ONE, OTHER], False),
        ([OTHER, ONE, ONE], False),
        ([np.array([["a"], ["a"]])], True),
    ],
)
def test_one_item_again_and_again_is_found(shards: list[Any], expected: bool) -> None:
    assert found(*shards) is expected


def test_of_vectors_without_batches_a_shard_is_an_item() -> None:
    assert found(np.ones((5, 2)), np.ones((5, 2)), batched=False)
    assert not found(np.ones((5, 2)), batched=False)
