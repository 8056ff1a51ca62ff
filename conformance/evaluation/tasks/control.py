"""The control: what metrics say of an empty network, in which every parameter is zero.

A metric that cannot tell the original from an empty network (because it looks at an output that no
parameter reaches, or accepts any loss) cannot tell it from a bad sample either.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from conformance.evaluation.tasks.measuring import Measuring, row_of
from conformance.evaluation.tasks.running import run_shard
from conformance.evaluation.tasks.vectors import ShardArrays
from conformance.runtimes import Network, Runner
from conformance.submission.values import Metric, VectorSet
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Json

ITEMS = 64
"""Items that are enough for the control."""


@final
class Control:
    """Measures the original and the empty network on some items of a vector set.

    They lie in the first shard; of vectors that are not batched, of which a shard is one item, some
    shards are taken.
    """

    def __init__(self, network: Network, metrics: Sequence[Metric], vectors: VectorSet) -> None:
        self._network, self._vectors = network, vectors
        count = 1 if vectors.batched else len(vectors.shards)
        some = min(count, ITEMS)
        self._chosen = {number * count // some for number in range(some)}
        self._original, self._empty = Measuring(metrics), Measuring(metrics)
        self._runner: Runner | None = None
        self._failed = False
        self._items = 0

    def add(self, shard: ShardArrays, outputs: Mapping[str, Array]) -> None:
        """Take in a shard, and the original's outputs on it."""
        if shard.index not in self._chosen:
            return
        part, original = shard, outputs
        if self._vectors.batched:
            part, original = _some_items(shard, outputs)
        self._items += part.items
        self._original.add(original, part.targets, original)
        empty = self._run(part)
        if empty is not None:
            self._empty.add(empty, part.targets, original)
        if shard.index == max(self._chosen):
            self._runner = None  # its parameters take as much memory as the original's

    def rows(self) -> dict[str, Json]:
        """Return, by metric, the values of both; one that cannot be had is ``"nan"``."""
        reference = _values(self._original)
        found = dict.fromkeys(reference, "nan") if self._failed else _values(self._empty)
        return {
            name: {"items": self._items, "reference": reference[name], "value": found[name]}
            for name in reference
        }

    def _run(self, part: ShardArrays) -> Mapping[str, Array] | None:
        """Return the outputs of the empty network; None once it could not be run."""
        if self._failed:
            return None
        try:
            self._runner = self._runner or self._network.bind_empty()
            return run_shard(self._runner, self._vectors, part)
        except ConformanceError:
            self._failed = True
            return None


def _some_items(
    shard: ShardArrays, outputs: Mapping[str, Array]
) -> tuple[ShardArrays, Mapping[str, Array]]:
    """Return a part of the shard, and its outputs.

    The items lie evenly in the whole: many data sets are sorted by class, and an empty network is
    right about every item of one class.
    """
    count = min(shard.items, ITEMS)
    chosen = np.arange(count) * shard.items // count
    part = dataclasses.replace(
        shard,
        items=count,
        inputs={name: array[chosen] for name, array in shard.inputs.items()},
        targets={name: array[chosen] for name, array in shard.targets.items()},
    )
    return part, {name: array[chosen] for name, array in outputs.items()}


def _values(measuring: Measuring) -> dict[str, Json]:
    return {
        metric.id: row_of(outcome).get("value", "nan") for metric, _, outcome in measuring.results()
    }
