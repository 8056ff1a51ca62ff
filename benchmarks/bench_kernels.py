"""Small computations of a run, each against the plain or library form that does the same.

    python benchmarks/bench_kernels.py [--repetitions N]

Both sides of a pair compute in this process, on one thread, in turn; printed is the ratio of their
processor times, ours to the other's. Results are compared before anything is timed. Torch computes
faster once it is imported; what counts for a run is the next line, a fresh process. The last line
compares two processes: structural similarity with the environment of a worker, and without the
settings of glibc in it: the system time of both is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from measuring import ROOT, Cost, Ratio, Rounds, interleaved, print_rounds, timed

from conformance.codecs.encodings.packing import unpack_bits
from conformance.metrics import metric
from conformance.sandbox.environment import MALLOC
from conformance.submission.building import build_submission
from conformance.submission.values import Model, Submission

Compute: TypeAlias = Callable[[], Any]
SAMPLES = 300
SSIM = """
import numpy as np
from conformance.metrics import metric
from conformance.sandbox.environment import MALLOC
made = metric("ssim", {"data_range": 1})
images = np.random.default_rng(1).uniform(size=(12, 1, 176, 176))
made.update({"prediction": images, "target": images[::-1].copy()})
"""
OURS = """
import numpy as np
from conformance.metrics import metric
from conformance.sandbox.environment import MALLOC
made = metric("kl-divergence", {})
made.update({"prediction": np.eye(10), "target": np.ones((10, 10))})
made.result()
"""
THEIRS = """
import torch
from torchmetrics.functional.regression import kl_divergence
rows = [torch.log_softmax(rows, -1) for rows in (torch.ones(10, 10), torch.eye(10))]
kl_divergence(*rows, log_prob=True)
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two ways to compute one thing."""

    name: str
    ours: Compute
    theirs: Compute
    target: float


def measured(kind: str, prediction: Any, target: Any) -> float:
    """Return the value of a metric."""
    made = metric(kind, {"class_axis": -1})
    made.update({"prediction": prediction, "target": target})
    return made.result().value


def submission_of(samples: int) -> Submission:
    """Return digits-cnn with that many samples more."""
    folder = ROOT / "vectors" / "submissions" / "digits-cnn"
    metadata = json.loads((folder / "submission.json").read_text("utf-8"))
    last = metadata["samples"][-1]
    metadata["samples"] += [{**last, "id": f"sample-{number}"} for number in range(samples)]
    return build_submission(folder, metadata)


def looked_up(submission: Submission) -> list[list[int]]:
    """Return the places of the metrics that each sample is measured by."""
    submission = replace(submission)  # Makes the tables of the copy.
    places = {each.id: place for place, each in enumerate(submission.metrics)}
    (model,), (vectors,) = submission.models, submission.vectors
    return [
        [places[each.id] for each in submission.metrics_on(vectors.id, model)]
        for _ in submission.samples
    ]


def searched(submission: Submission) -> list[list[int]]:
    """Return the same; all samples are searched for each of them."""
    (model,), (vectors,) = submission.models, submission.vectors
    return [used_on(vectors.id, model, submission) for _ in submission.samples]


def used_on(vectors: str, model: Model, submission: Submission) -> list[int]:
    """Return the places of the metrics on a vector set, from all that names them."""
    samples = [sample for sample in submission.samples if sample.model == model.id]
    named: list[Any] = [*model.metric_values]
    for sample in samples:
        layers = [value for layer in sample.layers for value in layer.claims.metric_values]
        named += [*sample.metrics, *sample.claims.metric_values, *layers]
    used = {each.metric for each in named if each.vectors == vectors}
    return [place for place, metric in enumerate(submission.metrics) if metric.id in used]


def pairs() -> list[Pair]:
    """Return what is compared.

    That is logits of 200 items in 20 positions, 4 million nibbles, and a submission of 300 samples.
    """
    import torch
    from torchmetrics.functional.regression import kl_divergence
    from torchmetrics.functional.text import perplexity

    torch.set_num_threads(1)
    random = np.random.default_rng(15938)
    logits, others = random.normal(size=(2, 200, 20, 500))
    tokens = random.integers(0, 500, (200, 20))
    packed = random.integers(0, 256, 2_000_000, dtype=np.uint8)

    def rows(array: Any) -> Any:
        return torch.log_softmax(torch.from_numpy(array.reshape(-1, 500)), -1)

    many = submission_of(SAMPLES)

    def nibbles_by_bits() -> Any:
        bits = np.unpackbits(packed, bitorder="little").reshape(-1, 4)
        return np.packbits(bits, axis=1, bitorder="little")[:, 0]

    return [
        Pair(
            "kl-divergence to torchmetrics",
            lambda: measured("kl-divergence", logits, others),
            lambda: float(kl_divergence(rows(others), rows(logits), log_prob=True)),
            2.0,
        ),
        Pair(
            "perplexity to torchmetrics",
            lambda: measured("perplexity", logits, tokens),
            lambda: float(perplexity(torch.from_numpy(logits), torch.from_numpy(tokens))),
            5.0,
        ),
        Pair(
            "nibbles by place to nibbles by bit",
            lambda: unpack_bits(packed, 4, 2 * packed.size),
            nibbles_by_bits,
            0.15,
        ),
        Pair(
            "metrics of vectors to searches",
            lambda: looked_up(many),
            lambda: searched(many),
            0.05,
        ),
    ]


def seconds(compute: Compute) -> Cost:
    """Return what one call costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    compute()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def require_equal(pair: Pair) -> None:
    """Refuse a pair whose results differ."""
    if not np.allclose(pair.ours(), pair.theirs(), rtol=1e-12, atol=0):
        raise RuntimeError(f"{pair.name}: the results differ")


def system_seconds(environment: dict[str, str]) -> float:
    """Return the system time of a process that computes structural similarity."""
    before = os.times().children_system
    subprocess.run([sys.executable, "-c", SSIM], env={**os.environ, **environment}, check=True)
    return os.times().children_system - before


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=7, metavar="N")
    options = parser.parse_args(arguments)
    compared = pairs()
    for pair in compared:
        require_equal(pair)
    rounds = interleaved(
        options.repetitions,
        lambda: {
            f"{pair.name}, {side}": seconds(compute)
            for pair in compared
            for side, compute in (("ours", pair.ours), ("other", pair.theirs))
        },
    )
    print_rounds("Kernels", rounds)
    for pair in compared:
        print(f"  {pair.name}: {cpu_ratio_of(pair, rounds)}")
    fresh = [timed([sys.executable, "-c", code])[0].cpu for code in (OURS, THEIRS)]
    print(f"  one kl-divergence in a fresh process: {Ratio([fresh[0] / fresh[1]], 0.3)}")
    kept, given = system_seconds(dict(MALLOC)), system_seconds({})
    print(f"  system time of ssim: {kept:.2f} s; where memory is given back {given:.2f} s")


def cpu_ratio_of(pair: Pair, rounds: Rounds) -> Ratio:
    """Return the ratios of processor time, ours to the other's, with their target."""
    both = zip(rounds[f"{pair.name}, ours"], rounds[f"{pair.name}, other"], strict=True)
    return Ratio([ours.cpu / other.cpu for ours, other in both], pair.target)


if __name__ == "__main__":
    main()
