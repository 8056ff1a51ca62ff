"""What step n of an update chain costs to evaluate, against one bare decoding and one inference.

    python benchmarks/chain.py [--parameters N] [--steps N] [--kind nnc|tensors]

A chain of differences to a stack of matrices is evaluated step by step, in one worker and with an
empty evidence store: the state of the step, what it decodes to, and the metric of the network. In
turn with it, a bare loop decodes the same bitstream after those before it, adds the differences and
runs the network with ONNX Runtime on the same items, and must find the same metric value. The
slope is how much more each further step costs, as a share of a step: a suite that decoded a
chain anew for each step would double its cost with the second, and so on. The ratio has no
target: in addition to decoding and inference, the suite compares the bitstream with the rules of
its format (which decodes it once more), hashes what changed and the base, and keeps the state.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx
import onnxruntime
from large_submission import METRIC, MODEL, VECTORS, entry, make_weights, write_submission
from measuring import print_table, spread
from numpy.typing import NDArray
from onnx import numpy_helper

from conformance import nnc
from conformance.codecs.encoded import sparse
from conformance.codecs.tensors_writer import write as write_tensors_sample
from conformance.evidence.executor import Executor
from conformance.evidence.store import EvidenceStore
from conformance.nnc.encoder import EncoderSettings, Quantization, UpdateSettings, encode
from conformance.plan.jobs import Decode, OpenModel, Original, Reconstruction
from conformance.plan.results import ReconstructionResult
from conformance.sandbox.limits import Limits
from conformance.sandbox.workers import Workers
from conformance.submission import Submission, load
from conformance.tensorfiles import open_tensors

SLOPE_TARGET = 0.01
SEED, CHANGED = 15938, 0.02
SHOWN = 10
CLOSE = 1e-4
"""How far both metric values may lie apart, relative: their kernels add in a different order."""

Weights: TypeAlias = dict[str, NDArray[np.float32]]
Json: TypeAlias = dict[str, Any]


def write_chain(folder: Path, parameters: int, steps: int, kind: str) -> list[Path]:
    """Write a submission whose samples are ``steps`` updates; return their bitstreams."""
    write_submission(folder, parameters)
    metadata = json.loads((folder / "submission.json").read_text("utf-8"))
    (template,) = metadata["samples"]
    encoded = _nnc_steps if kind == "nnc" else _tensor_steps
    paths = list(encoded(folder, make_weights(_width(metadata)), steps))
    metadata["samples"] = [
        _sample(folder, path, number, template) for number, path in enumerate(paths)
    ]
    (folder / "sample.safetensors").unlink()
    (folder / "submission.json").write_text(json.dumps(metadata), encoding="utf-8")
    return paths


def _width(metadata: Json) -> int:
    return int(metadata["models"][0]["inputs"][0]["shape"][1])


def _differences(weights: Weights, number: int) -> Weights:
    """Return small changes of a few parameters: as sparse as updates mostly are."""
    random = np.random.default_rng(SEED + number)
    return {
        name: (random.random(weight.shape) < CHANGED)
        * random.standard_normal(weight.shape, np.float32)
        * np.float32(0.01)
        for name, weight in weights.items()
    }


def _nnc_steps(folder: Path, weights: Weights, steps: int) -> Iterator[Path]:
    settings = EncoderSettings(
        quantization=Quantization(qp=-32), update=UpdateSettings(temporal=True)
    )
    state = nnc.DecoderState()
    for number in range(steps):
        path = folder / f"step-{number}.nnc"
        path.write_bytes(encode(_differences(weights, number), settings, state))
        yield path


def _tensor_steps(folder: Path, weights: Weights, steps: int) -> Iterator[Path]:
    for number in range(steps):
        path = folder / f"step-{number}.safetensors"
        held = {n: sparse(each) for n, each in _differences(weights, number).items()}
        write_tensors_sample(path, held)
        yield path


def _sample(folder: Path, path: Path, number: int, template: Json) -> Json:
    size = path.stat().st_size
    # Values must be claimed; nothing compares them here.
    values = template["claims"]["metric_values"]
    claims = {"compressed_size": size, "cumulative_size": 0, "metric_values": values}
    return {
        **template,
        "id": f"step-{number}",
        "codec": {"id": "nnc" if path.suffix == ".nnc" else "tensors"},
        "files": [entry(folder, path.name)],
        "update_of": {"sample": f"step-{number - 1}"} if number else {"model": MODEL},
        "claims": {**claims, "tensor_digests": {}},
    }


def bare_steps(folder: Path, paths: Sequence[Path]) -> Callable[[int], float]:
    """Return a function that decodes a step after those before it, runs it, returns the metric."""
    model = onnx.load(folder / "model.onnx")
    held = {each.name: each for each in model.graph.initializer}
    weights = {name: numpy_helper.to_array(each).copy() for name, each in held.items()}
    limit = 1 << 32
    with open_tensors(folder / "inputs.safetensors", display="x", limit_bytes=limit) as inputs:
        items = inputs["x"]
    state, options = nnc.DecoderState(), nnc.Options(threads=1)
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = 1

    def infer() -> NDArray[np.float64]:
        for name, weight in weights.items():
            held[name].raw_data = weight.tobytes()
        session = onnxruntime.InferenceSession(model.SerializeToString(), session_options)
        return np.asarray(session.run(None, {"x": items})[0], np.float64)

    original = infer()

    def step(number: int) -> float:
        for name, difference in _bare_decode(paths[number], options, state).items():
            weights[name] += difference
        return float(np.square(infer() - original).mean())

    return step


def _bare_decode(path: Path, options: nnc.Options, state: nnc.DecoderState) -> dict[str, Any]:
    if path.suffix == ".nnc":
        return nnc.decode(path, options, state)
    from conformance.codecs import Source, codec

    source = Source((path,), (path.name,), {}, 1 << 32)
    with codec("tensors").decode(source) as decoded:  # type: ignore[union-attr]
        return {name: decoded[name] for name in decoded}


def suite_steps(executor: Executor, submission: Submission) -> Callable[[int], float]:
    """Return a function that evaluates a step and returns the metric."""

    def step(number: int) -> float:
        sample = f"step-{number}"
        executor.evidence(Decode(submission, sample))
        evidence = executor.evidence(Reconstruction(submission, MODEL, VECTORS, sample))
        return float(evidence.result_of(ReconstructionResult).metrics[METRIC].row.value)

    return step


def measured(folder: Path, paths: Sequence[Path]) -> tuple[list[float], list[float]]:
    """Return the seconds of every step, in the suite and bare, in turn."""
    suite, bare = [], []
    workers = Workers(Limits.for_machine())
    with tempfile.TemporaryDirectory() as store:
        loaded = load(folder)
        if loaded.submission is None:
            raise RuntimeError(f"{folder}: {loaded.problems}")
        submission = loaded.submission
        executor = Executor(loaded, EvidenceStore(Path(store)), workers)
        try:
            for job in (OpenModel(submission, MODEL), Original(submission, MODEL, VECTORS)):
                executor.evidence(job)
            in_suite, by_itself = suite_steps(executor, submission), bare_steps(folder, paths)
            for number in range(len(paths)):
                started = time.perf_counter()
                value = in_suite(number)
                between = time.perf_counter()
                own = by_itself(number)
                bare.append(time.perf_counter() - between)
                suite.append(between - started)
                if abs(own - value) > CLOSE * abs(own):
                    raise RuntimeError(f"step {number}: the suite finds {value}, bare {own}")
        finally:
            executor.close()
    return suite, bare


def slope(seconds: Sequence[float]) -> float:
    """Return by how much each further step costs more, as a share of the median step.

    It is the median slope of all pairs (P. K. Sen, 1968), which no single interruption sways.
    """
    pairs = (
        (seconds[b] - seconds[a]) / (b - a)
        for a in range(len(seconds))
        for b in range(a + 1, len(seconds))
    )
    return statistics.median(pairs) / statistics.median(seconds)


def compare(kind: str, parameters: int, steps: int) -> None:
    """Measure a chain and print what its steps cost."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "chain")
        folder.mkdir()
        paths = write_chain(folder, parameters, steps + 1, kind)
        suite, bare = measured(folder, paths)
    # The first step compiles and imports on both sides, and is not part of the chain.
    suite, bare = suite[1:], bare[1:]
    print(f"\n{kind}: {parameters:,} parameters, {steps} steps, suite and bare in turn")
    places = [n for n in range(steps) if n % SHOWN == 0 or n == steps - 1]
    print_table(
        ("step", "suite, seconds", "bare, seconds"),
        ((str(n + 1), f"{suite[n]:.3f}", f"{bare[n]:.3f}") for n in places),
    )
    for name, seconds in (("suite", suite), ("bare", bare)):
        print(f"  {name}: {spread(seconds)} seconds a step")
    found = slope(suite)
    verdict = "met" if found <= SLOPE_TARGET else "MISSED"
    print(
        f"  slope: {found:+.4f} of a step for each step; target at most {SLOPE_TARGET}: {verdict}"
    )
    print(f"  bare slope: {slope(bare):+.4f}")
    print(f"  suite / bare: {spread([a / b for a, b in zip(suite, bare, strict=True)])}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description="Cost of the steps of an update chain.")
    parser.add_argument("--parameters", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--kind", choices=("nnc", "tensors"), action="append")
    chosen = parser.parse_args(arguments)
    for kind in chosen.kind or ("nnc", "tensors"):
        compare(kind, chosen.parameters, chosen.steps)


if __name__ == "__main__":
    main()
