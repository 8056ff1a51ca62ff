"""Quantisers that decide each level by itself: uniform, and by a codebook."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from conformance.nnc.quantization import INT32_MAX, INT32_MIN, Codebook

LLOYD_ROUNDS: Final = 20


def in_steps(array: NDArray[Any], step: float) -> NDArray[np.float64]:
    """The values of an array in multiples of ``step``, flat; ValueError if one is not finite."""
    samples = np.asarray(array, np.float64).ravel() / step
    if not np.isfinite(samples).all():
        raise ValueError("a tensor to be quantised has a value that is not finite")
    return samples


def quantise_uniform(array: NDArray[Any], step: float) -> NDArray[np.int32]:
    """The nearest int32 level of each value, flat."""
    return np.clip(np.rint(in_steps(array, step)), INT32_MIN, INT32_MAX).astype(np.int32)


def quantise_codebook(
    array: NDArray[Any], step: float, size: int
) -> tuple[Codebook, NDArray[np.int32]]:
    """A codebook of at most ``size`` entries, and the level (entry less zero offset) of each value.

    The entries are the multiples of ``step`` that occur; where there are more than ``size``, they
    are merged by Lloyd's algorithm. Level 0 stands for the entry that most values have.
    """
    multiples, inverse, counts = np.unique(
        quantise_uniform(array, step), return_inverse=True, return_counts=True
    )
    if not multiples.size:
        return Codebook((0,), 0), np.zeros(0, np.int32)
    entries = merge_levels(multiples, counts, size)
    nearest = nearest_entries(multiples, entries)
    zero_offset = int(np.argmax(np.bincount(nearest, counts, entries.size)))
    levels = (nearest[inverse.ravel()] - zero_offset).astype(np.int32)
    return Codebook(tuple(entries.tolist()), zero_offset), levels


def merge_levels(
    levels: NDArray[np.int32], counts: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """At most ``size`` increasing integers near the ``levels``, which occur ``counts`` times."""
    entries = levels.astype(np.int64)
    if entries.size <= size:
        return entries
    ranks = np.linspace(0, entries.size - 1, size)
    entries = np.unique(levels[np.rint(ranks).astype(np.int64)].astype(np.int64))
    for _ in range(LLOYD_ROUNDS):
        nearest = nearest_entries(levels, entries)
        weights = np.bincount(nearest, counts, entries.size)
        sums = np.bincount(nearest, counts * levels.astype(np.float64), entries.size)
        used = weights > 0
        moved = np.unique(np.rint(sums[used] / weights[used]).astype(np.int64))
        if np.array_equal(moved, entries):
            break
        entries = moved
    return entries


def nearest_entries(levels: NDArray[Any], entries: NDArray[np.int64]) -> NDArray[np.int64]:
    """The index of the nearest of the increasing ``entries`` for each level."""
    middles = (entries[1:] + entries[:-1]) / 2
    return np.searchsorted(middles, levels)
