"""The tolerance rule: how much worse than the original a compressed network may be.

With the loss L (how much worse, negative if better), the bound B and the upper bound U (both in
units of the metric), ``-U <= L <= B`` passes if the tolerance is inclusive, ``-U < L < B`` if it is
not; without an upper bound any improvement passes. docs/metrics.md says it at length. Pure Python:
judging imports no NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from conformance.submission.values import Tolerance
from conformance.verdicts import Verdict

EQUAL = 1e-12
"""Two numbers a, b closer than this times max(1, |a|, |b|) count as equal."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of value(sample) - value(original), in units of the metric.

    It is that of ``distinct_items`` of the ``items``: identical ones count once. For metrics of
    right and wrong items, ``p_value`` is that of the exact McNemar test, ``gained`` the number of
    items only the sample has right, ``lost`` that of those only the original has.
    """

    level: float
    low: float
    high: float
    method: str
    items: int
    distinct_items: int
    p_value: float | None = None
    gained: int | None = None
    lost: int | None = None


@dataclass(frozen=True, slots=True)
class NoInterval:
    """Why no interval can be given, and how many distinct items would give one if that helps."""

    reason: str
    items: int
    distinct_items: int
    items_needed: int | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and its basis.

    ``delta`` is value - reference, ``loss`` how much worse that is, ``bound`` the greatest loss
    allowed and ``upper`` the greatest improvement, all in units of the metric. ``margin`` is the
    distance to the nearer of the two, negative if it is passed; NaN where nothing can be compared.
    """

    verdict: Verdict
    delta: float
    loss: float
    bound: float
    upper: float | None
    margin: float
    on_boundary: bool
    explanation: str


def judge(
    tolerance: Tolerance,
    direction: Literal["higher", "lower"],
    reference: float,
    value: float,
    interval: Interval | NoInterval | None = None,
) -> Judgement:
    """Judge the ``value`` of a sample by the original's value, ``reference``.

    ``interval`` is that of value - reference, at least at the level of confidence the tolerance
    asks for (ValueError if not), or why there is none; None where the metric has no statistics. If
    no confidence is asked for, it changes nothing.
    """
    case = _Case(tolerance, direction, reference, value)
    if problem := case.problem():
        return case.judgement(Verdict.FAIL, problem)
    side = case.side(case.loss)
    verdict = Verdict.PASS if side == 0 else Verdict.FAIL
    if tolerance.confidence is None:
        return case.judgement(verdict, case.explain(side))
    if not isinstance(interval, Interval):
        reason = interval.reason if interval else "the metric gives no usable statistics per item"
        return case.judgement(
            Verdict.UNDECIDED,
            f"{case.explain(side)}; but confidence {tolerance.confidence:g} is asked for and there "
            f"is no interval: {reason}",
        )
    if interval.level < tolerance.confidence:
        raise ValueError(
            f"an interval of level {interval.level} cannot give {tolerance.confidence}"
        )
    return case.with_confidence(verdict, side, interval)


def items_to_decide(interval: Interval | NoInterval, judgement: Judgement) -> int | None:
    """Return how many distinct items would shrink ``interval`` clear of the bound.

    Half-widths are taken to go with 1/sqrt(items), and the difference to stay what it is. None if
    the loss is on the bound, where no number of items decides, or nothing can be compared. Where
    there is no interval, it is the number that would give one.
    """
    if isinstance(interval, NoInterval):
        return interval.items_needed
    if judgement.on_boundary or not math.isfinite(judgement.margin):
        return None
    half_width = max(interval.high - judgement.delta, judgement.delta - interval.low)
    ratio = half_width / judgement.margin
    items = interval.distinct_items * ratio * ratio
    return max(1, math.ceil(items)) if math.isfinite(items) else None


@dataclass(frozen=True)
class _Case:
    tolerance: Tolerance
    direction: Literal["higher", "lower"]
    reference: float
    value: float

    @property
    def delta(self) -> float:
        return self.value - self.reference

    @property
    def loss(self) -> float:
        return self.worse(self.delta)

    @property
    def scale(self) -> float:
        return abs(self.reference) if self.tolerance.type == "relative" else 1.0

    @property
    def bound(self) -> float:
        return self.tolerance.bound * self.scale

    @property
    def upper(self) -> float | None:
        upper = self.tolerance.upper_bound
        return None if upper is None else upper * self.scale

    def worse(self, delta: float) -> float:
        return (-delta if self.direction == "higher" else delta) + 0.0  # never -0

    def problem(self) -> str:
        """Return why nothing can be compared, or nothing."""
        for name, number in (("value", self.value), ("original's value", self.reference)):
            if not math.isfinite(number):
                return f"the {name} is {number:g}, which is never within a tolerance"
        if self.tolerance.type == "relative" and self.reference == 0:
            return "the tolerance is relative to the original's value, which is 0"
        return ""

    def equal(self, loss: float, edge: float) -> bool:
        """Return whether the value with this loss equals the value on the edge."""
        numbers = abs(self.reference), abs(self.value), abs(loss), abs(edge)
        return abs(loss - edge) <= EQUAL * max(1.0, *numbers)

    def on_boundary(self, loss: float) -> bool:
        upper = self.upper
        return self.equal(loss, self.bound) or (upper is not None and self.equal(loss, -upper))

    def side(self, loss: float) -> int:
        """Return 1 for a loss too great, -1 for too great an improvement, 0 for neither."""
        inclusive, upper = self.tolerance.inclusive, self.upper
        if self.equal(loss, self.bound):
            return 0 if inclusive else 1
        if upper is not None and self.equal(loss, -upper):
            return 0 if inclusive else -1
        if loss > self.bound:
            return 1
        return -1 if upper is not None and loss < -upper else 0

    def with_confidence(self, verdict: Verdict, side: int, interval: Interval) -> Judgement:
        low, high = sorted((self.worse(interval.low), self.worse(interval.high)))
        said = f"{interval.level:.0%} interval of the loss {low:.6g} to {high:.6g}"
        if interval.distinct_items < interval.items:
            said += f", of {interval.distinct_items} distinct items among {interval.items},"
        if self.side(low) == side == self.side(high):
            return self.judgement(verdict, f"{self.explain(side)}, and so is the {said}")
        return self.judgement(
            Verdict.UNDECIDED,
            f"{self.explain(side)}; but the {said} reaches across the boundary",
        )

    def explain(self, side: int) -> str:
        upper = self.upper
        edge = "inclusive" if self.tolerance.inclusive else "exclusive"
        if side < 0 and upper is not None:
            return f"improvement {-self.loss:.6g} is beyond the upper bound {upper:.6g} ({edge})"
        word = "beyond" if side else "within"
        return f"loss {self.loss:.6g} is {word} the bound {self.bound:.6g} ({edge})"

    def judgement(self, verdict: Verdict, explanation: str) -> Judgement:
        margins = [self.bound - self.loss]
        if self.upper is not None:
            margins.append(self.upper + self.loss)
        comparable = not self.problem()
        return Judgement(
            verdict=verdict,
            delta=self.delta,
            loss=self.loss,
            bound=self.bound,
            upper=self.upper,
            margin=min(margins) if comparable else math.nan,
            on_boundary=comparable and self.on_boundary(self.loss),
            explanation=explanation,
        )
