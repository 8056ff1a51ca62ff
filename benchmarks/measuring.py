"""Run things side by side and compare what they cost.

Every benchmark is a table of medians and a ratio. What is compared runs in turn, round after
round, and each round gives one ratio: what slows the machine for a while slows both sides of it.
Nothing here fails because something is slow; a target is printed with whether it is met.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = ("PYTHON", "PYTEST_", "GITHUB_STEP_SUMMARY", "NNR_CONFORMANCE_")
"""Beginnings of variables that would change what a run does (not writing bytecode, options)."""
SAID_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took, in seconds: on the clock, and of the processors in all its processes."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratios of several rounds, and the target for their median."""

    values: Sequence[float]
    target: float

    @property
    def met(self) -> bool:
        """Whether the median is within the target."""
        return statistics.median(self.values) <= self.target

    def __str__(self) -> str:
        verdict = "met" if self.met else "MISSED"
        return f"{spread(self.values)}; target at most {self.target:g}: {verdict}"


Rounds = Mapping[str, Sequence[Cost]]
"""The costs of each thing that was compared, in the order of the rounds."""


def timed(command: Sequence[str | Path]) -> tuple[Cost, str]:
    """Run ``command`` in the root of the repository; return its cost and its standard output.

    A :class:`RuntimeError` says how a command failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        said = (done.stdout + done.stderr)[-SAID_BYTES:]
        raise RuntimeError(
            f"exit status {done.returncode} of {' '.join(map(str, command))}\n{said}"
        )
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu), done.stdout


def environment() -> dict[str, str]:
    """Return the caller's environment without what would change a run."""
    return {name: value for name, value in os.environ.items() if not name.startswith(LEFT_OUT)}


def interleaved(repetitions: int, one_round: Callable[[], Mapping[str, Cost]]) -> Rounds:
    """Return the costs of ``repetitions`` rounds; one more before them warms up, and is dropped."""
    rounds = [one_round() for _ in range(repetitions + 1)][1:]
    return {name: [costs[name] for costs in rounds] for name in rounds[0]}


def ratio(rounds: Rounds, above: str, below: str, target: float) -> Ratio:
    """Return the wall-clock ratio of two things, round by round."""
    pairs = zip(rounds[above], rounds[below], strict=True)
    return Ratio([a.wall / b.wall for a, b in pairs], target)


def cpu_ratio(rounds: Rounds, above: str, below: str) -> str:
    """Return the ratio of processor time in words: other users of the machine hardly sway it."""
    pairs = zip(rounds[above], rounds[below], strict=True)
    return spread([a.cpu / b.cpu for a, b in pairs])


def spread(values: Sequence[float]) -> str:
    """Return median, least and greatest: ``1.52 (1.40 to 1.71)``."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def print_rounds(title: str, rounds: Rounds) -> None:
    """Print a table of what the things cost."""
    count = len(next(iter(rounds.values())))
    print(f"\n{title}: {count} rounds in turn; median (least to greatest)")
    rows = (
        (name, spread([cost.wall for cost in costs]), spread([cost.cpu for cost in costs]))
        for name, costs in rounds.items()
    )
    print_table(("", "seconds", "processor seconds"), rows)


def print_table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> None:
    """Print rows in columns."""
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  " + "  ".join(cells).rstrip())
