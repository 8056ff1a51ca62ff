"""What is asked of the original alone: a second opinion, and what its parameters change in fact.

A second implementation of a format says what it makes of a few items: that decides nothing.

The graph may read a parameter and yet lose it: ones times zero, say. Values of some tensors are
changed, and the network runs on a few items; what changes no bit of any output has no effect there.
Tensors that hold much are tried one by one, the others together: a group is halved while its halves
hold as much. What this takes depends on nothing but the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import final

import numpy as np

from conformance.jobs.compare import same_arrays
from conformance.jobs.context import TaskContext
from conformance.jobs.replacing import zeroed
from conformance.jobs.shards import run_shard
from conformance.jobs.vectors import ShardArrays, first_items
from conformance.plan.requests import RunRequest
from conformance.plan.results import Effect, IneffectiveTensor, SecondOpinion
from conformance.runtimes import Network, Referenced, Runner
from conformance.runtimes.dtypes import is_floating
from conformance.tensorfiles import Array
from conformance.verdicts import ConformanceError, JsonNumber, json_number

ITEMS = 4
MOST_RUNS = 24
MOST_BYTES = 1 << 30
"""Bytes of parameters that all runs together bind at most."""

SHARE = 32
"""A tensor matters if it holds this part of all parameters."""

_STEP = 0.5


class Probes:
    """What is asked of the original alone, on its first shard."""

    def __init__(self, task: TaskContext[RunRequest], network: Network) -> None:
        self._task, self._network = task, network
        self._batched = task.asked.vectors.batched
        self._declared = set(task.result("vectors")["outputs"])
        self._first: ShardArrays | None = None
        self.second_opinion: SecondOpinion | None = None
        self.reached: tuple[str, ...] = ()

    def look_at(self, runner: Runner, shard: ShardArrays, outputs: Mapping[str, Array]) -> None:
        """Ask what a shard and its outputs can answer, and keep a few of its items."""
        batched = self._batched
        self.second_opinion = second_opinion(runner, shard, batched=batched)
        others = {n: array for n, array in outputs.items() if n not in self._declared}
        reached = reached_by_parameters(self._network, shard, others, batched=batched)
        self.reached = tuple(sorted(reached))
        self._first = first_items(shard, ITEMS, batched=batched)

    def effect(self) -> Effect | None:
        """Return which parameters have no effect; other ones are bound only now.

        None where there was no shard to look at.
        """
        few = self._first
        if few is None:
            return None
        return effect_of_parameters(self._network, few, batched=self._batched)


def reached_by_parameters(
    network: Network, shard: ShardArrays, outputs: Mapping[str, Array], *, batched: bool
) -> frozenset[str]:
    """Return the names of the ``outputs`` on a shard that a network without parameters changes.

    Without outputs to ask about nothing is run. All of them are named if that network cannot be
    run: what is not known to be independent counts as dependent.
    """
    if not outputs:
        return frozenset()
    try:
        empty = run_shard(network.bind_changed(zeroed), shard, batched=batched)
    except ConformanceError:
        return frozenset(outputs)
    return frozenset(name for name in outputs if not same_arrays(outputs[name], empty[name]))


def effect_of_parameters(network: Network, shard: ShardArrays, *, batched: bool) -> Effect:
    """Return the parameters without effect on the first items of a shard, and how many were tried.

    Nothing is tried where a sample could not replace the parameters either.
    """
    try:
        few = first_items(shard, ITEMS, batched=batched)
        return _Search(network, few, batched=batched).result()
    except ConformanceError:
        return Effect(items=0, runs=0, tried_bytes=0, bytes=0, without_effect=())


@final
class _Search:
    def __init__(self, network: Network, items: ShardArrays, *, batched: bool) -> None:
        network.check_replaceable()
        self._network, self._items, self._batched = network, items, batched
        unused = set(network.unused_parameters)
        self._sizes = {n: a.nbytes for n, a in network.parameters.items() if n not in unused}
        self._total = sum(self._sizes.values())
        self._left = min(MOST_RUNS, MOST_BYTES // max(1, self._total))
        self._runs = 0

    def result(self) -> Effect:
        """Try the groups, those that hold most first."""
        expected = self._outputs(()) if self._left else {}
        if expected and all(_says_nothing(array) for array in expected.values()):
            self._left = 0
        without: list[str] = []
        tried = 0
        waiting = self._groups()
        while waiting and self._left:
            group = waiting.pop(0)
            self._left -= 1
            if self._has_effect(group, expected):
                # Of a group with an effect, any tensor may be without; one tensor has it.
                if len(group) == 1:
                    tried += self._bytes(group)
                else:
                    halves = (group[::2], group[1::2])  # by size: both hold about as much
                    waiting += [half for half in halves if self._matters(half)]
            else:
                tried += self._bytes(group)
                without += group
        return Effect(
            items=self._items.items,
            runs=self._runs,
            tried_bytes=tried,
            bytes=self._total,
            without_effect=tuple(
                IneffectiveTensor(name, self._sizes[name])
                for name in sorted(without, key=lambda name: (-self._sizes[name], name))
            ),
        )

    def _groups(self) -> list[list[str]]:
        names = sorted(self._sizes, key=lambda name: (-self._sizes[name], name))
        large = [[name] for name in names if self._matters([name])]
        small = [name for name in names if not self._matters([name])]
        return [*large, *([small] if self._matters(small) else [])]

    def _matters(self, group: Iterable[str]) -> bool:
        return self._bytes(group) * SHARE >= max(1, self._total)

    def _bytes(self, group: Iterable[str]) -> int:
        return sum(self._sizes[name] for name in group)

    def _has_effect(self, group: Sequence[str], expected: Mapping[str, Array]) -> bool:
        try:
            found = self._outputs(group)
        except ConformanceError:
            return True  # a network that no longer runs has noticed
        return any(not same_arrays(array, expected[name]) for name, array in found.items())

    def _outputs(self, changed: Sequence[str]) -> Mapping[str, Array]:
        self._runs += 1
        runner = self._network.bind_changed(
            lambda name, array: _changed(array) if name in changed else array
        )
        return run_shard(runner, self._items, batched=self._batched)


def _changed(array: Array) -> Array:
    """Return other values of the same kind and size, not all changed by the same amount."""
    if array.dtype.kind == "b":
        return ~array
    noise = np.random.default_rng(0)
    if is_floating(array.dtype) or array.dtype.kind == "c":
        wide = array if array.dtype.itemsize > np.dtype(np.float32).itemsize else _single(array)
        with np.errstate(all="ignore"):
            finite = np.abs(wide[np.isfinite(wide)])
            scale = float(finite.max(initial=0.0)) or 1.0
            steps = noise.random(array.shape, np.float32) - np.float32(0.5)
            found: Array = (wide + steps * wide.dtype.type(scale * _STEP)).astype(array.dtype)
            return found
    # Integers of few bits keep their range: 0 and 1, 2 and 3 and so on change places.
    return (array.astype(np.int64) ^ 1).astype(array.dtype)


def _single(array: Array) -> Array:
    return array.astype(np.float32)


def _says_nothing(array: Array) -> bool:
    """Return whether no value is a number: such an output stays what it is, whatever changes."""
    return array.dtype.kind in "fc" and bool(np.isnan(array).all())


_DIGITS = 3


def second_opinion(runner: Runner, shard: ShardArrays, *, batched: bool) -> SecondOpinion | None:
    """Return the greatest difference of each output on the first items of a shard.

    None without a second implementation.
    """
    if not isinstance(runner, Referenced):
        return None
    found = runner.by_reference(shard.inputs, shard.items if batched else None)
    if isinstance(found, str):
        return SecondOpinion(not_asked=found)
    outputs = {name: _greatest(*pair) for name, pair in found.outputs.items()}
    return SecondOpinion(items=found.items, outputs=outputs)


def _greatest(ours: Array, theirs: Array) -> JsonNumber:
    """Return the greatest difference; "nan" if only one of two values is a number, or for texts."""
    if ours.shape != theirs.shape or ours.dtype.kind in "USO" or theirs.dtype.kind in "USO":
        return "nan"
    wide = [np.asarray(array, np.float64) for array in (ours, theirs)]
    same = (wide[0] == wide[1]) | (np.isnan(wide[0]) & np.isnan(wide[1]))
    with np.errstate(invalid="ignore"):
        differences = np.where(same, 0.0, np.abs(wide[0] - wide[1]))
    return json_number(float(f"{float(differences.max(initial=0.0)):.{_DIGITS}g}"))
