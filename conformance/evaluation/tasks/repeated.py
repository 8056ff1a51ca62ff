"""Whether a vector set is one item, repeated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

import numpy as np

from conformance.evaluation.tasks.vectors import ShardArrays
from conformance.submission.values import VectorSet
from conformance.tensorfiles import Array


@final
class Repeated:
    """Compares each item with the first; the first that differs ends the work."""

    def __init__(self) -> None:
        self._first: Mapping[str, Array] | None = None
        self._items = 0
        self._differ = False

    @property
    def all_the_same(self) -> bool:
        """Whether there were several items and none differs."""
        return self._items > 1 and not self._differ

    def add(self, vectors: VectorSet, shard: ShardArrays) -> None:
        """Take in the inputs of a shard."""
        for item in _items(vectors, shard):
            if self._differ:
                return
            if self._first is None:
                self._first = {name: np.array(array) for name, array in item.items()}
            self._items += 1
            self._differ = not all(
                np.array_equal(array, self._first[name]) for name, array in item.items()
            )


def _items(vectors: VectorSet, shard: ShardArrays) -> Iterator[Mapping[str, Array]]:
    """Yield the inputs of each item; a shard that is not batched is one."""
    if not vectors.batched:
        yield shard.inputs
        return
    for item in range(shard.items):
        yield {name: array[item] for name, array in shard.inputs.items()}
