"""Claims of a bundled submission, measured by this project's own evaluation.

The values that may differ between machines in their last digits are rounded, which is what their
declared tolerance covers.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.evidence.executor import Executor
from conformance.evidence.store import EvidenceStore
from conformance.plan.jobs import Decode, DecodeState, Job, Original, Reconstruction
from conformance.plan.results import (
    DecodeResult,
    OriginalResult,
    R,
    ReconstructionResult,
    StateResult,
)
from conformance.sandbox.limits import Limits
from conformance.sandbox.workers import Workers
from conformance.submission import load
from conformance.submission.update_graph import cumulative_sizes
from conformance.submission.values import Submission
from conformance.verdicts import Json

Measured = OriginalResult | ReconstructionResult

DECIMALS = 6
WITHIN = 2e-6


def fill_in_measured(
    root: Path,
    document: Mapping[str, Any],
    within: Mapping[str, Mapping[str, float]],
    decimals: int = DECIMALS,
    evidence: Path | None = None,
) -> dict[str, Any]:
    """Return ``document`` with metric values, features and claims filled in.

    ``root`` holds the submission that ``document`` describes, with one vector set for each model;
    ``within`` gives, per sample or model and metric, the tolerance of a value where it is not
    :data:`WITHIN`. Values are rounded to ``decimals``. The folder ``evidence`` has, and gets, what
    is measured; without one, nothing is kept.
    """
    filled = copy.deepcopy(dict(document))
    with tempfile.TemporaryDirectory() as folder:
        loaded = load(root)
        if loaded.submission is None:
            raise ValueError(f"{root}: {loaded.problems[0].message}")
        workers = Workers(Limits.for_machine())
        bench = Executor(loaded, EvidenceStore(evidence or Path(folder)), workers)
        try:
            _Measuring(bench, loaded.submission, filled, within, decimals).fill_in()
        finally:
            bench.close()
    return filled


@dataclass(frozen=True, slots=True)
class _Measuring:
    """Fills in ``document``, whose submission ``bench`` evaluates."""

    bench: Executor
    submission: Submission
    document: dict[str, Any]
    within: Mapping[str, Mapping[str, float]]
    decimals: int

    def fill_in(self) -> None:
        for model in self.document["models"]:
            vectors = self._vectors_of(model["id"])
            original = self._result(Original(self.submission, model["id"], vectors), OriginalResult)
            model["metric_values"] = self._values(original, model["id"], vectors)
        for sample in self.document["samples"]:
            self._fill_in_sample(sample)

    def _fill_in_sample(self, sample: dict[str, Any]) -> None:
        model, vectors, claims = (
            sample["model"],
            self._vectors_of(sample["model"]),
            sample["claims"],
        )
        decoded = self._result(Decode(self.submission, sample["id"]), DecodeResult)
        sample["features"] = sorted(decoded.features)
        own = self.submission.sample(sample["id"])
        if not own.is_derived:
            size = sum(file.size for file in self.submission.model(model).files)
            claims["compression_factor"] = size / claims["compressed_size"]
            claims["compressed_percent"] = claims["compressed_size"] / size * 100
        if "cumulative_size" in claims:
            claims["cumulative_size"] = cumulative_sizes(self.submission)[sample["id"]]
        claims["tensor_digests"] = {
            name: facts.sha256
            for name, facts in sorted(decoded.tensors.items())
            if not facts.optional or facts.scalar
        }
        if sample["metrics"]:
            run = Reconstruction(self.submission, model, vectors, sample["id"])
            claims["metric_values"] = self._values(
                self._result(run, ReconstructionResult), sample["id"], vectors
            )
        self._fill_in_layers(sample, vectors)

    def _fill_in_layers(self, sample: dict[str, Any], vectors: str) -> None:
        model, total = sample["model"], 0
        for place, layer in enumerate(sample.get("layers", [])):
            state = self._result(DecodeState(self.submission, sample["id"], place), StateResult)
            total += state.size
            run = Reconstruction(self.submission, model, vectors, sample["id"], place)
            layer["claims"] = {
                "size": state.size,
                "cumulative_size": total,
                "metric_values": self._values(
                    self._result(run, ReconstructionResult), sample["id"], vectors
                ),
            }

    def _vectors_of(self, model: str) -> str:
        (vectors,) = (each.id for each in self.submission.vectors if each.model == model)
        return vectors

    def _values(self, measured: Measured, owner: str, vectors: str) -> list[Json]:
        return [
            {
                "metric": metric["id"],
                "vectors": vectors,
                "value": round(float(measured.metrics[metric["id"]].row.value), self.decimals),
                "tolerance": self.within.get(owner, {}).get(metric["id"], WITHIN),
            }
            for metric in self.document["metrics"]
            if metric["id"] in measured.metrics
        ]

    def _result(self, job: Job, kind: type[R]) -> R:
        return self.bench.evidence(job).result_of(kind)
