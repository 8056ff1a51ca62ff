"""Run one shard through a network, and watch what it computes in 16 bits."""

from __future__ import annotations

from dataclasses import asdict

from conformance.evaluation.tasks.vectors import ShardArrays
from conformance.runtimes import Runner, Watch
from conformance.submission.values import VectorSet
from conformance.tensorfiles import Array
from conformance.verdicts import Json


def run_shard(runner: Runner, vectors: VectorSet, shard: ShardArrays) -> dict[str, Array]:
    """Return every output of the network for one shard, in batches if the vectors allow it."""
    if vectors.batched:
        return runner.run_batched(shard.inputs, shard.items)
    return runner.run(shard.inputs)


def watch_shard(watch: Watch | None, vectors: VectorSet, shard: ShardArrays) -> None:
    """Let a watch look at the same shard, if there is one."""
    if watch is not None:
        watch.add(shard.inputs, shard.items if vectors.batched else None)


def watched(watch: Watch | None) -> Json:
    """Return what a watch found, as JSON; None without one."""
    return asdict(watch.result()) if watch is not None else None
