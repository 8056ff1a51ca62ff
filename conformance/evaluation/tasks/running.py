"""Run one shard through a network."""

from __future__ import annotations

from conformance.evaluation.tasks.vectors import ShardArrays
from conformance.runtimes import Runner
from conformance.submission.values import VectorSet
from conformance.tensorfiles import Array


def run_shard(runner: Runner, vectors: VectorSet, shard: ShardArrays) -> dict[str, Array]:
    """Return every output of the network for one shard, in batches if the vectors allow it."""
    if vectors.batched:
        return runner.run_batched(shard.inputs, shard.items)
    return runner.run(shard.inputs)
