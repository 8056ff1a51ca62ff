"""Bytes that each sample of a submission takes with all that it builds upon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.submission.lineage import builds_on, in_order
from conformance.submission.values import Submission


def cumulative_sizes(submission: Submission) -> Mapping[str, int]:
    """Return, by id, the bytes of all files a sample needs, its own included, each sample once.

    It expects what :mod:`conformance.submission.lineage` expects.
    """
    needs = {sample.id: builds_on(sample) for sample in in_order(submission)}
    return added_up(needs, {sample.id: sample.size for sample in submission.samples})


def added_up(needs: Mapping[str, Sequence[str]], own: Mapping[str, int]) -> Mapping[str, int]:
    """Return, by name, the sum of ``own`` over a name and all that it needs, each once.

    ``needs`` are in an order in which every name stands after those that it needs. A step of a
    chain costs one addition however long the chain is; only where branches meet are they compared.
    """
    sizes_in_order = [own[name] for name in needs]
    place = {name: index for index, name in enumerate(needs)}
    needed: list[int] = []  # Of each name, a set of places: bit i stands for the name at place i.
    sizes: list[int] = []
    for index, several in enumerate(needs.values()):
        above = [place[name] for name in several]
        bits = needed[above[0]] if above else 0
        size = sizes[above[0]] if above else 0
        for other in above[1:]:
            size += _size(needed[other] & ~bits, sizes_in_order)
            bits |= needed[other]
        needed.append(bits | 1 << index)
        sizes.append(size + sizes_in_order[index])
    return dict(zip(needs, sizes, strict=True))


def _size(bits: int, own: Sequence[int]) -> int:
    """Return the sum of ``own`` over the places that ``bits`` stands for."""
    total = 0
    while bits:
        lowest = bits & -bits
        total += own[lowest.bit_length() - 1]
        bits ^= lowest
    return total
