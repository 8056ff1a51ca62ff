"""How often a ``name_map`` uses each tensor of a sample.

Sizes of samples are those of their files, not of the metadata. A list that takes the same few
numbers again and again, in an order of its own, would be the parameters, at no cost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from conformance.submission.values import NameMapping, Slice

MOST_USES = 4
"""Times that a tensor may be used in all: tied parameters are mostly two."""


@dataclass(slots=True)
class _Uses:
    """Uses of one tensor: as a whole, and the indices that slices take along each axis."""

    wholes: int = 0
    taken: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    ends: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, cut: Slice | None) -> None:
        if cut is None:
            self.wholes += 1
            return
        self.taken[cut.axis] += max(cut.end - cut.begin, 0)
        self.ends[cut.axis] = max(self.ends[cut.axis], cut.end)

    @property
    def times(self) -> float:
        """How often each value is used on average, at least: an axis is as long as its last end."""
        sliced = (count / max(self.ends[axis], 1) for axis, count in self.taken.items())
        return self.wholes + sum(sliced)


def overused(entries: Sequence[NameMapping]) -> tuple[str, float] | None:
    """Return the tensor that ``entries`` use most, and how often, if that is too often."""
    uses: dict[str, _Uses] = defaultdict(_Uses)
    for name, cut in _each(entries):
        uses[name].add(cut)
    most = max(uses.items(), key=lambda item: item[1].times, default=None)
    return (most[0], most[1].times) if most and most[1].times > MOST_USES else None


def _each(entries: Iterable[NameMapping]) -> Iterable[tuple[str, Slice | None]]:
    return ((name, entry.slice) for entry in entries for name in entry.sample)
