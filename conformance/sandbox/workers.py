"""The workers of one run: one for each family of runtimes, reused from case to case.

What a case pays for in a fresh interpreter is the import of its runtime: seconds for PyTorch or
TensorFlow. Formats that share a module of the registry share a worker, so each runtime is imported
once, and no process holds two of the large frameworks. Those that have nothing to do are kept while
all of them together are small beside the memory limit.
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
    """Workers by the family of the format they serve, the one used last at the end."""

    def __init__(self, limits: Limits, spare: Worker | None = None) -> None:
        self.limits = limits
        self._spare = spare
        self._by_family: dict[str, Worker] = {}

    def prepare(self, format: str, codecs: Iterable[str], metrics: Iterable[str]) -> None:
        """Let the worker of ``format`` import what it will need, while the caller goes on."""
        self._of(format).prepare(formats={format}, codecs=codecs, metrics=metrics)

    def ask(self, format: str, request: Json) -> Json:
        """Return the result of ``request`` by the worker of ``format``; see :meth:`Worker.ask`."""
        return self._of(format).ask(request)

    def stop(self) -> None:
        """End all of them."""
        for worker in (*self._by_family.values(), *filter(None, [self._spare])):
            worker.stop()
        self._by_family.clear()
        self._spare = None

    def _of(self, format: str) -> Worker:
        family = RUNTIMES.module(format)
        worker = self._by_family.pop(family, None)
        if worker is None:
            worker, self._spare = self._spare or Worker(self.limits), None
        self._retire()
        self._by_family[family] = worker
        return worker

    def _retire(self) -> None:
        """Stop the idle workers, those used longest ago, that there is no room for."""
        room = self.limits.memory_bytes // IDLE_SHARE
        for family, worker in reversed(list(self._by_family.items())):
            room -= worker.resident_bytes()
            if room < 0:
                worker.stop()
                del self._by_family[family]
