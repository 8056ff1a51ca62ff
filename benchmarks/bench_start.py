"""How long the command line takes to answer, and what a collection imports.

    python benchmarks/bench_start.py [--repetitions N]

``nnr-conformance --help`` is compared with an interpreter that imports typer and ends. What is
imported is looked up in ``sys.modules`` at the end: by pytest's process after it collected the
bundled submission, and by a process that imports what an evaluation worker does before its first
case.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from measuring import Cost, cpu_ratio, interleaved, print_rounds, print_table, ratio, timed

TARGET = 3.0
HEAVY = ("torch", "torchmetrics", "tensorflow", "scipy", "onnx", "onnxruntime", "numpy")
FORBIDDEN = frozenset({"torch", "tensorflow"})
HELP, FLOOR = "nnr-conformance --help", 'python -c "import typer"'
COMMANDS: Mapping[str, Sequence[str | Path]] = {
    FLOOR: (sys.executable, "-c", "import typer"),
    HELP: (Path(sys.executable).with_name("nnr-conformance"), "--help"),
}
PROBE = "import sys, json; {code}; print(); print(json.dumps(sorted(sys.modules)))"
COLLECT = "import pytest; pytest.main(sys.argv[1:])"
WORKER = "import conformance.jobs.worker, conformance.jobs"
SUBMISSION = "vectors/submissions/digits-cnn"


def one_round() -> dict[str, Cost]:
    """Run both commands once."""
    return {name: timed(command)[0] for name, command in COMMANDS.items()}


def modules_of(code: str, *arguments: str) -> frozenset[str]:
    """Return the names in ``sys.modules`` after a fresh interpreter ran ``code``."""
    _, said = timed([sys.executable, "-c", PROBE.format(code=code), *arguments])
    return frozenset(json.loads(said.splitlines()[-1]))


def collected() -> frozenset[str]:
    """Return what pytest's process has imported once the bundled submission is collected."""
    options = ("--collect-only", "-q", "-p", "no:cacheprovider")
    return modules_of(COLLECT, "conformance/", "--submission", SUBMISSION, *options)


def packages(modules: Collection[str]) -> list[str]:
    """Return which of the heavy packages are among ``modules``."""
    return [name for name in HEAVY if name in modules]


def import_rows(processes: Mapping[str, Collection[str]]) -> Iterator[tuple[str, str, str, str]]:
    """Yield a row for each process: how many modules, which heavy ones, the verdict."""
    for name, modules in processes.items():
        verdict = "MISSED" if FORBIDDEN & set(modules) else "met"
        yield name, str(len(modules)), ", ".join(packages(modules)) or "none", verdict


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=15, metavar="N")
    options = parser.parse_args(arguments)
    rounds = interleaved(options.repetitions, one_round)
    print_rounds("Answering", rounds)
    print(f"  ratio: {ratio(rounds, HELP, FLOOR, TARGET)}")
    print(f"  ratio of processor time: {cpu_ratio(rounds, HELP, FLOOR)}")
    processes = {
        f"pytest --collect-only, {Path(SUBMISSION).name}": collected(),
        "evaluation worker before its first case": modules_of(WORKER),
    }
    print("\nImports; target: neither torch nor tensorflow")
    print_table(("", "modules", "of the heavy packages", "target"), import_rows(processes))


if __name__ == "__main__":
    main()
