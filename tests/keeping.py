"""Workers that outlive the command that asked them: what a test pays for is the question.

A command starts a worker and ends it; nearly all of its time is the import of NumPy, numba or a
framework. As in a run, formats of one module share a process, and no process has two frameworks.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Sequence

from conformance.registry import RUNTIMES
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import Worker
from conformance.sandbox.workers import ForkServers, Workers
from conformance.verdicts import Json

_processes: dict[tuple[object, ...], Worker] = {}


class KeptWorker:
    """Stands for the worker of one command, and asks that of an earlier one with its limits."""

    def __init__(self, limits: Limits, program: Sequence[str]) -> None:
        self._limits = limits
        self._program = program

    def ask(self, request: Json) -> Json:
        name = request["arguments"].get("format")
        family = RUNTIMES.module(name) if name in RUNTIMES.names() else None
        key = self._limits, self._program, family
        if key not in _processes:
            _processes[key] = Worker(self._limits, self._program)
            atexit.register(_processes[key].stop)
        return _processes[key].ask(request)

    def stop(self) -> None:
        """Keep it."""


def workers_of_kept_servers() -> Callable[[Limits], Workers]:
    """Return what makes the workers of one command; their fork servers outlive it."""
    servers = ForkServers()
    atexit.register(servers.stop)
    return lambda limits: Workers(limits, servers)
