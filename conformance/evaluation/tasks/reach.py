"""Which outputs of a network depend on its parameters: those that change when these are zero."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.evaluation.tasks.compare import same_arrays
from conformance.evaluation.tasks.control import zeroed
from conformance.evaluation.tasks.running import run_shard
from conformance.evaluation.tasks.vectors import ShardArrays
from conformance.runtimes import Network
from conformance.submission.values import VectorSet
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError


def reached_by_parameters(
    network: Network, vectors: VectorSet, shard: ShardArrays, outputs: Mapping[str, Array]
) -> frozenset[str]:
    """Return the names of the ``outputs`` on a shard that a network without parameters changes.

    Without outputs to ask about nothing is run. All of them are named if that network cannot be
    run: what is not known to be independent counts as dependent.
    """
    if not outputs:
        return frozenset()
    try:
        empty = run_shard(network.bind_changed(zeroed), vectors, shard)
    except ConformanceError:
        return frozenset(outputs)
    return frozenset(name for name in outputs if not same_arrays(outputs[name], empty[name]))
