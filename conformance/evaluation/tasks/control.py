"""The control: what metrics say of an empty network, in which every parameter is zero.

A metric that cannot tell the original from an empty network (because it looks at an output that no
parameter reaches, or accepts any loss) cannot tell it from a bad sample either.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from conformance.evaluation.tasks.measuring import Measuring, row_of
from conformance.evaluation.tasks.running import run_shard
from conformance.evaluation.tasks.vectors import ShardArrays
from conformance.runtimes import Network
from conformance.submission.values import Metric, VectorSet
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Json

ITEMS = 64
"""Items that are enough for the control."""


def control_rows(
    network: Network,
    metrics: Sequence[Metric],
    vectors: VectorSet,
    shard: ShardArrays,
    outputs: Mapping[str, Array],
) -> dict[str, Json]:
    """Return, by metric, the values of the original and of the empty network on some items.

    ``outputs`` are the original's on ``shard``. A value that cannot be had is ``"nan"``.
    """
    part, original = _some_items(shard, outputs) if vectors.batched else (shard, outputs)
    reference = _values(metrics, original, part, original)
    try:
        empty = run_shard(network.bind_empty(), vectors, part)
    except ConformanceError:
        found = dict.fromkeys(reference, "nan")
    else:
        found = _values(metrics, empty, part, original)
    return {
        name: {"items": part.items, "reference": reference[name], "value": found[name]}
        for name in reference
    }


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


def _values(
    metrics: Sequence[Metric],
    outputs: Mapping[str, Array],
    shard: ShardArrays,
    original: Mapping[str, Array],
) -> dict[str, Json]:
    measuring = Measuring(metrics)
    measuring.add(outputs, shard.targets, original)
    return {
        metric.id: row_of(outcome).get("value", "nan") for metric, _, outcome in measuring.results()
    }
