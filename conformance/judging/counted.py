"""What a metric has really counted, and whether that is enough to judge by its value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.plan.results import MetricRow


@dataclass(frozen=True, slots=True)
class Shortage:
    """Less was counted than the metric's own least number: ``found`` of at least ``least``."""

    noun: str
    least: int
    found: int

    @property
    def explanation(self) -> str:
        """Why the value decides nothing, for a message."""
        return f"too few {self.noun} were counted for its value to decide anything"

    @property
    def expected(self) -> str:
        """The number that would do."""
        return f"at least {self.least} {self.noun}"

    @property
    def fix(self) -> str:
        """How to have as many."""
        return (
            f"submit reference vectors with at least {self.least} {self.noun}, or choose a metric "
            "that these vectors are enough for"
        )


def shortage_of(measured: MetricRow) -> Shortage | None:
    """Return what too little was counted of in a measured row, or None.

    A kind that counts something and does not say how much of it is judged as it is.
    """
    counted = measured.counted
    for noun, least in measured.least.items():
        if noun in counted and counted[noun] < least:
            return Shortage(noun, least, counted[noun])
    return None


def counts_in_words(counted: Mapping[str, int]) -> str:
    """Return what was counted, items first, whatever the order: ``items: 360, classes: 10``."""
    ordered = sorted(counted.items(), key=lambda each: (each[0] != "items", each[0]))
    return ", ".join(f"{noun}: {number}" for noun, number in ordered)
