"""How fast NNC streams are decoded, and in how much memory, compared with NNCodec 2.1.3.

    NNCODEC_PYTHON=/path/to/nncodec/bin/python python benchmarks/nnc_decode.py [--repetitions N]

The streams are of a network in the shape of ResNet-50 with Laplacian weights, at qp -38, with and
without dependent quantization. NNCodec makes them once; they stay in the folder ``--cache``. Then
every decoder in turn, round after round, decodes each in a fresh process: from a file that the
system no longer holds in memory to arrays, the kernels compiled before. ``decode`` is the time of
that call alone, ``process`` that of the whole process with its start and imports. Memory is the
most that the process ever held, above a bare interpreter and above one with all imports done.
Without NNCodec the streams cannot be made, and nothing is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from measuring import ROOT, print_table, spread, timed

from conformance.nnc.parser import parse_units

VARIABLE = "NNCODEC_PYTHON"
OURS, PEER = (ROOT / "benchmarks" / f"nnc_decode_{side}.py" for side in ("ours", "peer"))
STREAMS = {"uniform": 0, "dependent": 1}
"""The streams, and NNCodec's setting for dependent quantization."""
TARGETS = {1: 1.4, 2: 3.0}
"""How many times as fast as NNCodec, by threads."""
MEMORY_TARGET = 1.3
"""Bytes above the interpreter, less those of the stream, per byte of decoded float32."""
CLOCKS = ("decode", "process", "cpu")
NNCODEC = "NNCodec"
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took: seconds, and bytes of resident memory at its peak.

    ``process`` is on the clock and ``cpu`` of the processors, with start and imports; ``decode`` is
    on the clock, of the call alone.
    ``interpreter`` is the memory of the process as it started, ``imported`` just before decoding.
    ``digest`` is of all decoded values.
    """

    process: float
    cpu: float
    decode: float
    peak: int
    interpreter: int
    imported: int
    decoded: int
    digest: str


def run(command: Sequence[str | Path], stream: Path, warm: int = 0) -> Run:
    """Decode ``stream`` in a fresh process that prints its figures as JSON.

    It decodes the first ``warm`` bytes before.
    """
    forget(stream)
    cost, said = timed([*command, str(warm), stream])
    return Run(process=cost.wall, cpu=cost.cpu, **json.loads(said.splitlines()[-1]))


def forget(file: Path) -> None:
    """Ask the system to drop the pages of a file from memory."""
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def contestants(peer: Path) -> dict[str, Sequence[str | Path]]:
    """Return the command lines to compare, by name."""
    ours = {ours_with(count): (sys.executable, OURS, str(count)) for count in TARGETS}
    return {NNCODEC: (peer, PEER, "decode"), **ours}


def ours_with(threads: int) -> str:
    """Return the name of our decoder with so many threads."""
    return f"ours, {threads} thread{'s' if threads > 1 else ''}"


def measure(peer: Path, stream: Path, repetitions: int) -> dict[str, list[Run]]:
    """Return the runs of each decoder; one round before them warms up, and is dropped.

    A :class:`RuntimeError` says that two decoders disagree.
    """
    commands = contestants(peer)
    rounds = [
        {name: run(command, stream) for name, command in commands.items()}
        for _ in range(repetitions + 1)
    ][1:]
    digests = {one.digest for runs in rounds for one in runs.values()}
    if len(digests) != 1:
        raise RuntimeError(f"the decoders do not agree on {stream}")
    return {name: [runs[name] for runs in rounds] for name in commands}


def print_speed(title: str, stream: Path, runs: Mapping[str, Sequence[Run]]) -> None:
    """Print what the decoders took, and the ratios with their targets."""
    size, decoded = stream.stat().st_size, runs[NNCODEC][0].decoded
    count = len(runs[NNCODEC])
    print(
        f"\n{title}: {size / MIB:.1f} MiB to {decoded / MIB:.1f} MiB, {count} rounds in turn; "
        "median (least to greatest)"
    )
    print_table(("", *(f"{what}, seconds" for what in CLOCKS)), time_rows(runs))
    for threads, target in TARGETS.items():
        print(f"  times as fast, {ours_with(threads)}: {speed(runs, threads, target)}")


def time_rows(runs: Mapping[str, Sequence[Run]]) -> Iterator[tuple[str, ...]]:
    """Yield a row of seconds for each decoder."""
    for name, several in runs.items():
        yield name, *(spread([getattr(one, what) for one in several]) for what in CLOCKS)


def speed(runs: Mapping[str, Sequence[Run]], threads: int, target: float) -> str:
    """Return how many times as fast as NNCodec we are, in words, and whether that is enough."""
    pairs = list(zip(runs[NNCODEC], runs[ours_with(threads)], strict=True))
    decode, process, cpu = (
        [getattr(theirs, what) / getattr(ours, what) for theirs, ours in pairs] for what in CLOCKS
    )
    verdict = "met" if statistics.median(decode) >= target else "MISSED"
    return (
        f"{spread(decode)}, process {spread(process)}, processor {spread(cpu)}; "
        f"target {target:g}: {verdict}"
    )


def print_memory(peer: Path, stream: Path) -> None:
    """Decode once more with each decoder, and print the memory that it takes."""
    warm = end_of_first_tensor(stream)
    runs = {name: run(command, stream, warm) for name, command in contestants(peer).items()}
    head = ("", "MiB above interpreter", "MiB above everything loaded", "without stream / decoded")
    print_table(head, memory_rows(runs, stream.stat().st_size))


def end_of_first_tensor(stream: Path) -> int:
    """Return the bytes of ``stream`` up to the end of its first compressed data unit."""
    units = parse_units(stream.read_bytes())
    return next(unit.byte + unit.size for unit in units if unit.name == "NDU")


def memory_rows(runs: Mapping[str, Run], size: int) -> Iterator[tuple[str, ...]]:
    """Yield a row of memory for each decoder, ours with the verdict."""
    for name, one in runs.items():
        bare, above = one.peak - one.interpreter, one.peak - one.imported
        share = (above - size) / one.decoded
        verdict = "met" if share <= MEMORY_TARGET else "MISSED"
        judged = "" if name == NNCODEC else f"; target at most {MEMORY_TARGET:g}: {verdict}"
        yield name, f"{bare / MIB:.0f}", f"{above / MIB:.0f}", f"{share:.2f}{judged}"


def made(peer: Path, folder: Path) -> dict[str, Path]:
    """Return the streams, made by NNCodec where the folder does not have them."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"resnet50-{name}.nnc" for name in STREAMS}
    for name, file in files.items():
        if not file.exists():
            print(f"NNCodec encodes {file} (once; a minute)")
            partial = file.with_suffix(".partial")
            timed([peer, PEER, "encode", partial, str(STREAMS[name])])
            partial.replace(file)
    return files


def has_nncodec(python: Path) -> bool:
    """Whether an interpreter has NNCodec."""
    command = [python, "-c", "import nncodec.nnc_core.coder"]
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def arguments_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    parser.add_argument(
        "--nncodec",
        type=Path,
        default=os.environ.get(VARIABLE),
        metavar="PYTHON",
        help=f"the interpreter that has NNCodec; by default ${VARIABLE}",
    )
    parser.add_argument(
        "--cache",
        type=Path,
        default=cache / "nnr-conformance" / "benchmarks",
        metavar="DIR",
        help="where the streams are kept",
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the streams, measure, and print the tables."""
    options = arguments_of(arguments)
    if options.nncodec is None or not has_nncodec(options.nncodec):
        print(
            f"nnc_decode.py: skipped, NNCodec is not installed in {options.nncodec or 'any place'}:"
            f" name an interpreter that has it with --nncodec or in ${VARIABLE}"
        )
        return
    for name, stream in made(options.nncodec, options.cache).items():
        runs = measure(options.nncodec, stream, options.repetitions)
        print_speed(f"ResNet-50 shapes, qp -38, {name}", stream, runs)
        print_memory(options.nncodec, stream)


if __name__ == "__main__":
    main()
