"""Workers are forked from a process that has imported and has opened nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from conformance.registry import RUNTIMES
from conformance.sandbox import forking
from conformance.sandbox.forking import ForkServer, Process
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import Worker
from conformance.verdicts import CaseTimeoutError, EvaluationError

LIMITS = replace(Limits.for_machine(), wall_seconds=60.0, cpu_seconds=60)
SLOW = [name for name in RUNTIMES.names() if RUNTIMES.kind(name) == "slow"]


@pytest.fixture(scope="module")
def shared() -> Iterator[ForkServer]:
    server = ForkServer()
    yield server
    server.stop()


@pytest.fixture
def forked(shared: ForkServer, tmp_path: Path) -> Iterator[Process]:
    """A worker that waits for its limits."""
    process = shared.fork(tmp_path)
    yield process
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def told(process: Process, line: Any) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(line).encode() + b"\n")
    process.stdin.flush()


def files_of(process: Process) -> Iterator[Path]:
    return Path(f"/proc/{process.pid}/fd").iterdir()


def test_a_fork_ends_with_its_input(forked: Process) -> None:
    told(forked, LIMITS.to_json())
    assert forked.poll() is None
    assert forked.stdin is not None
    forked.stdin.close()
    assert forked.wait() == 0
    assert forked.wait() == 0
    assert forked.poll() == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_how_a_fork_has_ended_is_known(forked: Process, number: signal.Signals) -> None:
    os.kill(forked.pid, number)
    assert forked.wait() == -number


def test_a_fork_that_runs_on_is_waited_for_so_long_and_no_longer(forked: Process) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        forked.wait(0.01)


def test_what_a_fork_says_of_its_end_is_kept(forked: Process, tmp_path: Path) -> None:
    told(forked, "no limits")
    assert forked.wait() == 1
    assert "TypeError" in (tmp_path / forking.ERRORS).read_text(encoding="utf-8")


def test_a_fork_has_a_session_a_folder_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    server = ForkServer()
    try:
        process = server.fork(tmp_path)
        told(process, LIMITS.to_json())
        seen = psutil.Process(process.pid)
        deadline = time.monotonic() + 600
        while os.getsid(process.pid) != process.pid and time.monotonic() < deadline:
            time.sleep(0.001)
        while seen.cwd() != str(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.001)
        assert os.getsid(process.pid) == process.pid
        assert seen.cwd() == str(tmp_path)
        assert "secret" not in Path(f"/proc/{process.pid}/environ").read_text(encoding="utf-8")
        opened = {int(each.name): str(each.readlink()) for each in files_of(process)}
        assert opened[0].startswith("pipe:")
        assert opened[2] == str(tmp_path / forking.ERRORS)
        assert [path for path in opened.values() if path.startswith("socket:")] == []
    finally:
        server.stop()


def test_forks_end_with_their_server(tmp_path: Path) -> None:
    server = ForkServer()
    process = server.fork(tmp_path)
    seen = psutil.Process(process.pid)
    server.stop()
    assert process.poll() == -signal.SIGKILL
    assert process.stdin is not None
    process.stdin.close()
    seen.wait(600)


def test_a_server_that_was_killed_is_started_again(tmp_path: Path) -> None:
    server = ForkServer()
    try:
        server.fork(tmp_path)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        process = server.fork(tmp_path)
        assert process.poll() is None
    finally:
        server.stop()


def test_a_server_that_does_not_answer_is_started_again(tmp_path: Path) -> None:
    server = ForkServer()
    try:
        server.fork(tmp_path)
        assert server.pid is not None
        assert server._control is not None
        stopped = server.pid
        os.kill(stopped, signal.SIGSTOP)
        server._control.settimeout(0.01)
        assert server.fork(tmp_path).poll() is None
        assert server.pid != stopped
        assert not psutil.pid_exists(stopped)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("program", "found"),
    [
        ("raise ImportError('libfoo.so is missing')", "exit status 1: ImportError: libfoo.so is"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "SIGILL"),
    ],
    ids=["raises", "killed"],
)
def test_no_server_is_an_error_that_says_why(
    program: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "PROGRAM", ["-c", program])
    server = ForkServer()
    with pytest.raises(EvaluationError, match="no worker could be started") as caught:
        server.fork(tmp_path)
    assert caught.value.found.startswith(found)
    assert server.pid is None


def test_how_a_fork_has_ended_is_known_though_the_caller_ignores_children(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = ForkServer()
    try:
        process = server.fork(tmp_path)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait() == -signal.SIGTERM
    finally:
        server.stop()
        signal.signal(signal.SIGCHLD, before)


def test_a_worker_asks_its_fork_and_outlives_its_death(shared: ForkServer) -> None:
    worker = Worker(LIMITS, server=shared)
    request = {"request": {"kind": "nothing like it"}}
    try:
        for _ in range(2):
            with pytest.raises(EvaluationError) as caught:
                worker.ask(request)
            assert "an error it does not know" in caught.value.message
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
    finally:
        worker.stop()


def test_a_fork_that_hangs_is_killed(shared: ForkServer) -> None:
    worker = Worker(replace(LIMITS, wall_seconds=0.01), server=shared)
    worker.start()
    pid = worker.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(CaseTimeoutError):
        worker.ask({})
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize("format", SLOW)
def test_a_server_of_a_slow_format_has_imported_it_and_has_one_thread(
    format: str, tmp_path: Path
) -> None:
    server = ForkServer(format)
    try:
        process = server.fork(tmp_path)
        assert server.pid is not None
        maps = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
        assert any(f"/{name}/" in maps for name in ("torch", "tensorflow"))
        assert psutil.Process(server.pid).num_threads() == 1
    finally:
        server.stop()
