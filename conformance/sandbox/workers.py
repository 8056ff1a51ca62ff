"""The workers of one run: one for each stage and family of runtimes, reused from job to job.

What a job pays for in a fresh interpreter is the import of its runtime: seconds for PyTorch or
TensorFlow. Formats that share a module of the registry share a worker of their stage, so each
runtime is imported once for it, and no process holds two of the large frameworks. Those that have
nothing to do are kept while all of them together are small beside the memory limit.
"""

from __future__ import annotations

from collections.abc import Iterable

from conformance.registry import RUNTIMES
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import Worker
from conformance.verdicts import Json

IDLE_SHARE = 4
"""Idle workers may hold this part of the memory limit together: the ones used last stay."""


class Workers:
    """Workers by stage and family of the format they serve, the one used last at the end."""

    def __init__(self, limits: Limits, spare: Worker | None = None) -> None:
        self.limits = limits
        self._spare = spare
        self._serving: dict[tuple[str, str], Worker] = {}

    def prepare(self, format: str, codecs: Iterable[str], metrics: Iterable[str]) -> None:
        """Let the workers of ``format`` import what they will need, while the caller goes on."""
        for stage in ("open", "run"):
            self._of(stage, format).prepare(stage=stage, formats=[format])
        self._of("decode", "").prepare(stage="decode", codecs=sorted(codecs))
        self._of("measure", "").prepare(stage="measure", metrics=sorted(metrics))

    def ask(self, stage: str, format: str, request: Json) -> Json:
        """Return the result of ``request`` by the worker of this stage; see :meth:`Worker.ask`."""
        return self._of(stage, format).ask(request)

    def stop(self) -> None:
        """End all of them."""
        for worker in (*self._serving.values(), *filter(None, [self._spare])):
            worker.stop()
        self._serving.clear()
        self._spare = None

    def _of(self, stage: str, format: str) -> Worker:
        family = stage, RUNTIMES.module(format) or format
        worker = self._serving.pop(family, None)
        if worker is None:
            worker, self._spare = self._spare or Worker(self.limits), None
        self._retire()
        self._serving[family] = worker
        return worker

    def _retire(self) -> None:
        """Stop the idle workers, those used longest ago, that there is no room for."""
        room = self.limits.memory_bytes // IDLE_SHARE
        for family, worker in reversed(list(self._serving.items())):
            room -= worker.resident_bytes()
            if room < 0:
                worker.stop()
                del self._serving[family]
