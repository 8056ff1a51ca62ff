"""How often the interval of a difference holds the true one.

    python benchmarks/interval_coverage.py [--write]

Simulated sets of items, whose true difference is known, are judged by the project's own code. A
row is a metric and a number of items, a column what compression adds to an item's error:

- ``normal``: normal, mean 0.3 and deviation 1;
- ``log-normal``: of sigma 1 or 1.5, so that a few items hold most of the error;
- ``ties``: nothing in nine items of ten, else log-normal of sigma 1.

A cell is the share of intervals that hold the true difference, and in brackets their median width
(1 is the width of the middle 95 % of measured differences) and the share of sets for which one is
given, where it is not all. With ``--write`` the tables are written into docs/metrics.md. The
standard error of a cell with all its 1,000 sets is 0.008 where the share is 0.93.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from conformance.metrics import Interval, metric
from conformance.metrics.uncertainty import paired_interval

Floats = NDArray[np.float64]

ITEMS = (20, 50, 200, 1000)
OTHER_LEVELS = (0.9, 0.99)
SETS = 1000
SEED = 15938
LEAST = "Other levels, the least coverage of the five metrics:"
PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"
BEGIN = "<!-- coverage: written by benchmarks/interval_coverage.py -->"
END = "<!-- end of coverage -->"


def _normal(rng: np.random.Generator, items: int) -> Floats:
    return rng.normal(0.3, 1, items)


def _log_normal(sigma: float) -> Callable[[np.random.Generator, int], Floats]:
    return lambda rng, items: rng.lognormal(0, sigma, items)


def _ties(rng: np.random.Generator, items: int) -> Floats:
    return (rng.random(items) < 0.1) * rng.lognormal(0, 1, items)  # noqa: PLR2004


ADDED = {
    "normal": _normal,
    "log-normal 1": _log_normal(1.0),
    "log-normal 1.5": _log_normal(1.5),
    "ties": _ties,
}
"""What is added to the error of an item."""


@dataclass(frozen=True)
class Family:
    """A metric, and the statistics of items with given errors: (items, k)."""

    kind: str
    statistics: Callable[[np.random.Generator, Floats, Floats], tuple[Floats, Floats]]
    args: tuple[tuple[str, int], ...] = ()


def _means(_: np.random.Generator, *errors: Floats) -> tuple[Floats, Floats]:
    before, after = (np.stack([each, np.ones(len(each))], axis=1) for each in errors)
    return before, after


def _ratios(rng: np.random.Generator, *errors: Floats) -> tuple[Floats, Floats]:
    """Return errors per word of sentences of 1 to 59 words."""
    words = rng.integers(1, 60, len(errors[0])).astype(np.float64)
    before, after = (np.stack([each * words, words], axis=1) for each in errors)
    return before, after


CLASSES, POSITIONS = 10, 20


def _counts(rng: np.random.Generator, *errors: Floats) -> tuple[Floats, Floats]:
    """Return counts of 20 positions of one class, those in error taken for the next class."""
    items = np.arange(len(errors[0]))
    classes = rng.integers(0, CLASSES, len(items))
    tables = []
    for each in errors:
        wrong = np.minimum(each, POSITIONS)
        counts = np.zeros((len(items), 3, CLASSES))
        counts[items, 0, classes] = POSITIONS - wrong
        counts[items, 1, (classes + 1) % CLASSES] = wrong
        counts[items, 2, classes] = wrong
        tables.append(counts.reshape(len(items), -1))
    before, after = tables
    return before, after


FAMILIES = (
    Family("mse", _means),
    Family("psnr", _means, (("data_range", 1),)),
    Family("wer", _ratios),
    Family("perplexity", _ratios),
    Family("f1", _counts, (("num_classes", CLASSES),)),
)


@dataclass
class Cell:
    """What came of simulated sets: measured differences, and the intervals that were given."""

    level: float
    truth: float
    deltas: list[float] = field(default_factory=list)
    intervals: list[Interval] = field(default_factory=list)

    @property
    def below(self) -> float:
        """The share of intervals that lie above the true difference."""
        return sum(self.truth < each.low for each in self.intervals) / len(self.intervals)

    @property
    def above(self) -> float:
        """The share of intervals that lie below the true difference."""
        return sum(self.truth > each.high for each in self.intervals) / len(self.intervals)

    @property
    def held(self) -> float:
        """The share of intervals that hold the true difference."""
        return 1 - self.below - self.above

    @property
    def given(self) -> float:
        """The share of sets for which an interval is given."""
        return len(self.intervals) / len(self.deltas)

    @property
    def width(self) -> float:
        """The median width, divided by that of the middle ``level`` of measured differences."""
        low, high = np.quantile(self.deltas, [(1 - self.level) / 2, (1 + self.level) / 2])
        return float(np.median([each.high - each.low for each in self.intervals]) / (high - low))

    def __str__(self) -> str:
        percent = f"{self.given:.0%}"
        share = "" if percent == "100%" else f", given {percent}"
        return f"{self.held:.3f} ({self.width:.1f}{share})"


def errors(rng: np.random.Generator, added: str, items: int) -> tuple[Floats, Floats]:
    """Return the error of each item before and after compression; it is 1 before on average."""
    before = rng.lognormal(-0.125, 0.5, items)
    return before, before + ADDED[added](rng, items)


@cache
def true_delta(family: Family, added: str) -> float:
    """Return the difference of the values for items without number: of two million."""
    made = metric(family.kind, dict(family.args))
    rng = np.random.default_rng(SEED)
    drawn = (family.statistics(rng, *errors(rng, added, 50_000)) for _ in range(40))
    reference, sample = (
        sum(each.sum(axis=0) for each in side) for side in zip(*drawn, strict=True)
    )
    return float(made.finish(sample) - made.finish(reference))


def simulate(family: Family, added: str, items: int, level: float, sets: int) -> Cell:
    """Return how often intervals of simulated sets hold the true difference."""
    made = metric(family.kind, dict(family.args))
    rng = np.random.default_rng([SEED, items])
    cell = Cell(level, true_delta(family, added))
    for _ in range(sets):
        before, after = family.statistics(rng, *errors(rng, added, items))
        cell.deltas.append(float(made.finish(after.sum(axis=0)) - made.finish(before.sum(axis=0))))
        interval = paired_interval(made, before, after, level=level)
        if isinstance(interval, Interval):
            cell.intervals.append(interval)
    return cell


def table(level: float, sets: int) -> Iterator[str]:
    """Yield the rows of a table in Markdown: a metric and a number of items in each."""
    yield "| metric | items | " + " | ".join(ADDED) + " |"
    yield "|---|---|" + "---|" * len(ADDED)
    for family in FAMILIES:
        for items in ITEMS:
            cells = (str(simulate(family, added, items, level, sets)) for added in ADDED)
            yield f"| {family.kind} | {items} | " + " | ".join(cells) + " |"


def least(sets: int) -> Iterator[str]:
    """Yield the rows of a table in Markdown: the least coverage over all metrics."""
    yield "| level | items | " + " | ".join(ADDED) + " |"
    yield "|---|---|" + "---|" * len(ADDED)
    for level in OTHER_LEVELS:
        for items in ITEMS:
            held = (
                min(simulate(each, added, items, level, sets).held for each in FAMILIES)
                for added in ADDED
            )
            yield f"| {level:.0%} | {items} | " + " | ".join(f"{each:.3f}" for each in held) + " |"


def main() -> None:
    """Print both tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", type=int, default=SETS, help="sets of a cell")
    parser.add_argument("--write", action="store_true", help=f"write the tables into {PAGE.name}")
    arguments = parser.parse_args()
    rows = (*table(0.95, arguments.sets), "", LEAST, "", *least(arguments.sets // 2))
    text = "\n".join(rows)
    if not arguments.write:
        print(text)
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    page = f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}"
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
