"""The desk of a worker: takes requests, finds their submission, hands them to a task."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from conformance.codecs import CODECS
from conformance.jobs.access import access_tensors
from conformance.jobs.agreement import compare_formats
from conformance.jobs.compressed_run import run_compressed
from conformance.jobs.context import Networks, Work
from conformance.jobs.control import run_controls
from conformance.jobs.decode import decode_sample
from conformance.jobs.layering import decode_layers
from conformance.jobs.mixture import run_mixture
from conformance.jobs.mutation import apply_mutation
from conformance.jobs.original import open_model, run_original
from conformance.jobs.reconstruct import run_reconstruction
from conformance.jobs.state import compute_state
from conformance.metrics import METRICS
from conformance.plan.case import Case, Kind
from conformance.runtimes import RUNTIMES
from conformance.sandbox.limits import Limits
from conformance.submission.building import build_submission
from conformance.submission.values import Submission
from conformance.verdicts import ConformanceError, EvaluationError, Json

TASKS: Mapping[Kind, Callable[[Work], Json]] = {
    "model": open_model,
    "original": run_original,
    "control": run_controls,
    "agreement": compare_formats,
    "decode": decode_sample,
    "reconstruction": run_reconstruction,
    "mixture": run_mixture,
    "compressed-run": run_compressed,
    "access": access_tensors,
    "state": compute_state,
    "layering": decode_layers,
    "mutation": apply_mutation,
}


class Desk:
    """Evaluates one request after the other; keeps what the next one can use again."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._networks = Networks(limits)
        self._submission: Submission | None = None
        self._metadata_sha256 = ""

    def evaluate(self, request: Mapping[str, Json]) -> Json:
        """Return what the task of a request measured, as JSON.

        Raises :class:`~conformance.verdicts.ConformanceError` for what is wrong with the material.
        """
        case = Case.from_json(request["case"])
        work = Work(
            case=case,
            submission=self._load(Path(request["root"]), request["metadata_sha256"]),
            out=Path(request["out"]),
            reference=Path(request["reference"]) if request["reference"] else None,
            own=Path(request["own"]) if request["own"] else None,
            states={key: Path(folder) for key, folder in request["states"].items()},
            limits=self.limits,
            networks=self._networks,
        )
        return TASKS[case.kind](work)

    def prepare(
        self, formats: Iterable[str], codecs: Iterable[str], metrics: Iterable[str]
    ) -> None:
        """Import what the cases to come will use; an import that fails is told by its case."""
        wanted = ((RUNTIMES, formats), (CODECS, codecs), (METRICS, metrics))
        for registry, names in wanted:
            for name in names:
                with contextlib.suppress(ConformanceError):
                    registry.load(name)

    def _load(self, root: Path, sha256: str) -> Submission:
        """Return the submission that the parent has validated, and no other."""
        known = self._submission
        if known is None or (known.root, self._metadata_sha256) != (root, sha256):
            text = (root / "submission.json").read_bytes()
            if hashlib.sha256(text).hexdigest() != sha256:
                raise EvaluationError(
                    "submission.json changed while the submission was evaluated",
                    expected="a submission folder that stays as it is during a run",
                    found="other bytes than when it was validated",
                    fix="run again, and leave the folder alone meanwhile",
                )
            known = build_submission(root, json.loads(text))
            self._submission, self._metadata_sha256 = known, sha256
        return known
