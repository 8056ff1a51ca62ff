"""The parent's side of an isolated worker: start it, ask it, and outlive whatever happens to it.

The worker is a fresh interpreter, or a fork of one that has only imported (never of this process),
with an empty scratch folder, an environment of a few harmless variables, its own session and the
limits of :class:`~conformance.sandbox.limits.Limits`. Requests and answers are single lines of
JSON; arrays travel as safetensors files. One worker serves many cases, so that its imports are paid
once; whatever kills it becomes the verdict of the case it was busy with, and of no other.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from conformance.sandbox.environment import clean_environment
from conformance.sandbox.forking import ERRORS, ForkServer, Process, ended_with, resident_bytes
from conformance.sandbox.limits import Limits
from conformance.sandbox.tempdirs import make_folder, sweep
from conformance.verdicts import (
    CaseTimeoutError,
    ConformanceError,
    EvaluationError,
    Json,
    error_from_json,
)

ANSWER_LIMIT = 256 << 20
"""Bytes of one answer; a worker that says more is not to be trusted."""

PROGRAM = ("-m", "conformance.jobs.worker")
"""What the fresh interpreter is to run."""

QUESTIONS = (*PROGRAM, "questions")
"""The same, for questions of commands about single files."""

ISOLATION = "rlimits"
"""The level reached: limits and a clean environment, but the kernel's full view of the machine."""


class Worker:
    """A worker process, started on the first request and again after it died.

    It is forked by ``server`` if there is one; else a fresh interpreter runs ``program``.
    """

    def __init__(
        self, limits: Limits, program: Sequence[str] = PROGRAM, server: ForkServer | None = None
    ) -> None:
        self.limits = limits
        self.program = program
        self.server = server
        self._process: Process | None = None
        self._scratch: Path | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process; None while none runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the process, so that its imports run while the caller does something else."""
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        temporary = Path(tempfile.gettempdir())
        sweep(temporary)
        self._scratch = make_folder(temporary)
        self._process = self._new(self._scratch)
        with contextlib.suppress(OSError):  # The next request says how a worker ended that has.
            self._send(self.limits.to_json())

    def _new(self, scratch: Path) -> Process:
        if self.server is not None:
            return self.server.fork(scratch)
        with (scratch / ERRORS).open("wb") as errors:
            return subprocess.Popen(
                [sys.executable, "-I", *self.program],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=clean_environment(scratch),
                cwd=scratch,
                start_new_session=True,
            )

    def prepare(self, **needed: Json) -> None:
        """Let the process import what it will need, while the caller does something else.

        ``needed`` are the stage, and names of formats, codecs or metrics. There is no answer: an
        import that fails is reported by the job that needs it, and a worker that has died by the
        next request.
        """
        self.start()
        with contextlib.suppress(OSError):
            self._send({"prepare": needed})

    def ask(self, request: Json) -> Json:
        """Return the worker's result for ``request``.

        Raises the :class:`ConformanceError` the worker answered with, :class:`CaseTimeoutError`
        past the wall-clock or CPU limit, :class:`EvaluationError` if the worker died.

        A worker that has served another case, or was started early, may die or run out of memory
        for what happened to it then: that counts only if a fresh worker comes to it as well.
        """
        used = self._process is not None
        try:
            return self._ask(request)
        except EvaluationError:
            if not used:
                raise
            self.stop()
            return self._ask(request)

    def _ask(self, request: Json) -> Json:
        self.start()
        try:
            deadline = time.monotonic() + self.limits.wall_seconds
            self._send(request)
            answer = json.loads(self._receive(deadline))
        except ConformanceError:
            self.stop()
            raise
        except (OSError, ValueError):
            raise self._death() from None
        if answer["error"] is not None:
            raise error_from_json(answer["error"])
        return answer["result"]

    def resident_bytes(self) -> int:
        """Return the memory in use by the process, beyond what it shares with its server.

        It is 0 if none runs or the system does not say.
        """
        if self._process is None:
            return 0
        shared = self.server.resident_bytes() if self.server is not None else 0
        return max(0, resident_bytes(self._process.pid) - shared)

    def stop(self) -> None:
        """End the process and everything it started, and remove its scratch folder."""
        if self._process is not None:
            _kill_session(self._process)
            for stream in (self._process.stdin, self._process.stdout):
                if stream is not None:
                    _close(stream)
            self._process = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def _send(self, message: Json) -> None:
        if self._process is None or self._process.stdin is None:
            raise OSError("the worker is not running")
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _receive(self, deadline: float) -> bytes:
        """Return one line from the worker; ``b""`` never: an early end raises ``ValueError``."""
        if self._process is None or self._process.stdout is None:
            raise OSError("the worker is not running")
        pipe, line = self._process.stdout, bytearray()
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                left = deadline - time.monotonic()
                # An answer that came too late is none, even if nobody looked before it came.
                if left <= 0 or not selector.select(left):
                    raise _timeout(self.limits.wall_seconds, "wall-clock time")
                chunk = os.read(pipe.fileno(), 1 << 20)
                if not chunk or len(line) > ANSWER_LIMIT:
                    raise ValueError("the worker ended its answer early, or never")
                line += chunk
        return bytes(line)

    def _death(self) -> ConformanceError:
        """Return the error that tells how the worker ended, and clear it away."""
        if self._process is None:
            return EvaluationError("the evaluation worker could not be started")
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=1)
        _kill_session(self._process)
        code = self._process.wait()
        found = ended_with(code, self._scratch) if self._scratch is not None else ""
        self.stop()
        if code == -signal.SIGXCPU:
            return _timeout(self.limits.cpu_seconds, "CPU time")
        return EvaluationError(
            "the worker process died while it evaluated this case",
            expected="an answer",
            found=found,
            fix="check that the file is intact and that the network fits into "
            f"{self.limits.memory_bytes >> 20} MiB of address space, or raise --memory-limit",
        )


def _kill_session(process: Process) -> None:
    """Kill the process and its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        if process.poll() is None:  # A fork that has no session yet.
            os.kill(process.pid, signal.SIGKILL)
    process.wait()


def _close(stream: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        stream.close()


def _timeout(seconds: float, what: str) -> CaseTimeoutError:
    return CaseTimeoutError(
        f"the case went past its {what}",
        expected=f"an answer within {seconds:g} s",
        found=f"none after {seconds:g} s",
        fix="split the vectors into smaller sets, or raise --case-timeout",
    )
