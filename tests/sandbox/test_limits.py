from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from conformance.sandbox.limits import Limits, available_memory

SMALL = Limits(
    wall_seconds=60, cpu_seconds=1, memory_bytes=1 << 30, file_bytes=4096, tensor_bytes=1 << 20
)

LIMITED = """
import json, sys
from conformance.sandbox.limits import Limits, apply_to_this_process, renew_cpu_limit
limits = Limits.from_json(json.loads(sys.argv[1]))
apply_to_this_process(limits)
renew_cpu_limit(limits)
"""


def run_limited(body: str, limits: Limits = SMALL) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-c", LIMITED + body, json.dumps(limits.to_json())]
    return subprocess.run(arguments, capture_output=True, text=True, check=False)


def test_json_round_trip() -> None:
    assert Limits.from_json(json.loads(json.dumps(SMALL.to_json()))) == SMALL


def test_memory_beyond_the_limit_is_refused() -> None:
    assert "MemoryError" in run_limited("bytearray(2 << 30)").stderr


def test_memory_below_the_limit_is_granted() -> None:
    assert run_limited("bytearray(256 << 20)").returncode == 0


def test_endless_loop_is_ended_by_the_kernel() -> None:
    assert run_limited("while True: pass").returncode == -signal.SIGXCPU


def test_cpu_limit_is_renewed_for_each_case() -> None:
    body = """
import time
for _ in range(3):
    renew_cpu_limit(limits)
    end = time.process_time() + 0.8
    while time.process_time() < end: pass
"""
    assert run_limited(body).returncode == 0


def test_large_file_cannot_be_written(tmp_path) -> None:
    body = f"open({str(tmp_path / 'big')!r}, 'wb').write(bytes(8192))"
    run_limited(body)
    assert (tmp_path / "big").stat().st_size == SMALL.file_bytes


def test_no_core_dump_is_left() -> None:
    body = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    assert run_limited(body).stdout.strip() == "(0, 0)"


def test_limits_cannot_be_raised_again() -> None:
    body = """
import resource
print(resource.getrlimit(resource.RLIMIT_AS)[0] == resource.getrlimit(resource.RLIMIT_AS)[1])
"""
    assert run_limited(body).stdout.strip() == "True"


def test_default_leaves_memory_to_others() -> None:
    limits = Limits.for_machine()
    assert limits.memory_bytes < available_memory()
    assert limits.tensor_bytes < limits.memory_bytes


@pytest.mark.parametrize("seconds", [0.1, 600.0])
def test_cpu_time_is_at_least_a_second(seconds: float) -> None:
    assert Limits.for_machine(wall_seconds=seconds).cpu_seconds == max(1, int(seconds))


def test_explicit_memory_is_taken() -> None:
    assert Limits.for_machine(memory_bytes=1 << 30).memory_bytes == 1 << 30
