"""The controls: what metrics say of networks that have lost what the original has learned.

Two kinds: *zeros*, in which every parameter is zero, and *shuffled*, in which the elements of every
parameter are permuted, once for each of three seeds. A tolerance that accepts one of them, or
comes near to it, cannot tell the original from a bad sample either.

Each of the four networks is bound, run on every item of the vector set, and given back before the
next: there are never two of them, and each has the time of a case. All metrics are measured on the
outputs of one run. A parameter is permuted when the runtime asks for it, so that memory is needed
for the network that is bound, as for the original, and for the largest parameter besides.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from conformance.jobs.context import Work
from conformance.jobs.measuring import Measuring, row_of
from conformance.jobs.running import run_shard
from conformance.jobs.stored_arrays import kept_outputs
from conformance.jobs.vectors import read_shards
from conformance.plan.case import SHUFFLES
from conformance.runtimes import Change, Network
from conformance.submission.values import Metric
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, Json


def run_controls(work: Work) -> Json:
    """Return, by metric, ``value`` or ``error`` of every control: zeros, and one for each seed.

    There are no shuffled networks if no permutation changes anything.
    """
    network = work.original()
    metrics = work.submission.metrics_on(work.vectors.id, work.model)
    zeros = _rows(work, network, metrics, zeroed)
    seeds = SHUFFLES if _can_be_shuffled(network) else ()
    shuffles = [_rows(work, network, metrics, shuffled(seed)) for seed in seeds]
    return {
        "items": work.vectors.items,
        "metrics": {
            metric.id: {
                "zeros": zeros[metric.id],
                "shuffled": [rows[metric.id] for rows in shuffles],
            }
            for metric in metrics
        },
    }


def zeroed(_: str, array: Array) -> Array:
    """Return zeros in the place of a parameter; quantised ones are zero as they are stored."""
    return np.zeros(array.shape, array.dtype)


def shuffled(seed: int) -> Change:
    """Return what permutes the elements of a parameter, as they are stored.

    The permutation follows from the seed and the name, so that tensors of one shape are not all
    permuted alike. It changes the tensor if any permutation does.
    """

    def change(name: str, array: Array) -> Array:
        made = np.array(array, order="C").ravel()
        key = zlib.crc32(name.encode(errors="surrogatepass"))
        np.random.default_rng([seed, key]).shuffle(made)
        if np.array_equal(made, array.ravel()):
            # Of values that are not all equal, this moves one at least.
            made = np.roll(made, 1)
        return made.reshape(array.shape)

    return change


def _can_be_shuffled(network: Network) -> bool:
    """Return whether a parameter that outputs depend on has two distinct values."""
    used = network.parameters.keys() - set(network.unused_parameters)
    return any(_varies(network.parameters[name]) for name in sorted(used))


def _varies(array: Array) -> bool:
    flat = array.ravel()
    return bool(np.any(flat[1:] != flat[:1]))


def _rows(
    work: Work, network: Network, metrics: Sequence[Metric], change: Change
) -> dict[str, Json]:
    """Return what every metric says of the network with changed parameters; its values or errors.

    A network that cannot be run has no values.
    """
    vectors, measuring = work.vectors, Measuring(metrics)
    names = [port.name for port in network.inputs], [port.name for port in network.outputs]
    try:
        runner = network.bind_changed(change)
        for shard in read_shards(vectors, work.submission.root, *names, work.limits):
            original = kept_outputs(work.reference_folder, shard.index, work.limits)
            measuring.add(run_shard(runner, vectors, shard), shard.targets, original)
    except ConformanceError as error:
        return {metric.id: {"error": error.to_json()} for metric in metrics}
    return {metric.id: _value_of(row_of(outcome)) for metric, _, outcome in measuring.results()}


def _value_of(row: dict[str, Json]) -> Json:
    return {part: row[part] for part in ("value", "error") if part in row}
