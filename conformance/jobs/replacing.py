"""What the parameters of a network are replaced by: other parameters, zeros, permutations.

A parameter is permuted when the runtime asks for it, so that memory is needed for the network that
is bound, as for the original, and for the largest parameter besides.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator, Mapping
from typing import final

import numpy as np

from conformance.plan.requests import Change
from conformance.runtimes import Change as ArrayChange
from conformance.runtimes import Network
from conformance.tensorfiles import Array


def change_named(change: Change) -> ArrayChange:
    """Return what makes of each parameter another one."""
    return zeroed if change == "zeros" else shuffled(int(change.rpartition("-")[2]))


def zeroed(_: str, array: Array) -> Array:
    """Return zeros in the place of a parameter; quantised ones are zero as they are stored."""
    return np.zeros(array.shape, array.dtype)


def shuffled(seed: int) -> ArrayChange:
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


def can_be_shuffled(network: Network) -> bool:
    """Return whether a parameter that outputs depend on has two distinct values."""
    used = network.parameters.keys() - set(network.unused_parameters)
    return any(_varies(network.parameters[name]) for name in sorted(used))


def _varies(array: Array) -> bool:
    flat = array.ravel()
    return bool(np.any(flat[1:] != flat[:1]))


@final
class Mixture(Mapping[str, Array]):
    """The parameters of the original, those in ``swapped`` taken from the sample."""

    def __init__(
        self, own: Mapping[str, Array], decoded: Mapping[str, Array], swapped: Collection[str]
    ) -> None:
        self._own = own
        self._decoded = decoded
        self._swapped = frozenset(swapped)

    def __getitem__(self, name: str) -> Array:
        return self._decoded[name] if name in self._swapped else self._own[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._own)

    def __len__(self) -> int:
        return len(self._own)
