"""Workers are reused by one stage of one family, and do not stay when they are large."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import psutil
import pytest

from conformance.sandbox import workers as module
from conformance.sandbox.forking import ForkServer
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import Worker
from conformance.sandbox.workers import ForkServers, Workers

LIMITS = replace(Limits.for_machine(), memory_bytes=800)


class Recording(Worker):
    """A worker without a process that keeps its requests."""

    def __init__(self, limits: Limits, program: Any, server: ForkServer) -> None:
        super().__init__(limits)
        self.server = server
        self.told: list[Any] = []
        self.stopped = 0
        self.resident = 0

    def prepare(self, **names: Any) -> None:
        self.told.append(names)

    def ask(self, request: Any) -> Any:
        self.told.append(request)
        return self

    def resident_bytes(self) -> int:
        return self.resident

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Workers:
    monkeypatch.setattr(module, "Worker", Recording)
    families = {"a1": "a", "a2": "a", "b": "b", "c": "c", "d": "d", "nobody-has-it": "", "": ""}
    monkeypatch.setattr(module.RUNTIMES, "module", families.__getitem__)
    monkeypatch.setattr(module.RUNTIMES, "kind", lambda name: "slow" if name in {"c", "d"} else "")
    return Workers(LIMITS)


def ask(workers: Workers, format: str, stage: str = "run", network: str = "net") -> Any:
    return workers.of(stage, format, network).ask({"format": format})


def test_no_process_serves_two_networks(workers: Workers) -> None:
    first = ask(workers, "a1")
    assert ask(workers, "a1", network="other") is not first
    assert ask(workers, "a1") is first


def test_formats_of_one_family_share_a_worker(workers: Workers) -> None:
    assert ask(workers, "a1") is ask(workers, "a2") is ask(workers, "a1")
    assert [request["format"] for request in ask(workers, "a1").told] == ["a1", "a2", "a1", "a1"]


def test_families_do_not_share_a_worker(workers: Workers) -> None:
    first = ask(workers, "a1")
    assert ask(workers, "b") is not first
    assert ask(workers, "nobody-has-it") is not first
    assert ask(workers, "a2") is first


def test_families_that_are_slow_to_import_have_a_server_each(workers: Workers) -> None:
    servers = [ask(workers, name).server for name in ("a1", "b", "c", "d")]
    assert servers[0] is servers[1]
    assert len(set(map(id, servers))) == 3
    assert ask(workers, "c", "open").server is servers[2]
    assert ask(workers, "", "decode").server is servers[0]


def test_servers_outlive_the_workers_of_one_submission(workers: Workers) -> None:
    shared = ForkServers()
    shared.start()
    pid = shared.of("a1").pid
    assert pid is not None
    first, second = Workers(LIMITS, shared), Workers(LIMITS, shared)
    assert ask(first, "c").server is ask(second, "c").server
    first.stop()
    assert psutil.pid_exists(pid)
    shared.stop()
    assert not psutil.pid_exists(pid)


def test_no_process_serves_two_stages(workers: Workers) -> None:
    stages = ("open", "run", "decode", "measure")
    serving = [ask(workers, "a1", stage) for stage in stages]
    assert len({id(worker) for worker in serving}) == 4
    assert [ask(workers, "a2", stage) for stage in stages] == serving


def test_workers_are_prepared_for_one_format(workers: Workers) -> None:
    workers.prepare("b", "net", {"nnc"}, {"top1"})
    assert ask(workers, "b").told[0] == {"stage": "run", "formats": ["b"]}
    assert ask(workers, "b", "open").told[0] == {"stage": "open", "formats": ["b"]}
    assert ask(workers, "", "decode", "").told[0] == {"stage": "decode", "codecs": ["nnc"]}
    assert ask(workers, "", "measure", "").told[0] == {"stage": "measure", "metrics": ["top1"]}


def test_small_workers_all_stay(workers: Workers) -> None:
    alive = [ask(workers, name) for name in ("a1", "b", "c", "d")]
    assert [ask(workers, name) for name in ("a1", "b", "c", "d")] == alive


def test_the_one_used_longest_ago_gives_way(workers: Workers) -> None:
    alive = [ask(workers, name) for name in ("a1", "b", "c")]
    for worker in alive:
        worker.resident = 90
    assert ask(workers, "a1") is alive[0]
    ask(workers, "d")
    assert [worker.stopped for worker in alive] == [0, 1, 0]
    assert ask(workers, "a1") is alive[0]
    assert ask(workers, "b") is not alive[1]


def test_large_worker_does_not_stay_beside_another(workers: Workers) -> None:
    large = ask(workers, "a1")
    large.resident = 201
    assert ask(workers, "a2") is large
    ask(workers, "b")
    assert large.stopped == 1
    assert ask(workers, "a1") is not large


def test_a_server_stays_while_there_are_forks_of_it(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[ForkServer] = []

    def stop(server: ForkServer) -> None:
        stopped.append(server)

    monkeypatch.setattr(ForkServer, "resident_bytes", lambda _: 10_000)
    monkeypatch.setattr(ForkServer, "stop", stop)
    first = ask(workers, "c")
    ask(workers, "d")
    assert ask(workers, "c") is first
    assert stopped == []
    first.resident = 201
    ask(workers, "d")
    assert stopped == [first.server]
    assert ask(workers, "c").server is not first.server


def test_stop_ends_all(workers: Workers) -> None:
    used = [ask(workers, name) for name in ("a1", "b")]
    workers.stop()
    assert [worker.stopped for worker in used] == [1, 1]
    assert ask(workers, "a1") is not used[0]


def test_memory_of_a_running_process_is_known() -> None:
    worker = Worker(Limits.for_machine())
    assert worker.resident_bytes() == 0
    worker.start()
    try:
        deadline = time.monotonic() + 600
        while worker.resident_bytes() <= 1 << 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert worker.resident_bytes() > 1 << 20
    finally:
        worker.stop()
    assert worker.resident_bytes() == 0
