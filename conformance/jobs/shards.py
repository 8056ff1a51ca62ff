"""Run one shard through a network, and watch what it computes in 16 bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from conformance.jobs.vectors import ShardArrays
from conformance.runtimes import Network, Runner, Watch
from conformance.tensorfiles import Array
from conformance.verdicts import Json


def run_shard(runner: Runner, shard: ShardArrays, *, batched: bool) -> dict[str, Array]:
    """Return every output of the network for one shard, in batches if the vectors allow it."""
    if batched:
        return runner.run_batched(shard.inputs, shard.items)
    return runner.run(shard.inputs)


def conditions(network: Network, runner: Runner, *, batched: bool) -> dict[str, Json]:
    """Return what outputs may depend on besides network and inputs: batch size and settings.

    A vector set that is not batched has no batch size: each shard is one run.
    """
    size = runner.batch_size if batched else None
    return {"batch_size": size, "settings": dict(network.settings)}


def watch_shard(
    watch: Watch | None, shard: ShardArrays, outputs: Mapping[str, Array], *, batched: bool
) -> None:
    """Let a watch, if there is one, look at the same shard and its ``outputs``."""
    if watch is not None:
        watch.add(shard.inputs, shard.items if batched else None, outputs)


def watched(watch: Watch | None) -> Json:
    """Return what a watch found, as JSON; None without one."""
    return asdict(watch.result()) if watch is not None else None
