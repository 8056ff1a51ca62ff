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
from conformance.evaluation.memory import peak, release, reset_peak, settled
from conformance.evaluation.tasks.decode import sample_network
from conformance.evaluation.tasks.running import run_shard
from conformance.evaluation.tasks.vectors import ShardArrays, read_shards
from conformance.evaluation.tasks.work import Networks, Work
from conformance.runtimes import Network
from conformance.submission.values import VectorSet
from conformance.tensorfiles import Array
from conformance.verdicts import Json, Location, UnsupportedError

ROUNDS = 7
"""Rounds that count, unless time is up; one round before them warms up."""
LEAST_ROUNDS = 3
"""Rounds of which a median, a lowest and a highest can be told; they are run in any case."""
MOST_ITEMS = 32
"""Items of the first shard that are run."""
BUDGET_SECONDS = 5.0
"""What all rounds together may take: a slow network is timed on fewer items, and in fewer rounds
once the time is up."""

Forms: TypeAlias = dict[str, Callable[[], Network]]
"""How each of the two is opened."""


class Taken(NamedTuple):
    """What one round took: seconds of the run, and bytes above what was resident before it."""

    seconds: float
    peak_bytes: int


def run_compressed(work: Work) -> Json:
    """Return seconds and bytes of both forms: median, lowest and highest of several rounds.

    ``ran_on`` counts the items that both have run on, ``items`` those that were timed. Bytes are 0
    where the system does not tell them.
    """
    forms, shard = _forms(work), _first_items(work)
    # What earlier cases left open would be resident beside each of the two.
    work.networks.close()
    with settled():
        timed, taken = _rounds(forms, work.vectors, shard)
    return {
        "ran_on": shard.items,
        "items": timed.items,
        "rounds": len(taken["original"]),
        **{form: _spread(rounds) for form, rounds in taken.items()},
    }


def _rounds(
    forms: Forms, vectors: VectorSet, shard: ShardArrays
) -> tuple[ShardArrays, dict[str, list[Taken]]]:
    """Return the items that were timed, and what each round took, after one that warms up."""
    started = time.perf_counter()
    for opened in forms.values():
        with opened() as network:
            run_shard(network.bind(), vectors, shard)
    begun = time.perf_counter()
    timed = _affordable(shard, vectors, begun - started)
    taken: dict[str, list[Taken]] = {form: [] for form in forms}
    for number in range(ROUNDS):
        if number >= LEAST_ROUNDS and time.perf_counter() - begun > BUDGET_SECONDS:
            break
        # Neither is always the one that runs after the other.
        for form in reversed(forms) if number % 2 else forms:
            taken[form].append(_round(forms[form], vectors, timed))
    return timed, taken


def _forms(work: Work) -> Forms:
    decoded = work.decoded()
    if not isinstance(decoded, DecodedModel):
        decoded.close()
        raise UnsupportedError(
            f"a sample of the codec {work.sample.codec!r} does not run by itself",
            where=Location(work.sample.files[0].rel_filepath),
            expected="a sample that is a network",
            found="tensors",
            mend="use a codec whose samples are networks",
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


def _affordable(shard: ShardArrays, vectors: VectorSet, seconds: float) -> ShardArrays:
    """Return as much of the shard as fits the budget, if both forms took ``seconds`` to run it.

    In a round each runs it twice.
    """
    share = BUDGET_SECONDS / max(2 * seconds * ROUNDS, BUDGET_SECONDS)
    return _cut(shard, vectors, max(1, int(shard.items * share)))


def _round(opened: Callable[[], Network], vectors: VectorSet, shard: ShardArrays) -> Taken:
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
