"""How long the suites take on a submission, against a bare script that computes the same values.

    python benchmarks/bench_suites.py [--submission DIR] [--repetitions N]

A round runs ``floor.py``, then the suites with an empty evidence store (cold), again with the
store that this left (warm), and with two pytest-xdist workers and an empty store. The values that
floor.py computes are printed, and compared with those in ``report.json``: a floor that computed
something else would be none.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from measuring import ROOT, Cost, cpu_ratio, interleaved, print_rounds, print_table, ratio, timed

COLD_TARGET, WARM_TARGET = 2.5, 0.5
FLOOR, COLD, WARM, TWO = "floor.py", "suites, cold", "suites, warm", "suites, cold, -n 2"
CLOSE = 1e-6
DEFAULT = ROOT / "vectors" / "submissions" / "digits-cnn"

Values: TypeAlias = Mapping[str, Mapping[str, float]]
"""Metric values by network and by ``metric@vectors``."""


def floor(submission: Path) -> tuple[Cost, Values]:
    """Run the bare script; return its cost and the values."""
    cost, said = timed([sys.executable, ROOT / "benchmarks" / "floor.py", submission])
    return cost, json.loads(said)


def suites(submission: Path, folder: Path, *options: str) -> Cost:
    """Run the suites; the evidence store and the reports are in ``folder``."""
    program = (Path(sys.executable).with_name("pytest"), "conformance/", "-p", "no:cacheprovider")
    stored = ("--evidence", folder / "evidence", "--report", folder / "reports")
    return timed([*program, "--submission", submission, *stored, *options])[0]


def one_round(submission: Path) -> dict[str, Cost]:
    """Run everything once; a :class:`RuntimeError` says where the values differ."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        bare, values = floor(submission)
        cold = suites(submission, Path(one))
        require_equal(values, reported(Path(one)))
        warm = suites(submission, Path(one))
        return {
            FLOOR: bare,
            COLD: cold,
            WARM: warm,
            TWO: suites(submission, Path(two), "-n", "2"),
        }


def reported(folder: Path) -> Values:
    """Return the values in the report of a run."""
    (file,) = (folder / "reports").glob("*/report.json")
    report: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    return {
        entry["id"]: {
            f"{row['metric']}@{row['vectors']}": float(row[key]) for row in entry["metrics"]
        }
        for section, key in (("models", "measured"), ("samples", "value"))
        for entry in report[section]
    }


def require_equal(values: Values, report: Values) -> None:
    """Refuse values of the report that the floor did not compute, or not alike."""
    for network, rows in report.items():
        for use, value in rows.items():
            own = values.get(network, {}).get(use)
            if own is None or not abs(own - value) <= CLOSE:
                raise RuntimeError(f"{network}, {use}: report.json has {value}, floor.py {own}")


def value_rows(values: Values) -> Iterator[tuple[str, str]]:
    """Yield the values of each network in words."""
    for network, rows in values.items():
        yield network, ", ".join(f"{use} {value:.8g}" for use, value in rows.items())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the values, the table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--submission", type=Path, default=DEFAULT, metavar="DIR")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    options = parser.parse_args(arguments)
    submission = options.submission.resolve()
    print(f"\nValues that floor.py computes of {submission.name}")
    print_table(("network", "values"), value_rows(floor(submission)[1]))
    rounds = interleaved(options.repetitions, lambda: one_round(submission))
    print(f"  report.json has the same, to {CLOSE:g}")
    print_rounds(f"Running the suites on {submission.name}", rounds)
    for above, below, target in ((COLD, FLOOR, COLD_TARGET), (WARM, COLD, WARM_TARGET)):
        print(f"  {above} / {below}: {ratio(rounds, above, below, target)}")
        print(f"    by processor time: {cpu_ratio(rounds, above, below)}")


if __name__ == "__main__":
    main()
