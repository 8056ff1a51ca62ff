"""The control: what metrics say of an empty network, in which every parameter is zero.

A metric that cannot tell the original from an empty network (because it looks at an output that no
parameter reaches, or accepts any loss) cannot tell it from a bad sample either.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from conformance.evaluation.tasks.measuring import Measuring, row_of
from conformance.evaluation.tasks.running import run_shard
from conformance.evaluation.tasks.vectors import ShardArrays
from conformance.runtimes import Network
from conformance.submission.values import Metric, VectorSet
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Json

ITEMS = 256
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
    part = _first_items(shard) if vectors.batched else shard
    original = {name: array[: part.items] for name, array in outputs.items()}
    if not vectors.batched:
        original = dict(outputs)
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


def _first_items(shard: ShardArrays) -> ShardArrays:
    return dataclasses.replace(
        shard,
        items=min(shard.items, ITEMS),
        inputs={name: array[:ITEMS] for name, array in shard.inputs.items()},
        targets={name: array[:ITEMS] for name, array in shard.targets.items()},
    )


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
