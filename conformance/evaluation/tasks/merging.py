"""Branches of an update tree, merged by weight: federated averaging.

H. B. McMahan et al., Communication-efficient learning of deep networks from decentralized data,
AISTATS 2017: each parameter is the mean of those of the devices, weighted by their items.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from conformance.codecs import Memory
from conformance.evaluation.tasks.coverage import problem
from conformance.evaluation.tasks.network_state import State, state_of
from conformance.runtimes import Network
from conformance.tensorfiles import Array, DType, is_extended
from conformance.verdicts import Json

_WHOLE_NUMBERS = "biu"


def merged(
    original: Network, states: Sequence[State], weights: Sequence[float]
) -> tuple[State | None, list[Json]]:
    """Return the mean of the states by weight, or None and what keeps them from being merged.

    A sum is taken in float64 in the order of the branches, divided by the sum of the weights, and
    rounded once to the parameter's type. Whole numbers have no mean: they have to be equal. No
    decoder's memory is carried on, but for the nodes of all branches.
    """
    parameters: dict[str, Array] = {}
    coverage: list[Json] = []
    for name, first in states[0].parameters.items():
        arrays = [state.parameters[name] for state in states]
        if first.dtype.kind not in _WHOLE_NUMBERS:
            parameters[name] = _mean(arrays, weights)
        elif all(np.array_equal(first, other) for other in arrays[1:]):
            parameters[name] = first
        else:
            coverage.append(
                problem(
                    name,
                    "submission.json",
                    f"the branches have different whole numbers in {name!r}",
                    expected="the same values in every branch: whole numbers have no mean",
                    found=f"other values of type {first.dtype.name}",
                    mend="leave the parameter out of the updates",
                )
            )
    if coverage:
        return None, coverage
    return state_of(parameters, Memory(nodes=_all_nodes(states)), original), []


def _mean(arrays: Sequence[Array], weights: Sequence[float]) -> Array:
    wide = np.dtype(np.complex128 if arrays[0].dtype.kind == "c" else np.float64)
    total: Array = np.zeros(arrays[0].shape, wide)
    with np.errstate(over="ignore", invalid="ignore"):
        for array, weight in zip(arrays, weights, strict=True):
            total += weight * array.astype(wide)
        total /= sum(weights)
        return _rounded(total, arrays[0].dtype)


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


def _all_nodes(states: Sequence[State]) -> dict[str, list[Json]]:
    """Return the nodes of every branch: an update of the merge may name any of them."""
    nodes: dict[str, list[Json]] = {}
    seen: set[tuple[str, str]] = set()
    for state in states:
        for name, several in state.memory.nodes.items():
            known = nodes.setdefault(name, [])
            for node in several:
                key = name, json.dumps(node, sort_keys=True)
                if key not in seen:
                    seen.add(key)
                    known.append(node)
    return nodes
