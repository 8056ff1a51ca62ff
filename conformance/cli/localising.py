"""Which parameters of a sample carry the loss of a metric: groups are swapped, and halved."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Loss = Callable[[tuple[str, ...]], float]
"""The loss of the original network in which these parameters are the sample's."""

Tell = Callable[[str], None]

NEGLIGIBLE = 0.02
"""The share of the whole loss below which a group of parameters is not divided further."""


@dataclass(frozen=True, slots=True)
class Part:
    """Parameters that were swapped together, and the loss that they alone cause."""

    names: tuple[str, ...]
    loss: float


@dataclass(frozen=True, slots=True)
class Localisation:
    """Where the loss is: single parameters, and groups that were not divided.

    ``unfinished`` are groups that matter but were left when time was up. Losses need not add up to
    ``total``: parameters act together.
    """

    total: float
    singles: tuple[Part, ...]
    negligible: tuple[Part, ...]
    unfinished: tuple[Part, ...]
    runs: int


def localise(names: Sequence[str], loss: Loss, *, seconds: float, tell: Tell) -> Localisation:
    """Return which of ``names`` carry the loss, found by halving groups, the worst one first.

    ``loss`` is called until every parameter is judged or ``seconds`` have passed; ``tell`` is
    called with every step. A group whose loss is at most 2 % of the whole, gains included, is not
    divided: effects of its parameters that cancel each other are not seen. If the whole loss is not
    finite, every finite one is negligible.
    """
    deadline = time.monotonic() + seconds
    whole = tuple(names)
    total = loss(whole)
    tell(f"all {len(whole)} parameters: loss {total:.6g}")
    singles: list[Part] = []
    negligible: list[Part] = []
    runs, queue = 1, [(-_weight(total), whole, total)]
    while queue and time.monotonic() < deadline:
        _, group, known = heapq.heappop(queue)
        if _is_negligible(known, total):
            negligible.append(Part(group, known))
        elif len(group) == 1:
            singles.append(Part(group, known))
        else:
            for half in (group[: len(group) // 2], group[len(group) // 2 :]):
                found = loss(half)
                runs += 1
                tell(f"{_named(half)}: loss {found:.6g}")
                heapq.heappush(queue, (-_weight(found), half, found))
    return Localisation(
        total=total,
        singles=tuple(sorted(singles, key=lambda part: -_order(part.loss))),
        negligible=tuple(negligible),
        unfinished=tuple(Part(group, known) for _, group, known in queue),
        runs=runs,
    )


def _is_negligible(loss: float, total: float) -> bool:
    if math.isfinite(total):
        return abs(loss) <= NEGLIGIBLE * abs(total)
    return math.isfinite(loss)


def _weight(loss: float) -> float:
    return abs(_order(loss))


def _order(loss: float) -> float:
    return math.inf if math.isnan(loss) else loss


def _named(group: Sequence[str]) -> str:
    return group[0] if len(group) == 1 else f"{group[0]} and {len(group) - 1} more"
