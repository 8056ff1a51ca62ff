"""Claims of the bundled submission, measured by this project's own evaluation.

The values that may differ between machines in their last digits are rounded to six decimals, which
is what their declared tolerance covers.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from description import METRICS, MODEL, VECTOR_SET

from conformance.evaluation.case import Case
from conformance.evaluation.executor import Executor
from conformance.evaluation.limits import Limits
from conformance.evaluation.store import EvidenceStore
from conformance.submission import load
from conformance.verdicts import Json

DECIMALS = 6
WITHIN = 2e-6


def fill_in_measured(
    root: Path, document: Mapping[str, Any], within: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Return ``document`` with metric values, features and claims filled in.

    ``root`` holds the submission that ``document`` describes; ``within`` gives, per sample and
    metric, the tolerance of a claimed value where it is not :data:`WITHIN`.
    """
    filled = copy.deepcopy(dict(document))
    with tempfile.TemporaryDirectory() as folder:
        bench = Executor(load(root), EvidenceStore(Path(folder)), Limits.for_machine())
        try:
            _fill_in(bench, filled, within)
        finally:
            bench.close()
    return filled


def _fill_in(
    bench: Executor, document: dict[str, Any], within: Mapping[str, Mapping[str, float]]
) -> None:
    (model,) = document["models"]
    original = _measure(bench, Case("original", MODEL, vectors=VECTOR_SET))
    model["metric_values"] = _values(original["metrics"], {})
    size = sum(file["size"] for file in model["files"])
    for sample in document["samples"]:
        decoded = _measure(bench, Case("decode", MODEL, sample["id"]))
        sample["features"] = sorted(decoded["features"])
        claims = sample["claims"]
        claims["compression_factor"] = size / claims["compressed_size"]
        claims["compressed_percent"] = claims["compressed_size"] / size * 100
        claims["tensor_digests"] = {
            name: facts["sha256"] for name, facts in sorted(decoded["tensors"].items())
        }
        if sample["metrics"]:
            measured = _measure(bench, Case("reconstruction", MODEL, sample["id"], VECTOR_SET))
            claims["metric_values"] = _values(measured["metrics"], within[sample["id"]])


def _measure(bench: Executor, case: Case) -> Mapping[str, Json]:
    evidence = bench.evidence(case)
    if evidence.error is not None:
        raise evidence.error
    return evidence.result or {}


def _values(measured: Mapping[str, Json], within: Mapping[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "metric": metric,
            "vectors": VECTOR_SET,
            "value": round(row["value"], DECIMALS),
            "tolerance": within.get(metric, WITHIN),
        }
        for metric, row in _in_order(measured)
    ]


def _in_order(measured: Mapping[str, Json]) -> list[tuple[str, Json]]:
    return [(one["id"], measured[one["id"]]) for one in METRICS if one["id"] in measured]
