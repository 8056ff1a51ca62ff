"""Operating points of a model's samples, and which of them are worth having.

A point is dominated by another that takes no more bytes and is no worse, and better in one of the
two. Points that equal each other in both do not dominate each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from conformance.metrics.tolerance import EQUAL

LISTED = 10
"""At most so many points are named as dominating another: more would not help the reader."""


@dataclass(frozen=True, slots=True)
class Point:
    """What one sample, or a layered one up to one of its layers, costs and is worth.

    ``size`` is in bytes, ``parameter_factor`` the bytes of the original's used parameters divided
    by it, None where the original was not opened. ``value`` is that of the metric, ``loss`` how
    much worse than the original's it is, negative for an improvement.
    """

    sample: str
    layer: str | None
    family: str
    size: int
    parameter_factor: float | None
    value: float
    loss: float

    @property
    def label(self) -> str:
        """The sample's id, and after a slash that of the layer."""
        return self.sample if self.layer is None else f"{self.sample}/{self.layer}"


Direction = Literal["higher", "lower"]


def gain(value: float, direction: Direction) -> float:
    """Return a number that is greater where the metric is better."""
    return value if direction == "higher" else -value


def dominates(one: Point, other: Point) -> bool:
    """Whether ``one`` takes no more bytes, is no worse, and is better in one of the two.

    Both have the same original, so that a smaller loss is a better value.
    """
    return (
        one.size <= other.size
        and one.loss <= other.loss
        and (one.size < other.size or one.loss < other.loss)
    )


def dominated_by(points: Sequence[Point]) -> list[list[str]]:
    """Return, for each point, the labels of those that dominate it, the smallest ones first.

    No more than :data:`LISTED` are named.
    """
    by_size = sorted(points, key=lambda point: (point.size, point.loss, point.label))
    best = {(point.size, point.loss) for point in front(points)}
    return [
        []
        if (point.size, point.loss) in best
        else [p.label for p in islice((p for p in by_size if dominates(p, point)), LISTED)]
        for point in points
    ]


def front(points: Iterable[Point]) -> list[Point]:
    """Return the points that none dominates, by size; of equal ones the first by label.

    Along them, loss falls strictly as size grows.
    """
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point.size, point.loss, point.label)):
        if not kept or point.loss < kept[-1].loss:
            kept.append(point)
    return kept


def transparent(points: Iterable[Point], noise_floor: float | None) -> Point | None:
    """Return the smallest point whose loss is no more than noise.

    Without a known noise floor it must lose nothing. Of equal sizes the smallest loss comes first,
    then the label.
    """
    floor = noise_floor or 0.0
    clear = [
        point for point in points if point.loss <= floor + EQUAL * max(1.0, abs(point.value), floor)
    ]
    return min(clear, key=lambda point: (point.size, point.loss, point.label), default=None)
