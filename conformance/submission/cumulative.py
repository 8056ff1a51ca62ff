"""Bytes that each sample of a submission takes with all that it builds upon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.submission.lineage import builds_on, in_order
from conformance.submission.values import Sample, Submission


def cumulative_sizes(submission: Submission) -> Mapping[str, int]:
    """Return, by id, the bytes of all files a sample needs, its own included, each sample once.

    It expects what :mod:`conformance.submission.lineage` expects. A step of a chain costs one
    addition however long the chain is; only where branches meet are their samples compared.
    """
    order = tuple(in_order(submission))
    place = {sample.id: index for index, sample in enumerate(order)}
    needed: list[int] = []  # Of each sample, a set of places: bit i stands for order[i].
    sizes: list[int] = []
    for index, sample in enumerate(order):
        above = [place[name] for name in builds_on(sample)]
        bits = needed[above[0]] if above else 0
        size = sizes[above[0]] if above else 0
        for other in above[1:]:
            size += _size(needed[other] & ~bits, order)
            bits |= needed[other]
        needed.append(bits | 1 << index)
        sizes.append(size + sample.size)
    return {sample.id: size for sample, size in zip(order, sizes, strict=True)}


def _size(bits: int, order: Sequence[Sample]) -> int:
    """Return the bytes of the samples that ``bits`` stands for."""
    total = 0
    while bits:
        lowest = bits & -bits
        total += order[lowest.bit_length() - 1].size
        bits ^= lowest
    return total
