"""How much memory the suites take on a large network, as a multiple of its file's size.

    python benchmarks/bench_memory.py [--parameters N] [--repetitions N]

A submission with a network of 100 million float32 parameters and a float16 sample is written into
a temporary folder (see ``large_submission.py``). Then ``floor.py``, which takes no care of memory,
and the suites run on it in turn. The resident memory of every process of a run is sampled every
50 ms; pages of mapped files count, and those that two processes share count for each. What a case
took inside the evaluation worker comes from the report: the kernel's own high-water mark.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
from large_submission import bytes_needed, write_submission
from measuring import ROOT, environment, print_table, spread

TARGET = 2.5
INTERVAL_SECONDS = 0.05
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Peak:
    """The most resident memory of a run, in bytes: of one process, and of all at one moment."""

    process: int
    tree: int


def watch(command: Sequence[str | Path], log: Path) -> Peak:
    """Run ``command`` and sample the memory of its processes until it ends.

    What it prints goes to the file ``log``; a :class:`RuntimeError` says how it failed.
    """
    process = tree = 0
    with log.open("wb") as said:
        run = psutil.Popen(command, cwd=ROOT, env=environment(), stdout=said, stderr=said)
        while run.poll() is None:
            sizes = list(resident(run))
            process, tree = max(process, *sizes, 0), max(tree, sum(sizes))
            try:
                run.wait(INTERVAL_SECONDS)
            except psutil.TimeoutExpired:
                continue
    if run.returncode:
        raise RuntimeError(f"exit status {run.returncode}\n{log.read_text('utf-8')[-2000:]}")
    return Peak(process, tree)


def resident(run: psutil.Popen) -> Iterator[int]:
    """Yield the resident memory of a process and of each of its descendants."""
    try:
        members = [run, *run.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for member in members:
        try:
            yield member.memory_info().rss
        except psutil.NoSuchProcess:
            continue


def suites(submission: Path, folder: Path) -> tuple[Peak, Mapping[str, int]]:
    """Run the suites with an empty store; return the peak, and that of each case in the worker."""
    program = (Path(sys.executable).with_name("pytest"), "conformance/", "-p", "no:cacheprovider")
    stored = ("--evidence", folder / "evidence", "--report", folder / "reports")
    peak = watch([*program, "--submission", submission, *stored], folder / "log")
    (file,) = (folder / "reports").glob("*/report.json")
    cases = json.loads(file.read_text("utf-8"))["timing"]["cases"]
    return peak, {name: int(cost["peak_bytes"]) for name, cost in cases.items()}


def floor(submission: Path, folder: Path) -> Peak:
    """Run the bare script."""
    return watch([sys.executable, ROOT / "benchmarks" / "floor.py", submission], folder / "log")


def written(folder: Path, parameters: int) -> int:
    """Write the submission in its own process, whose memory then counts for nothing.

    Returns the size of the model file; an :class:`OSError` says that there is no room for it.
    """
    needed, free = bytes_needed(parameters), shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"{needed // MIB} MiB are needed in {folder}, and {free // MIB} are free: "
            "point TMPDIR at a larger disk, or lower --parameters"
        )
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(write_submission, folder, parameters).result()


@dataclass(frozen=True, slots=True)
class Measured:
    """The peaks of all repetitions; ``original`` is the size of the model file in bytes."""

    original: int
    suites: Sequence[Peak]
    floor: Sequence[Peak]
    cases: Sequence[Mapping[str, int]]

    def ratios(self) -> dict[str, list[float]]:
        """Return every peak as a multiple of the model file, by what it is the peak of."""
        peaks = {
            "suites, largest process": [peak.process for peak in self.suites],
            "suites, all processes": [peak.tree for peak in self.suites],
            "floor.py": [peak.tree for peak in self.floor],
        }
        for case in self.cases[0]:
            peaks[f"worker, case {case!r}"] = [cases[case] for cases in self.cases]
        return {name: [size / self.original for size in sizes] for name, sizes in peaks.items()}

    def verdict(self) -> str:
        """Return whether the process tree, and the worker in all its cases, meet the target."""
        worst = max(statistics.median(values) for name, values in self.judged())
        return f"{worst:.2f}; target at most {TARGET:g}: {'met' if worst <= TARGET else 'MISSED'}"

    def judged(self) -> Iterator[tuple[str, list[float]]]:
        """Yield the rows that the target is about."""
        yield from ((name, row) for name, row in self.ratios().items() if name != "floor.py")


def measure(parameters: int, repetitions: int) -> Measured:
    """Write the submission, and run everything in turn."""
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as place:
        submission = Path(place) / "large"
        submission.mkdir()
        original = written(submission, parameters)
        judged, bare, cases = [], [], []
        for repetition in range(repetitions):
            folder = Path(place) / str(repetition)
            folder.mkdir()
            bare.append(floor(submission, folder))
            peak, of_cases = suites(submission, folder)
            judged.append(peak)
            cases.append(of_cases)
            shutil.rmtree(folder)
        return Measured(original, judged, bare, cases)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", type=int, default=100_000_000, metavar="N")
    parser.add_argument("--repetitions", type=int, default=3, metavar="N")
    options = parser.parse_args(arguments)
    measured = measure(options.parameters, options.repetitions)
    print(
        f"\nMemory on {options.parameters:,} parameters, a file of {measured.original / MIB:.0f} "
        f"MiB: {options.repetitions} runs; median (least to greatest)"
    )
    rows = ((name, spread(row)) for name, row in measured.ratios().items())
    print_table(("peak of resident memory", "times the file"), rows)
    print(f"  ratio: {measured.verdict()}")


if __name__ == "__main__":
    main()
