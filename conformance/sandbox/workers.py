"""The workers of one submission: one for each stage and original network, reused from job to job.

A process that has opened a foreign network opens no other: what that may have done to it is of no
consequence to another's verdict. Samples that are networks themselves are opened where their
original was, if one runtime opens both. Workers are forked by servers, which outlive a submission,
so that a large framework is imported once; what has nothing to do is kept while all of it together
is small beside the memory limit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import final

from conformance.registry import RUNTIMES
from conformance.sandbox.forking import ForkServer
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import PROGRAM, Worker

IDLE_SHARE = 4
"""Idle processes may hold this part of the memory limit together: the ones used last stay."""


@final
class ForkServers:
    """One server for all that is quick to import, and one for each family that is not."""

    def __init__(self) -> None:
        self._quick = ForkServer()
        self._slow: dict[str, ForkServer] = {}

    def start(self) -> None:
        """Start the one that every run needs, so that it imports while the caller goes on."""
        self._quick.start()

    def of(self, format: str) -> ForkServer:
        """Return the server whose forks open or run networks in ``format``; any other for ""."""
        if RUNTIMES.kind(format) != "slow":
            return self._quick
        family = RUNTIMES.module(format)
        server = self._slow.pop(family, None) or ForkServer(format)
        self._slow[family] = server
        return server

    def retire(self, room: int, used: Collection[ForkServer | None]) -> None:
        """Stop the slow ones that do not fit into ``room`` bytes, and that nothing is a fork of."""
        for family, server in reversed(list(self._slow.items())):
            taken = server.resident_bytes()
            if taken > room and server not in used:
                server.stop()
                del self._slow[family]
            else:
                room -= taken

    def stop(self) -> None:
        """End all of them, and what they have forked."""
        for server in (self._quick, *self._slow.values()):
            server.stop()
        self._slow.clear()


class Workers:
    """Workers by stage, module of the runtime and network, the one used last at the end.

    Servers that are given are not ended with the workers.
    """

    def __init__(self, limits: Limits, servers: ForkServers | None = None) -> None:
        self.limits = limits
        self._servers = servers or ForkServers()
        self._owned = servers is None
        self._serving: dict[tuple[str, str, str], Worker] = {}

    def prepare(
        self, format: str, network: str, codecs: Iterable[str], metrics: Iterable[str]
    ) -> None:
        """Let the workers of a network import what they will need, while the caller goes on."""
        self.of("decode").prepare(stage="decode", codecs=sorted(codecs))
        self.of("measure").prepare(stage="measure", metrics=sorted(metrics))
        server = self._servers.of(format)
        if server.is_slow:
            server.start()  # It forks nothing before it has imported.
            return
        for stage in ("open", "run"):
            self.of(stage, format, network).prepare(stage=stage, formats=[format])

    def of(self, stage: str, format: str = "", network: str = "") -> Worker:
        """Return the worker of a stage, and end those that there is no room for next to it.

        ``network`` is the id of the original that it opens files of, in ``format``; both are empty
        for a stage that opens none.
        """
        own = stage, RUNTIMES.module(format) or format, network
        worker = self._serving.pop(own, None)
        if worker is None:
            worker = Worker(self.limits, PROGRAM, self._servers.of(format))
        self._retire(worker)
        self._serving[own] = worker
        return worker

    def stop(self) -> None:
        """End all of them."""
        for worker in self._serving.values():
            worker.stop()
        self._serving.clear()
        if self._owned:
            self._servers.stop()

    def _retire(self, wanted: Worker) -> None:
        """Stop the idle processes, those used longest ago, that there is no room for."""
        room = self.limits.memory_bytes // IDLE_SHARE
        for own, worker in reversed(list(self._serving.items())):
            taken = worker.resident_bytes()
            if taken > room:
                worker.stop()
                del self._serving[own]
            else:
                room -= taken
        used = {each.server for each in (wanted, *self._serving.values())}
        self._servers.retire(room, used)
