"""The parent outlives every misbehaviour of a worker, and says what happened."""

from __future__ import annotations

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

from conformance.sandbox import process
from conformance.sandbox.limits import Limits
from conformance.sandbox.process import Worker
from conformance.verdicts import CaseTimeoutError, EvaluationError

LIMITS = replace(Limits.for_machine(), wall_seconds=20.0, cpu_seconds=20)

PREAMBLE = """
import json, os, signal, sys, time
limits = json.loads(sys.stdin.readline())
def answer(result):
    print(json.dumps({"result": result, "error": None}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
"""


@pytest.fixture
def worker_running() -> Iterator[object]:
    workers: list[Worker] = []

    def start(body: str, limits: Limits = LIMITS) -> Worker:
        indented = "\n".join(f"    {row}" for row in body.splitlines())
        worker = Worker(limits, ["-c", PREAMBLE + indented])
        workers.append(worker)
        return worker

    yield start
    for worker in workers:
        worker.stop()


def test_answers_come_back(worker_running) -> None:
    worker = worker_running("answer(request + 1)")
    assert [worker.ask(1), worker.ask(41)] == [2, 42]


def test_worker_serves_many_cases_with_one_process(worker_running) -> None:
    worker = worker_running("answer(os.getpid())")
    assert worker.ask(None) == worker.ask(None)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("sys.exit(3)", "exit status 3"),
        ("os._exit(0)", "exit status 0"),
        ("print('not json', flush=True); time.sleep(60)", "SIGKILL"),
        ("print('{', end='', flush=True); sys.exit(1)", "exit status 1"),
        ("raise RuntimeError('the engine exploded')", "the engine exploded"),
    ],
    ids=["killed", "segfault", "exits", "exits-0", "garbage", "half-answer", "raises"],
)
def test_death_is_an_error_that_says_how(worker_running, body: str, found: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        worker_running(body).ask(None)
    assert found in caught.value.found
    assert "--memory-limit" in caught.value.fix


def test_a_worker_that_ends_before_it_is_asked_is_an_error(
    worker_running, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ended(subprocess.Popen):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(["/bin/sh", "-c", "exit 5"], **options)
            self.wait()

    worker = worker_running("answer(request)")
    monkeypatch.setattr(subprocess, "Popen", Ended)
    with pytest.raises(EvaluationError) as caught:
        worker.ask(None)
    assert caught.value.found == "exit status 5"


def test_dead_worker_is_replaced(worker_running) -> None:
    worker = worker_running("sys.exit(1) if request == 'die' else answer('alive')")
    with pytest.raises(EvaluationError):
        worker.ask("die")
    assert worker.ask("live") == "alive"


def test_worker_that_died_idle_is_no_verdict_of_the_next_case(worker_running) -> None:
    worker = worker_running("answer(os.getpid())")
    os.kill(worker.ask(None), signal.SIGKILL)
    assert is_alive(worker.ask(None))


def test_damage_by_an_earlier_case_is_no_verdict_of_the_next(worker_running) -> None:
    worker = worker_running(
        "answer(open('damaged', 'w').close()) if request == 'damage' else "
        "sys.exit(1) if os.path.exists('damaged') else answer('sound')"
    )
    worker.ask("damage")
    assert worker.ask("measure") == "sound"


def test_case_that_kills_a_worker_in_use_kills_a_fresh_one_too(worker_running) -> None:
    worker = worker_running("sys.exit(7) if request == 'die' else answer('alive')")
    worker.ask("live")
    with pytest.raises(EvaluationError) as caught:
        worker.ask("die")
    assert caught.value.found == "exit status 7"


def test_hanging_worker_times_out_and_is_killed(worker_running) -> None:
    before = set(psutil.Process().children(recursive=True))
    limits = replace(LIMITS, wall_seconds=0.5)
    worker = worker_running("time.sleep(60)", limits)
    with pytest.raises(CaseTimeoutError) as caught:
        worker.ask(None)
    assert "0.5 s" in caught.value.expected
    assert "--case-timeout" in caught.value.fix
    assert not set(psutil.Process().children(recursive=True)) - before


def test_cpu_time_is_a_limit_as_well(worker_running) -> None:
    worker = worker_running("os.kill(os.getpid(), signal.SIGXCPU)")
    with pytest.raises(CaseTimeoutError) as caught:
        worker.ask(None)
    assert caught.value.message == "the case went past its CPU time"
    assert caught.value.expected == "an answer within 20 s"


def test_answer_without_end_is_cut_off(worker_running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "ANSWER_LIMIT", 1 << 20)
    with pytest.raises(EvaluationError):
        worker_running("while True: os.write(1, b'x' * 65536)").ask(None)


def test_worker_inherits_no_secret(worker_running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    environment = worker_running("answer(dict(os.environ))").ask(None)
    assert "GITHUB_TOKEN" not in environment
    assert "secret" not in environment.values()
    assert environment["OMP_NUM_THREADS"] == "1"


def test_worker_has_an_empty_scratch_folder_of_its_own(worker_running) -> None:
    body = "answer([os.getcwd(), os.environ['TMPDIR'], sorted(os.listdir('.'))])"
    worker = worker_running(body)
    folder, temporary, files = worker.ask(None)
    assert folder == temporary
    assert files == ["stderr"]
    worker.stop()
    assert not Path(folder).exists()


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_stopping_ends_the_processes_a_worker_started(worker_running) -> None:
    body = "import subprocess; answer(subprocess.Popen(['sleep', '3600']).pid)"
    worker = worker_running(body)
    child = worker.ask(None)
    worker.stop()
    deadline = time.monotonic() + 600
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(child)


def test_stopping_twice_is_harmless() -> None:
    worker = Worker(LIMITS)
    worker.stop()
    worker.start()
    worker.stop()
    worker.stop()


def test_real_worker_runs_in_another_session() -> None:
    before = set(psutil.Process().children())
    worker = Worker(LIMITS)
    worker.start()
    (child,) = [
        each
        for each in set(psutil.Process().children()) - before
        if "conformance.jobs.worker" in each.cmdline()
    ]
    assert os.getsid(child.pid) != os.getsid(0)
    worker.stop()
