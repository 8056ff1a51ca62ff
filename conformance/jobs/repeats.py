"""Items of a vector set with the same inputs: a repeated item says nothing new.

Two items are identical where their integers, booleans and strings are equal, and their real numbers
differ by at most a millionth of the input's range, in the root mean square; infinity and what is
not a number are equal to themselves alone. No item is kept: each
real input of an item becomes eight sums of its values with random signs, from a fixed seed, and the
distance of two items is estimated from those. docs/metrics.md says what follows from it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from conformance.tensorfiles import Array, is_floating

EQUAL = 1e-6
"""Real numbers closer than this share of their input's range are the same."""

_SUMS = 8
_FARTHEST = 4.0
"""Estimated distances up to this many times the greatest allowed one count as none: with eight
sums, the estimate of that one is less with a probability of all but 1e-20."""

_CELL = 64.0
_GRIDS = 4
_TURNS = 64
"""Items of one cell that are compared with all others of it: where so many differ by less than a
cell, the others count as identical with the last."""

_ROUNDING = 1e-12
_BLOCK = 4096
ROWS = 256
"""Items that are looked at a time."""
_SEED = 15938
_SCALE = 2.0**-64
"""Keeps sums of the largest numbers finite; all that is compared is scaled alike."""

Floats = NDArray[np.float64]


@dataclass(slots=True)
class _Input:
    """What is kept of one real input: sums and number of values of every item, and its range."""

    sums: list[Floats] = field(default_factory=list)
    sizes: list[Floats] = field(default_factory=list)
    low: float = np.inf
    high: float = -np.inf

    def add(self, rows: Array) -> NDArray[np.int64]:
        """Take in items; return which of them have values that are not finite."""
        items, size = rows.shape
        sums, odd = np.zeros((items, _SUMS)), np.zeros(items, bool)
        for begin in range(0, size, _BLOCK):
            signs = _signs(begin // _BLOCK)[: size - begin]
            for row in range(0, items, ROWS):
                values = rows[row : row + ROWS, begin : begin + _BLOCK].astype(np.float64)
                finite = np.isfinite(values)
                odd[row : row + ROWS] |= ~finite.all(axis=1)
                values[~finite] = 0.0
                values *= _SCALE
                self.low = float(values.min(initial=self.low, where=finite))
                self.high = float(values.max(initial=self.high, where=finite))
                sums[row : row + ROWS] += values @ signs
        self.sums.append(sums)
        # An input without values, such as an empty cache, differs from others by its shape alone.
        self.sizes.append(np.full(items, float(max(size, 1))))
        return np.flatnonzero(odd)

    def scaled(self) -> Floats:
        """Return the sums in units of what the greatest allowed difference changes them by."""
        if not np.isfinite(self.low):
            return np.concatenate(self.sums)
        largest = max(abs(self.low), abs(self.high))
        unit = EQUAL * (self.high - self.low) + _ROUNDING * largest or 1.0
        units: Floats = unit * np.sqrt(np.concatenate(self.sizes))
        return np.concatenate(self.sums) / units[:, None]


@final
class Repeats:
    """Finds identical items of a vector set, shard by shard.

    If it is not ``batched``, a shard is one item. 64 bytes are kept for each item and real input,
    32 for the others.
    """

    def __init__(self, *, batched: bool) -> None:
        self._batched = batched
        self._inputs: dict[str, _Input] = defaultdict(_Input)
        self._exact: list[bytes] = []

    def add(self, inputs: Mapping[str, Array], items: int) -> None:
        """Take in the inputs of a shard."""
        digests = [hashlib.sha256() for _ in range(items)]
        for name, array in sorted(inputs.items()):
            rows = array if self._batched else array[None]
            about = f"{name} {rows.shape[1:]} ".encode()
            for digest in digests:
                digest.update(about)
            flat = rows.reshape(items, -1)
            if array.dtype.kind == "c":
                flat = flat.astype(np.complex128).view(np.float64)
            if array.dtype.kind == "c" or is_floating(array.dtype):
                for row in self._inputs[name].add(flat):
                    digests[row].update(_not_finite(flat[row]))
                continue
            for digest, row in zip(digests, flat, strict=True):
                digest.update(_exactly(row))
        self._exact += [digest.digest() for digest in digests]

    def first(self) -> NDArray[np.int64]:
        """Return for each item the index of the first one identical with it: its own, if none."""
        numbers: dict[bytes, int] = {}
        exact = np.array([numbers.setdefault(each, len(numbers)) for each in self._exact])
        first = np.arange(len(exact))
        inputs = [each.scaled() for each in self._inputs.values()]
        pairs = [_candidates(exact, inputs, grid / _GRIDS) for grid in range(_GRIDS)]
        same = [(items, others) for items, others in pairs if len(items)]
        before = None
        while before is None or (first != before).any():
            before = first.copy()
            for items, others in same:
                np.minimum.at(first, others, first[items])
                first[items] = np.minimum(first[items], first[others])
            first = first[first]
        return first


def _candidates(
    exact: NDArray[np.int64], inputs: list[Floats], shift: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return items, and for each an earlier one of the same cell of a grid that is identical.

    Identical items may fall on two sides of an edge of one grid, hardly of all. In a cell, items
    are compared with its first one, those that differ from it with the first of those, and so on.
    """
    cells = [np.floor(each / _CELL + shift) for each in inputs]
    keys = np.column_stack([exact.astype(np.float64), *cells])
    cell = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    left = np.arange(len(exact))
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    for turn in range(_TURNS):
        _, firsts, of = np.unique(cell[left], return_index=True, return_inverse=True)
        others = left[firsts][of]
        alone = others == left
        near = ~alone
        if turn < _TURNS - 1:
            for each in inputs:
                near &= np.square(each[left] - each[others]).mean(axis=1) <= _FARTHEST**2
        pairs.append((left[near], others[near]))
        left = left[~near & ~alone]
        if not len(left):
            break
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def _signs(block: int) -> Floats:
    random = np.random.Generator(np.random.PCG64([_SEED, block]))
    signs: Floats = random.integers(0, 2, (_BLOCK, _SUMS), np.int8) * 2.0 - 1.0
    return signs


def _not_finite(row: Array) -> bytes:
    """Return bytes that are equal only where the values that are not finite are."""
    values = row.astype(np.float64)
    return np.where(np.isfinite(values), 0.0, values).tobytes()


def _exactly(row: Array) -> bytes:
    """Return bytes that are equal only where the values are."""
    if row.dtype.kind in "USO":
        return repr(row.tolist()).encode("utf-8", "surrogatepass")
    return np.ascontiguousarray(row).tobytes()
