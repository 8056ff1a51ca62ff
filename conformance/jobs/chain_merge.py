"""Branches of an update tree, merged by weight: federated averaging.

H. B. McMahan et al., Communication-efficient learning of deep networks from decentralized data,
AISTATS 2017: each parameter is the mean of those of the devices, weighted by their items.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from conformance.codecs import Memory
from conformance.jobs.chain_state import State, keep_state, state_of, stored_state
from conformance.jobs.context import METADATA, TaskContext
from conformance.jobs.stored_network import StoredNetwork, stored_network
from conformance.plan.requests import MergeRequest
from conformance.plan.results import StateResult, TensorProblem
from conformance.tensorfiles import Array, DType, is_extended
from conformance.verdicts import Json

_WHOLE_NUMBERS = "biu"


def merge_branches(task: TaskContext[MergeRequest]) -> StateResult:
    """Return the facts of the mean of several states by weight, which is kept."""
    weights = task.asked.weights
    original = stored_network(task.results["parameters"], task.limits)
    states = (stored_state(task, f"branch.{place}") for place in range(len(weights)))
    state, coverage = merged(original, states, weights)
    if state is not None:
        keep_state(task.out, state, METADATA)
    return StateResult(
        size=0,
        units=0,
        held=0,
        features=(),
        stream=None,
        coverage=tuple(coverage),
        tensors=state.facts if state is not None else {},
        digest=state.digest if state is not None else None,
        usable=state is not None,
    )


def merged(
    original: StoredNetwork, states: Iterable[State], weights: Sequence[float]
) -> tuple[State | None, list[TensorProblem]]:
    """Return the mean of the states by weight, or None and what keeps them from being merged.

    A sum is taken in float64 in the order of the branches, divided by the sum of the weights, and
    rounded once to the parameter's type. Whole numbers have no mean: they have to be equal. No
    decoder's memory is carried on, but for the nodes of all branches. States are taken one by one.
    """
    first: dict[str, Array] = {}
    totals: dict[str, Array] = {}
    different: set[str] = set()
    nodes = _Nodes()
    with np.errstate(over="ignore", invalid="ignore"):
        for state, weight in zip(states, weights, strict=True):
            first = first or dict(state.parameters)
            nodes.add(state.memory.nodes)
            for name, array in state.parameters.items():
                if array.dtype.kind not in _WHOLE_NUMBERS:
                    share = weight * array.astype(_wide(array))
                    totals[name] = totals[name] + share if name in totals else share
                elif not np.array_equal(first[name], array):
                    different.add(name)
        if different:
            return None, [_no_mean(name, first[name]) for name in sorted(different)]
        parameters = {
            name: _rounded(np.asarray(totals[name] / sum(weights)), array.dtype)
            if name in totals
            else array
            for name, array in first.items()
        }
    return state_of(parameters, Memory(nodes=nodes.by_name), original), []


def _wide(array: Array) -> DType:
    """Return the type that sums of ``array`` are taken in."""
    return np.dtype(np.complex128 if array.dtype.kind == "c" else np.float64)


def _no_mean(name: str, array: Array) -> TensorProblem:
    return TensorProblem(
        name,
        METADATA,
        f"the branches have different integers in {name!r}",
        expected="the same values in every branch: whole numbers have no mean",
        found=f"other values of type {array.dtype.name}",
        fix="leave the parameter out of the updates",
    )


def _rounded(values: Array, dtype: DType) -> Array:
    """Return float64 values rounded once.

    Types that NumPy does not have itself (bfloat16) are converted by way of float32. Rounded to
    odd there, values give the same as if they had been rounded but once: S. Boldo and G. Melquiond,
    When double rounding is odd, 2005.
    """
    if not is_extended(dtype):
        return values.astype(dtype)
    narrow = values.astype(np.float32)
    even = narrow.view(np.uint32) & 1 == 0
    inexact = np.isfinite(narrow) & (narrow != values)
    towards = np.where(values > narrow, np.inf, -np.inf).astype(np.float32)
    odd = np.where(inexact & even, np.nextafter(narrow, towards), narrow)
    return odd.astype(dtype)


class _Nodes:
    """The nodes of every branch by tensor, each once: an update of the merge may name any."""

    def __init__(self) -> None:
        self.by_name: dict[str, list[Json]] = {}
        self._seen: set[tuple[str, str]] = set()

    def add(self, nodes: Mapping[str, list[Json]]) -> None:
        """Take in the nodes of one more branch."""
        for name, several in nodes.items():
            known = self.by_name.setdefault(name, [])
            for node in several:
                key = name, json.dumps(node, sort_keys=True)
                if key not in self._seen:
                    self._seen.add(key)
                    known.append(node)
