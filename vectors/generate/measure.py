"""Claims of a bundled submission, measured by this project's own evaluation.

The values that may differ between machines in their last digits are rounded, which is what their
declared tolerance covers.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from conformance.evaluation.case import Case
from conformance.evaluation.executor import Executor
from conformance.evaluation.limits import Limits
from conformance.evaluation.store import EvidenceStore
from conformance.submission import load
from conformance.verdicts import Json

DECIMALS = 6
WITHIN = 2e-6


def fill_in_measured(
    root: Path,
    document: Mapping[str, Any],
    within: Mapping[str, Mapping[str, float]],
    decimals: int = DECIMALS,
) -> dict[str, Any]:
    """Return ``document`` with metric values, features and claims filled in.

    ``root`` holds the submission that ``document`` describes, with one vector set for each model;
    ``within`` gives, per sample or model and metric, the tolerance of a value where it is not
    :data:`WITHIN`. Values are rounded to ``decimals``.
    """
    filled = copy.deepcopy(dict(document))
    with tempfile.TemporaryDirectory() as folder:
        bench = Executor(load(root), EvidenceStore(Path(folder)), Limits.for_machine())
        try:
            _fill_in(bench, filled, within, decimals)
        finally:
            bench.close()
    return filled


def _fill_in(
    bench: Executor,
    document: dict[str, Any],
    within: Mapping[str, Mapping[str, float]],
    decimals: int,
) -> None:
    def values(measured: Mapping[str, Json], owner: dict[str, Any], vectors: str) -> list[Json]:
        return [
            {
                "metric": metric["id"],
                "vectors": vectors,
                "value": round(measured["metrics"][metric["id"]]["value"], decimals),
                "tolerance": within.get(owner["id"], {}).get(metric["id"], WITHIN),
            }
            for metric in document["metrics"]
            if metric["id"] in measured["metrics"]
        ]

    sizes, sets = {}, {vectors["model"]: vectors["id"] for vectors in document["vectors"]}
    for model in document["models"]:
        name, vectors = model["id"], sets[model["id"]]
        original = _measure(bench, Case("original", name, vectors=vectors))
        model["metric_values"] = values(original, model, vectors)
        sizes[name] = sum(file["size"] for file in model["files"])
    for sample in document["samples"]:
        size, vectors = sizes[sample["model"]], sets[sample["model"]]
        decoded = _measure(bench, Case("decode", sample["model"], sample["id"]))
        sample["features"] = sorted(decoded["features"])
        claims = sample["claims"]
        claims["compression_factor"] = size / claims["compressed_size"]
        claims["compressed_percent"] = claims["compressed_size"] / size * 100
        claims["tensor_digests"] = {
            name: facts["sha256"] for name, facts in sorted(decoded["tensors"].items())
        }
        if sample["metrics"]:
            case = Case("reconstruction", sample["model"], sample["id"], vectors)
            claims["metric_values"] = values(_measure(bench, case), sample, vectors)


def _measure(bench: Executor, case: Case) -> Mapping[str, Json]:
    evidence = bench.evidence(case)
    if evidence.error is not None:
        raise evidence.error
    return evidence.result or {}
