"""The stage *run*: a network computes; what it gives is kept, and measured elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.jobs.chain_state import stored_parameters
from conformance.jobs.context import TaskContext
from conformance.jobs.name_map import fitted_tensors
from conformance.jobs.probing import Probes
from conformance.jobs.replacing import Mixture, can_be_shuffled, change_named
from conformance.jobs.shards import conditions, run_shard, watch_shard, watched
from conformance.jobs.stored_arrays import store_outputs, stored_arrays
from conformance.jobs.stored_network import TENSORS
from conformance.jobs.vectors import read_shards
from conformance.plan.requests import RunRequest
from conformance.plan.results import (
    HalfPrecision,
    Overflow,
    ProbedRunResult,
    Result,
    RunResult,
    UnchangedResult,
)
from conformance.runtimes import Network, Runner
from conformance.tensorfiles import Array
from conformance.verdicts import Json


def run_network(task: TaskContext[RunRequest]) -> Result:
    """Run a network on every item and keep its outputs; return under which conditions.

    Shuffled parameters of which no permutation changes anything are not run.
    """
    asked, network = task.asked, task.network(task.asked.network)
    batched = asked.vectors.batched
    if asked.change.startswith("shuffled") and not can_be_shuffled(network):
        return UnchangedResult()
    runner = _bound(task, network)
    names = [port.name for port in network.inputs], [port.name for port in network.outputs]
    items, watch = 0, runner.watch() if asked.change == "none" else None
    probes = Probes(task, network) if asked.probed else None
    for shard in read_shards(task, asked.vectors, *names):
        outputs = run_shard(runner, shard, batched=batched)
        watch_shard(watch, shard, outputs, batched=batched)
        if probes is not None and not items:
            probes.look_at(runner, shard, outputs)
        store_outputs(task.out, shard.index, outputs)
        items += shard.items
    known: dict[str, Json] = {
        "items": items,
        **conditions(network, runner, batched=batched),
        "half": _half(watched(watch)),
        "casts": dict(runner.casts),
    }
    # To look for an effect others are bound: two of a large network would be too much.
    del runner, watch
    if probes is None:
        return RunResult(**known)
    return ProbedRunResult(
        **known,
        second_opinion=probes.second_opinion,
        reached=probes.reached,
        effect=probes.effect(),
    )


def _half(found: Json) -> HalfPrecision | None:
    if found is None:
        return None
    overflows = tuple(Overflow(**each) for each in found["overflows"])
    return HalfPrecision(**{**found, "overflows": overflows})


def _bound(task: TaskContext[RunRequest], network: Network) -> Runner:
    """Return the network with the parameters that the request asks for."""
    if task.asked.change != "none":
        return network.bind_changed(change_named(task.asked.change))
    decoded = _decoded(task, network)
    if decoded is None:
        return network.bind()
    if task.asked.swapped is not None:
        own = {**network.parameters, **network.scalars}
        decoded = Mixture(own, decoded, task.asked.swapped)
    return network.bind(decoded)


def _decoded(task: TaskContext[RunRequest], network: Network) -> Mapping[str, Array] | None:
    """Return the parameters of the sample under the names of the model; None for its own."""
    if "state" in task.results:
        return stored_parameters(task.results["state"], task.limits)
    if task.asked.part is None:
        return None
    tensors = stored_arrays(task.results["tensors"], TENSORS, task.limits)
    part, limit = task.asked.part, task.limits.tensor_bytes
    return fitted_tensors(part, tensors, network, task.name_map(part), limit)
