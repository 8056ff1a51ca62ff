"""Judge the controls: whether a tolerance tells the original from a network that has lost it.

A tolerance is *blind* if it accepts a control, or if its bound is more than half of what the weaker
control loses: the one that loses least. Its confidence and its upper bound are ignored: a control
that nothing but chance, or an improvement, keeps out is not noticed. ``docs/metrics.md`` has the
rule at length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from conformance.metrics.tolerance import EQUAL
from conformance.plan.results import ControlRow
from conformance.submission.values import Tolerance
from conformance.verdicts import ConformanceError, Problem

SHARE = 0.5
"""Of what the weaker control loses, the greatest bound."""

Direction: TypeAlias = Literal["higher", "lower"]

_WORDS = {"zeros": "a network of zeros", "shuffled": "a network of shuffled parameters"}


@dataclass(frozen=True, slots=True)
class Control:
    """What a metric says of a control: its value, and how much worse that is than ``reference``.

    A value that is no number is infinitely worse.
    """

    name: str
    value: float
    loss: float
    reference: float

    @property
    def loses(self) -> bool:
        """Whether the value is worse at all: by more than the tolerance rule takes for equal."""
        return self.loss > 2 * EQUAL * max(1.0, abs(self.reference))

    @property
    def words(self) -> str:
        """What the control is."""
        return _WORDS[self.name]


@dataclass(frozen=True, slots=True)
class Controls:
    """The controls of one metric on one vector set, beside the original's value, ``reference``.

    ``shuffles`` counts the shuffled networks; there are none if no permutation changes anything.
    ``failure`` is why one of the controls has no value, or all have infinite losses: then only a
    blind tolerance is evidence.
    """

    reference: float
    items: int
    shuffles: int
    measured: tuple[Control, ...]
    failure: ConformanceError | None

    @property
    def said(self) -> str:
        """All values in words."""
        items = "1 item" if self.items == 1 else f"{self.items} items"
        several = f", median of {self.shuffles}" if self.shuffles > 1 else ""
        values = "".join(
            f"; {each.name} {each.value:.6g} (loss {each.loss:.6g}"
            f"{several if each.name == 'shuffled' else ''})"
            for each in self.measured
        )
        without = "" if self.shuffles else "; shuffled not applicable: no permutation matters"
        return f"original {self.reference:.6g}{values}{without}; on {items}"

    def blind(self, metric: str, tolerances: Sequence[Tolerance]) -> Iterator[Problem]:
        """Yield what is wrong with each blind tolerance that ``metric`` is used with."""
        if not self.measured:
            return
        weaker = min(self.measured, key=lambda control: control.loss)
        for tolerance in tolerances:
            scale = abs(self.reference) if tolerance.type == "relative" else 1.0
            bound = tolerance.bound * scale
            if weaker.loses and bound <= SHARE * weaker.loss:
                continue
            message = f"metric {metric!r} accepts {weaker.words} as well"
            if bound < weaker.loss:
                message = f"metric {metric!r} allows more than half of what {weaker.words} loses"
            yield Problem(
                message=message,
                expected=_allowed(weaker),
                found=f"{self.said}; bound {bound:.6g}{_as_declared(tolerance)}",
                fix=_fix(weaker, scale),
            )


def controls_of(reference: float, direction: Direction, items: int, row: ControlRow) -> Controls:
    """Return the controls of a metric; ``row`` is what was measured of it.

    Of the shuffled networks the median counts. ``direction`` is that of the metric's kind.
    """
    cells = {"zeros": (row.zeros,), "shuffled": row.shuffled}
    measured: list[Control] = []
    failure: ConformanceError | None = None
    for name, found in cells.items():
        errors = [cell.error for cell in found if cell.error is not None]
        if errors:
            failure = failure or errors[0]
        elif found:
            values = [float(cell.row.value) for cell in found]
            pairs = sorted((_loss(reference, value, direction), value) for value in values)
            loss, value = pairs[len(pairs) // 2]
            measured.append(Control(name, value, loss, reference))
    if measured and all(each.loss == math.inf for each in measured):
        # Any network can be built to give this where its parameters are not its own.
        failure = failure or ConformanceError(
            "no control has a finite loss: "
            + ", ".join(f"{each.name} {each.value:g}" for each in measured)
        )
    return Controls(reference, items, len(row.shuffled), tuple(measured), failure)


def _loss(reference: float, value: float, direction: Direction) -> float:
    """Return how much worse ``value`` is; a value that is no number is infinitely worse."""
    if math.isnan(value):
        return math.inf
    return (reference - value if direction == "higher" else value - reference) + 0.0


def _allowed(weaker: Control) -> str:
    if not weaker.loses:
        return f"a metric that {weaker.words} makes worse"
    return (
        f"a bound of at most {weaker.loss * SHARE:.6g}: half of {weaker.loss:.6g}, which "
        f"{weaker.words} loses"
    )


def _as_declared(tolerance: Tolerance) -> str:
    return f" ({tolerance.bound:g} of the original)" if tolerance.type == "relative" else ""


def _fix(weaker: Control, scale: float) -> str:
    if not weaker.loses:
        return (
            "no bound would do: bind an output that depends on the parameters, choose a metric "
            "that sees its values (cosine-similarity sees only the sign of a single number), or "
            "vectors whose items are not right without the network"
        )
    return (
        f'declare "bound": {_rounded_down(SHARE * weaker.loss / scale)} or less, whatever the use '
        "case asks for; where no such bound is useful, choose a metric or vectors that tell good "
        "networks from bad ones"
    )


def _rounded_down(number: float) -> str:
    """Return two digits of a positive number that are not more than it is."""
    step = 10.0 ** (math.floor(math.log10(number)) - 1)
    return f"{math.floor(number / step) * step:.2g}"
