"""A sample that is itself a network, and the original: run time and memory, measured in turn.

Both run in this process, under the settings that verdicts are computed under. A round opens one of
them, binds its parameters, runs the items once so that everything is prepared, runs them again
against the clock, and closes it; so the two are never there together.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from conformance.jobs.context import TaskContext
from conformance.jobs.memory import peak, release, reset_peak, settled
from conformance.jobs.shards import run_shard
from conformance.jobs.vectors import ShardArrays, first_items, read_shards
from conformance.plan.requests import NetworkSpec, TimingRequest
from conformance.plan.results import Spread, Timing, TimingResult
from conformance.runtimes import Network, runtime

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


def time_sample(task: TaskContext[TimingRequest]) -> TimingResult:
    """Return what both forms take in several rounds."""
    forms, shard = _forms(task), _first_items(task)
    # What earlier jobs left open would be resident beside each of the two.
    task.networks.close()
    with settled():
        items, rounds = _rounds(forms, shard, batched=task.asked.vectors.batched)
    both = {form: _timing([taken[form] for taken in rounds]) for form in forms}
    return TimingResult(items=items, rounds=len(rounds), **both)


def _rounds(forms: Forms, shard: ShardArrays, *, batched: bool) -> tuple[int, list[Round]]:
    """Return how many items were timed, and what each round took that counts.

    The first round, on one item, warms up and shows what a round costs.
    """
    begun = time.perf_counter()
    timed = first_items(shard, 1, batched=batched)
    first = _round(forms, timed, batched=batched)
    spent = time.perf_counter() - begun
    running = RUNS * sum(taken.seconds for taken in first.values())
    most = _affordable(running, spent - running, BUDGET_SECONDS - spent)
    whole = first_items(shard, most, batched=batched)
    rounds: list[Round] = []
    expected = spent + running * (whole.items - timed.items)
    while len(rounds) < ROUNDS and time.perf_counter() - begun + expected <= BUDGET_SECONDS:
        started = time.perf_counter()
        # Neither is always the one that runs after the other.
        order = dict(reversed(forms.items())) if len(rounds) % 2 else forms
        rounds.append(_round(order, whole, batched=batched))
        expected = time.perf_counter() - started
    return (whole.items, rounds) if rounds else (timed.items, [first])


def _affordable(running: float, rest: float, left: float) -> int:
    """Return the items of a round if one takes ``running`` seconds, and all else ``rest``.

    As many as fit :data:`ROUNDS` rounds into the seconds that are ``left``; where opening takes
    too long for that, as many as take no longer than opening does.
    """
    seconds = max(left / ROUNDS - rest, min(rest, left - rest))
    return max(1, int(seconds / running))


def _forms(task: TaskContext[TimingRequest]) -> Forms:
    def opener(spec: NetworkSpec) -> Callable[[], Network]:
        name, source = task.network_source(spec)
        return lambda: runtime(name).open(source)

    return {"original": opener(task.asked.original), "compressed": opener(task.asked.sample)}


def _first_items(task: TaskContext[TimingRequest]) -> ShardArrays:
    """Return the first items of the first shard, read: no file is mapped while they are run."""
    network, vectors = task.network(task.asked.original), task.asked.vectors
    names = [port.name for port in network.inputs], [port.name for port in network.outputs]
    first = next(read_shards(task, vectors, *names))
    return first_items(first, MOST_ITEMS, batched=vectors.batched)


def _round(forms: Forms, shard: ShardArrays, *, batched: bool) -> Round:
    return {form: _timed(opened, shard, batched=batched) for form, opened in forms.items()}


def _timed(opened: Callable[[], Network], shard: ShardArrays, *, batched: bool) -> Taken:
    release()
    reset_peak()
    before = peak()
    with opened() as network:
        runner = network.bind()
        run_shard(runner, shard, batched=batched)
        started = time.perf_counter()
        run_shard(runner, shard, batched=batched)
        seconds = time.perf_counter() - started
        highest = peak()
    return Taken(seconds, max(0, highest - before))


def _timing(rounds: Sequence[Taken]) -> Timing:
    return Timing(
        seconds=_spread([taken.seconds for taken in rounds]),
        peak_bytes=_spread([taken.peak_bytes for taken in rounds]),
    )


def _spread(values: Sequence[float]) -> Spread:
    return Spread(median=statistics.median(values), low=min(values), high=max(values))
