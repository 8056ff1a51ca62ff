"""What a case costs in every model format, as a multiple of the framework's own loading and run.

    python benchmarks/runtimes.py [--parameters N] [--repetitions N] [FORMAT ...]

For each format a network of 25 million parameters is written (see ``stacks.py``). The cases that
open the original, run it and its four controls on the reference vectors, and measure a metric, are
evaluated in a worker that has served a small network of the same format, as in any run with more
than one case. ``bare_runtimes.py`` loads and runs the same files as often, with nothing around.
Both in turn.

The vectors are 1,024 items, in batches of 32. A matrix is used once for each item, so that all of
them together are about as much work as a dozen images are for ResNet-50, which has as many
parameters.

PyTorch and LiteRT compute verdicts with kernels that are the same on every processor, for which
``docs/runtimes-pytorch.md`` has the reasons. They may be several times slower than those that
either would choose. The ratio is taken of a bare script with the same kernels; what the script
takes with the framework's own choice stands next to it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import bare_runtimes
import numpy as np
from large_submission import (
    METRIC,
    MODEL,
    SEED,
    VECTORS,
    describe,
    entry,
    make_weights,
    run,
)
from measuring import ROOT, Cost, environment, interleaved, print_table, ratio, spread
from stacks import BATCH, NO_BATCH, WRITERS

from conformance.codecs.encoded import plain
from conformance.codecs.tensors_writer import write as write_sample
from conformance.evidence.executor import Executor
from conformance.evidence.store import EvidenceStore
from conformance.plan.jobs import Control
from conformance.runtimes.libraries import QUIET
from conformance.runtimes.pytorch.settings import ENVIRONMENT
from conformance.runtimes.tflite.interpreter import RESOLVER
from conformance.sandbox.limits import Limits
from conformance.sandbox.workers import Workers
from conformance.submission import load
from conformance.tensorfiles import tensor_digest, write_tensors

PARAMETERS = 25_000_000
SMALL = 6 * 64 * 64
ITEMS = 1024
TARGET = 1.5
CASE, BARE, OWN = "case", "bare", "bare, own kernels"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
SAME_KERNELS = {
    **ENVIRONMENT,
    "TF_ENABLE_ONEDNN_OPTS": QUIET["TF_ENABLE_ONEDNN_OPTS"],
    bare_runtimes.RESOLVER: RESOLVER,
}


def write_submission(folder: Path, kind: str, parameters: int) -> Any:
    """Write a submission with the stack in the format ``kind``; return its inputs."""
    width = round((parameters / 6) ** 0.5)
    weights = make_weights(width)
    (folder / "model").mkdir(parents=True)
    files = WRITERS[kind](folder / "model", weights)
    items = np.random.default_rng(SEED + 1).standard_normal((ITEMS, width), np.float32)
    arrays = {"inputs": {"x": items}, "outputs": {"y": run(weights, items)}}
    for name, named in arrays.items():
        write_tensors(folder / f"{name}.safetensors", named)
    write_tensors(folder / "targets.safetensors", {"target": np.zeros(ITEMS, np.int64)})
    # Nothing decodes the sample here; a submission must have one.
    tiny = {"layer0.weight": np.zeros((1, 1), np.float16)}
    params = write_sample(folder / "sample.safetensors", {n: plain(w) for n, w in tiny.items()})
    claims = {
        "compressed_size": (folder / "sample.safetensors").stat().st_size,
        "metric_values": [{"metric": METRIC, "vectors": VECTORS, "value": 0.0}],
        "tensor_digests": {name: tensor_digest(array) for name, array in tiny.items()},
    }
    (folder / "model.onnx").write_bytes(b"")
    metadata = describe(folder, width, params, claims)
    (folder / "model.onnx").unlink()
    _name_model(metadata, folder, files, kind, width)
    (folder / "submission.json").write_text(json.dumps(metadata), encoding="utf-8")
    return items


def _name_model(metadata: Any, folder: Path, files: list[Path], kind: str, width: int) -> None:
    (model,), (vectors,) = metadata["models"], metadata["vectors"]
    vectors["shards"][0]["items"] = ITEMS
    metadata["datasets"][1]["items"] = ITEMS
    names = [path.relative_to(folder).as_posix() for path in files]
    shape = ["N" if kind in NO_BATCH else BATCH, width]
    model.update(format=kind, files=[entry(folder, name) for name in names])
    for port in (*model["inputs"], *model["outputs"]):
        port["shape"] = shape


def case_seconds(small: Path, large: Path, scratch: Path) -> float:
    """Return what the original and its controls take in workers that have served a small one."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        store, workers = EvidenceStore(Path(folder)), Workers(Limits.for_machine())
        try:
            for root in (small, large):
                loaded = load(root)
                if loaded.submission is None:
                    raise RuntimeError(f"{root}: {loaded.problems}")
                executor = Executor(loaded, store, workers, reuse=False)
                started = time.perf_counter()
                evidence = executor.evidence(Control(loaded.submission, MODEL, VECTORS))
                taken = time.perf_counter() - started
                if evidence.error is not None:
                    raise evidence.error
            return taken
        finally:
            workers.stop()


def bare_seconds(
    kind: str, small: Path, large: Path, inputs: Path, kernels: Mapping[str, str]
) -> float:
    """Return what the framework alone takes; ``kernels`` are variables that choose them."""
    script = Path(__file__).with_name("bare_runtimes.py")
    command = [sys.executable, str(script), kind, *map(str, (small, large, inputs))]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**environment(), **ONE_THREAD, **kernels},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{kind}: {done.stderr[-2000:]}")
    return float(done.stdout.split()[-1])


def compared(kind: str, parameters: int, repetitions: int) -> tuple[str, ...]:
    """Return a row: the format, seconds of the case and the bare scripts, and the ratio."""
    with tempfile.TemporaryDirectory() as scratch:
        folders = {size: Path(scratch, size) for size in ("small", "large")}
        arrays = {
            size: write_submission(folders[size], kind, count)
            for size, count in (("small", SMALL), ("large", parameters))
        }
        inputs = Path(scratch, "inputs.npz")
        np.savez(inputs, **arrays)
        models = [folders[size] / "model" for size in ("small", "large")]

        def one_round() -> dict[str, Cost]:
            seconds = {
                OWN: bare_seconds(kind, *models, inputs, {}),
                BARE: bare_seconds(kind, *models, inputs, SAME_KERNELS),
                CASE: case_seconds(folders["small"], folders["large"], Path(scratch)),
            }
            return {name: Cost(taken, taken) for name, taken in seconds.items()}

        rounds = interleaved(repetitions, one_round)
    seconds = (spread([cost.wall for cost in rounds[name]]) for name in (CASE, BARE, OWN))
    return (kind, *seconds, str(ratio(rounds, CASE, BARE, TARGET)))


def rows(kinds: Sequence[str], parameters: int, repetitions: int) -> Iterator[tuple[str, ...]]:
    """Yield a row for each format."""
    for kind in kinds:
        yield compared(kind, parameters, repetitions)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", type=int, default=PARAMETERS, metavar="N")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N")
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="all of them if left out")
    options = parser.parse_args(arguments)
    kinds = options.formats or sorted(WRITERS)
    print(f"\nNetworks of {options.parameters} parameters: seconds, median (least to greatest)")
    head = ("format", "the original's case", "bare", "bare, own kernels", "case / bare")
    print_table(head, rows(kinds, options.parameters, options.repetitions))


if __name__ == "__main__":
    main()
