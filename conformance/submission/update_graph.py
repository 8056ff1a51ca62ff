"""The graph of samples that build on others: chains of updates, branches, roots, sizes.

Functions of a submission expect metadata in which SUBMISSION-UPDATE-001 found nothing: no sample
builds on itself. All are linear in the number of samples.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from conformance.submission.values import Sample, Submission


def parents(sample: Sample) -> tuple[str, ...]:
    """Return the ids of the samples that ``sample`` is an update or a merge of."""
    if sample.update_of is not None and sample.update_of.sample is not None:
        return (sample.update_of.sample,)
    return tuple(branch.sample for branch in sample.merge_of)


def builds_on(sample: Sample) -> tuple[str, ...]:
    """Return the ids of all samples that ``sample`` is decoded with: parents, and contexts."""
    contexts = sample.update_of.contexts_of if sample.update_of is not None else None
    return (*parents(sample), *([contexts] if contexts is not None else []))


def children(submission: Submission) -> Mapping[str, tuple[Sample, ...]]:
    """Return, by the id of a sample, the updates of it, in the order of the metadata."""
    found: dict[str, list[Sample]] = defaultdict(list)
    for sample in submission.samples:
        if sample.update_of is not None and sample.update_of.sample is not None:
            found[sample.update_of.sample].append(sample)
    return {name: tuple(samples) for name, samples in found.items()}


def in_order(submission: Submission) -> Iterator[Sample]:
    """Yield every sample after those that it builds on."""
    by_id = {sample.id: sample for sample in submission.samples}
    done: set[str] = set()
    for start in submission.samples:
        waiting = [start]
        while waiting:
            sample = waiting[-1]
            needed = [] if sample.id in done else [n for n in builds_on(sample) if n not in done]
            if needed:
                waiting += [by_id[name] for name in needed]
                continue
            waiting.pop()
            if sample.id not in done:
                done.add(sample.id)
                yield sample


def rounds(submission: Submission) -> Mapping[str, int]:
    """Return how many updates lead to each sample.

    0 is a whole network; a merge is in the round of its latest branch.
    """
    found: dict[str, int] = {}
    for sample in in_order(submission):
        before = max((found[name] for name in parents(sample)), default=0)
        found[sample.id] = before + (sample.update_of is not None)
    return found


def roots(submission: Submission) -> Mapping[str, str | None]:
    """Return the sample that each sample's chain begins with; None is the original.

    A merge has the root of its first branch; SUBMISSION-UPDATE-001 demands that all have one.
    """
    found: dict[str, str | None] = {}
    for sample in in_order(submission):
        above = parents(sample)
        found[sample.id] = found[above[0]] if above else None if sample.is_derived else sample.id
    return found


def cumulative_sizes(submission: Submission) -> Mapping[str, int]:
    """Return, by id, the bytes of all files a sample needs, its own included, each sample once."""
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
