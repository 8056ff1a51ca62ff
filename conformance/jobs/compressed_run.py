"""A sample that is itself a network, and the original: run time and memory, measured in turn.

Both run in this process, under the settings that verdicts are computed under. A round opens one of
them, binds its parameters, runs the items once so that everything is prepared, runs them again
against the clock, and closes it; so the two are never there together.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from conformance.codecs import DecodedModel
from conformance.jobs.context import Networks, Work
from conformance.jobs.decode import sample_network
from conformance.jobs.memory import peak, release, reset_peak, settled
from conformance.jobs.running import run_shard
from conformance.jobs.vectors import ShardArrays, read_shards
from conformance.runtimes import Network
from conformance.submission.values import VectorSet
from conformance.tensorfiles import Array
from conformance.verdicts import Json, Location, UnsupportedError

ROUNDS = 7
"""Rounds that count, unless time is up; one round before them warms up."""
MOST_ITEMS = 32
"""Items of the first shard that are timed, if the network is fast enough."""
RUNS = 2
"""Runs of each form in a round: the first prepares what the second needs, which is timed."""
BUDGET_SECONDS = 5.0
"""What all rounds together take, the first one included: none begins that would end later. The
first is run in any case, and counts where no other does."""

Forms: TypeAlias = dict[str, Callable[[], Network]]
"""How each of the two is opened."""


class Taken(NamedTuple):
    """What one form took in a round: seconds of the run, bytes above what was resident before."""

    seconds: float
    peak_bytes: int


Round: TypeAlias = dict[str, Taken]
"""What each form took."""


def run_compressed(work: Work) -> Json:
    """Return seconds and bytes of both forms: median, lowest and highest of several rounds.

    ``items`` counts those that were timed. Bytes are 0 where the system does not tell them.
    """
    forms, shard = _forms(work), _first_items(work)
    # What earlier cases left open would be resident beside each of the two.
    work.networks.close()
    with settled():
        items, rounds = _rounds(forms, work.vectors, shard)
    return {
        "items": items,
        "rounds": len(rounds),
        **{form: _spread([taken[form] for taken in rounds]) for form in forms},
    }


def _rounds(forms: Forms, vectors: VectorSet, shard: ShardArrays) -> tuple[int, list[Round]]:
    """Return how many items were timed, and what each round took that counts.

    The first round, on one item, warms up and shows what a round costs.
    """
    begun = time.perf_counter()
    timed = _cut(shard, vectors, 1)
    first = _round(forms, vectors, timed)
    spent = time.perf_counter() - begun
    running = RUNS * sum(taken.seconds for taken in first.values())
    most = _affordable(running, spent - running, BUDGET_SECONDS - spent)
    whole = _cut(shard, vectors, most)
    rounds: list[Round] = []
    expected = spent + running * (whole.items - timed.items)
    while len(rounds) < ROUNDS and time.perf_counter() - begun + expected <= BUDGET_SECONDS:
        started = time.perf_counter()
        # Neither is always the one that runs after the other.
        order = dict(reversed(forms.items())) if len(rounds) % 2 else forms
        rounds.append(_round(order, vectors, whole))
        expected = time.perf_counter() - started
    return (whole.items, rounds) if rounds else (timed.items, [first])


def _affordable(running: float, rest: float, left: float) -> int:
    """Return the items of a round if one takes ``running`` seconds, and all else ``rest``.

    As many as fit :data:`ROUNDS` rounds into the seconds that are ``left``; where opening takes
    too long for that, as many as take no longer than opening does.
    """
    seconds = max(left / ROUNDS - rest, min(rest, left - rest))
    return max(1, int(seconds / running))


def _forms(work: Work) -> Forms:
    decoded = work.decoded()
    if not isinstance(decoded, DecodedModel):
        decoded.close()
        raise UnsupportedError(
            f"a sample of the codec {work.sample.codec!r} does not run by itself",
            where=Location(work.sample.files[0].rel_filepath),
            expected="a sample that is a network",
            found="tensors",
            fix="use a codec whose samples are networks",
        )
    model, root = work.model, work.submission.root
    return {
        "original": lambda: Networks(work.limits).open(model.format, root, model.files),
        "compressed": lambda: sample_network(work, decoded),
    }


def _first_items(work: Work) -> ShardArrays:
    """Return the first items of the first shard, read: no file is mapped while they are run."""
    network, vectors = work.original(), work.vectors
    names = [port.name for port in network.inputs], [port.name for port in network.outputs]
    first = next(read_shards(vectors, work.submission.root, *names, work.limits))
    return _cut(first, vectors, MOST_ITEMS)


def _cut(shard: ShardArrays, vectors: VectorSet, most: int) -> ShardArrays:
    """Return at most that many items of a shard; one that is not batched is a single item."""
    items = min(shard.items, most) if vectors.batched else shard.items

    def kept(array: Array) -> Array:
        return np.array(array[:items] if vectors.batched else array)

    inputs = {name: kept(array) for name, array in shard.inputs.items()}
    return replace(shard, items=items, inputs=inputs, targets={}, outputs={}, sources={})


def _round(forms: Forms, vectors: VectorSet, shard: ShardArrays) -> Round:
    return {form: _timed(opened, vectors, shard) for form, opened in forms.items()}


def _timed(opened: Callable[[], Network], vectors: VectorSet, shard: ShardArrays) -> Taken:
    release()
    reset_peak()
    before = peak()
    with opened() as network:
        runner = network.bind()
        run_shard(runner, vectors, shard)
        started = time.perf_counter()
        run_shard(runner, vectors, shard)
        seconds = time.perf_counter() - started
        highest = peak()
    return Taken(seconds, max(0, highest - before))


def _spread(rounds: Sequence[Taken]) -> dict[str, Json]:
    columns = zip(Taken._fields, zip(*rounds, strict=True), strict=True)
    return {
        name: {
            "median": statistics.median(column),
            "low": min(column),
            "high": max(column),
        }
        for name, column in columns
    }
