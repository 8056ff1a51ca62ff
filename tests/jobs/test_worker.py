"""The worker answers every request, whatever happens while it works on it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest

from conformance.sandbox.limits import Limits
from conformance.sandbox.process import Worker
from conformance.verdicts import EvaluationError, Location, MalformedError

MEMORY = 1 << 30
LIMITS = replace(Limits.for_machine(), wall_seconds=60.0, cpu_seconds=60, memory_bytes=MEMORY)

PROGRAM = """
import os, resource, sys, time, types
from conformance.jobs import worker
from conformance.verdicts import Location, MalformedError

def malformed():
    where = Location("a.npz", byte_offset=7)
    raise MalformedError("it is broken", where=where, expected="whole", found="half", fix="fix")

def defect():
    return {}["missing"]

def deep():
    return deep()

def exhausted():
    return len(bytearray(1 << 40))

def talkative():
    print("a library prints this")
    os.write(1, b"so does its C code")
    sys.stdout.flush()
    return "said"

def busy():
    block = bytearray(b"x") * (64 << 20)
    return len(block)

def calculating():
    begun = time.process_time()
    while time.process_time() < begun + 3:
        pass

def cpu_seconds():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    return resource.getrlimit(resource.RLIMIT_CPU)[0] - used

def not_json():
    return {1, 2}

class Dispatcher:
    def __init__(self, limits):
        self.limits = limits
    def evaluate(self, request):
        return globals()[request]()

dispatch = types.ModuleType("conformance.jobs.dispatch")
dispatch.Dispatcher = Dispatcher
sys.modules["conformance.jobs.dispatch"] = dispatch
import conformance.jobs
conformance.jobs.dispatch = dispatch
worker.main()
"""
"""The real worker, with a dispatcher whose tasks misbehave."""


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker(LIMITS, ["-c", PROGRAM])
    yield worker
    worker.stop()


def test_error_of_the_material_arrives_whole(worker: Worker) -> None:
    with pytest.raises(MalformedError, match="it is broken") as caught:
        worker.ask("malformed")
    error = caught.value
    assert error.where == Location("a.npz", byte_offset=7)
    assert (error.expected, error.found, error.fix) == ("whole", "half", "fix")


def test_error_of_the_tool_names_its_place(worker: Worker) -> None:
    with pytest.raises(EvaluationError, match="error it does not know") as caught:
        worker.ask("defect")
    assert "KeyError: 'missing'" in caught.value.found
    assert re.search(r"\(in <string>:\d+ defect\)", caught.value.found)
    assert "report this" in caught.value.fix


def test_endless_recursion_is_an_error_of_the_tool(worker: Worker) -> None:
    with pytest.raises(EvaluationError) as caught:
        worker.ask("deep")
    assert "RecursionError" in caught.value.found


def test_exhausted_memory_is_told_with_the_limit(worker: Worker) -> None:
    with pytest.raises(EvaluationError, match="out of memory") as caught:
        worker.ask("exhausted")
    assert "1024 MiB" in caught.value.expected
    assert "--memory-limit" in caught.value.fix


def test_what_libraries_print_does_not_disturb_the_answers(worker: Worker) -> None:
    assert worker.ask("talkative")["measured"] == "said"
    assert worker.ask("talkative")["measured"] == "said"


def test_answers_come_with_their_cost(worker: Worker) -> None:
    cost = worker.ask("busy")["cost"]
    assert 0 < cost["seconds"] < 60
    assert 64 << 20 < cost["peak_bytes"] < MEMORY


def test_peak_is_that_of_one_case(worker: Worker) -> None:
    worker.ask("busy")
    assert worker.ask("talkative")["cost"]["peak_bytes"] < 64 << 20


def test_worker_goes_on_after_an_error_of_the_material(worker: Worker) -> None:
    pid = worker.pid
    assert pid is not None
    with pytest.raises(MalformedError):
        worker.ask("malformed")
    assert worker.ask("talkative")["measured"] == "said"
    assert worker.pid == pid


@pytest.mark.parametrize("task", ["defect", "exhausted"])
def test_error_of_the_evaluation_is_tried_again_by_a_fresh_worker(
    worker: Worker, task: str
) -> None:
    worker.ask("talkative")
    pid = worker.pid
    with pytest.raises(EvaluationError):
        worker.ask(task)
    assert worker.pid != pid
    assert worker.ask("talkative")["measured"] == "said"


def test_cpu_time_is_renewed_for_each_request(worker: Worker) -> None:
    worker.ask("calculating")
    assert worker.ask("cpu_seconds")["measured"] == pytest.approx(60, abs=2)


def test_result_that_is_no_json_is_an_error_of_the_tool(worker: Worker) -> None:
    with pytest.raises(EvaluationError) as caught:
        worker.ask("not_json")
    assert "TypeError" in caught.value.found
