"""The dispatcher of a worker: takes requests, and hands them to the function of their kind."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from conformance.jobs.context import Networks, TaskContext
from conformance.plan.requests import asked_of, key_of
from conformance.plan.results import Result
from conformance.registry import CODECS, METRICS, RUNTIMES
from conformance.sandbox.limits import Limits
from conformance.verdicts import ConformanceError, Json

STAGES: Mapping[str, Mapping[str, str]] = {
    "open": {
        "model": "opening:describe_network",
        "network": "opening:describe_network",
        "parameters": "opening:keep_tensors",
    },
    "decode": {
        "tensors": "decoding:decode_part",
        "access": "access:access_tensors",
        "state": "chain_step:apply_part",
        "merge": "chain_merge:merge_branches",
        "layering": "layering:decode_layers",
        "misapplication": "misapplying:apply_steps",
    },
    "run": {
        "run": "running:run_network",
        "compressed-run": "timing:time_sample",
    },
    "measure": {
        "vectors": "vectors:read_vectors",
        "measure": "measuring:measure_run",
        "original": "original:compare_outputs",
        "control": "control:measure_controls",
        "reconstruction": "reconstruction:measure_sample",
        "agreement": "agreement:compare_formats",
        "decode": "comparing:compare_tensors",
        "decoded-states": "comparing:compare_states",
        "decoded-network": "comparing:compare_networks",
    },
}
"""The function that answers each kind of request, by its module in this package.

A process imports what its own stage needs: no runtime where outputs are measured.
"""

_FUNCTIONS = {kind: place for stage in STAGES.values() for kind, place in stage.items()}


class Dispatcher:
    """Answers one request after the other; keeps what the next one can use again."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._networks = Networks(limits)

    def evaluate(self, message: Mapping[str, Json]) -> Json:
        """Return the result of a request, written as JSON.

        The message has the ``request``, where its ``files`` and the ``results`` that it builds upon
        lie, and the folder ``out`` for arrays. Raises
        :class:`~conformance.verdicts.ConformanceError` for what is wrong with the material.
        """
        request = message["request"]
        task: TaskContext[Any] = TaskContext(
            asked=asked_of(request),
            key=key_of(request),
            files={role: Path(path) for role, path in message["files"].items()},
            results={role: Path(folder) for role, folder in message["results"].items()},
            out=Path(message["out"]),
            limits=self.limits,
            networks=self._networks,
        )
        result: Result = _function(request["kind"])(task)
        return result.to_json()

    def prepare(
        self,
        stage: str,
        formats: Iterable[str] = (),
        codecs: Iterable[str] = (),
        metrics: Iterable[str] = (),
    ) -> None:
        """Import what the jobs to come will use; an import that fails is reported by its job."""
        for kind in STAGES[stage]:
            _function(kind)
        for registry, names in ((RUNTIMES, formats), (CODECS, codecs), (METRICS, metrics)):
            for name in names:
                with contextlib.suppress(ConformanceError):
                    registry.load(name)


def _function(kind: str) -> Any:
    module, _, name = _FUNCTIONS[kind].partition(":")
    return getattr(importlib.import_module(f"conformance.jobs.{module}"), name)
