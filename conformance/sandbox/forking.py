"""Workers without the time of their imports: a clean process that has made them is forked.

A fork server is a fresh interpreter with a clean environment, which imports what every worker needs
and opens nothing that was submitted (:mod:`conformance.jobs.fork_server` is its program). One more
has imported PyTorch, and one TensorFlow, where a network needs them: they take seconds.

The fork server of :mod:`multiprocessing` will not do: it and its children have the environment of
the process that starts it, with every secret in it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Protocol, final

from conformance.sandbox.environment import clean_environment
from conformance.sandbox.tempdirs import make_folder
from conformance.verdicts import EvaluationError, Json

PROGRAM = ("-m", "conformance.jobs.fork_server")
PACKET_BYTES = 1 << 16
"""The longest message: a packet of JSON."""
ANSWER_SECONDS = 300.0
"""Within so many the server has imported and answers, or is started again."""
ERRORS = "stderr"
"""The file in a scratch folder that takes what its process writes to its standard error."""


class Process(Protocol):
    """A worker as its parent has it: a :class:`subprocess.Popen`, or a fork of a server."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None
    pid: int

    def poll(self) -> int | None:
        """Return how it has ended, a signal as its negative number; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return how it ended; subprocess.TimeoutExpired after ``timeout`` seconds."""


@final
class ForkServer:
    """One server: started when it is needed, and again if it has died.

    It has imported what the runtime of ``format`` computes with, if one is given.
    """

    def __init__(self, format: str = "") -> None:
        self._format = format
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._scratch: Path | None = None

    @property
    def is_slow(self) -> bool:
        """Whether it imports what takes seconds before it forks anything."""
        return bool(self._format)

    @property
    def pid(self) -> int | None:
        """The number of its process; None before it was started."""
        return self._process.pid if self._process is not None else None

    def resident_bytes(self) -> int:
        """Return the memory in use by the process; 0 if none runs or the system does not say."""
        return resident_bytes(self._process.pid) if self._process is not None else 0

    def start(self) -> None:
        """Start the process, so that its imports run while the caller does something else."""
        if self._process is None or self._process.poll() is not None:
            self._start()

    def fork(self, scratch: Path) -> Process:
        """Return a new worker, whose home is ``scratch``; EvaluationError if there can be none."""
        for _ in range(2):  # The server may have been killed since it was last asked.
            try:
                return self._forked(scratch)
            except OSError as error:
                reason = self._last_words() or str(error)
                self.stop()
        raise EvaluationError(
            "no worker could be started",
            expected="a process that imports its libraries, and can be forked",
            found=reason,
            fix="repair the library that is named, free memory, or raise the number of processes "
            "that this user may have",
        )

    def stop(self) -> None:
        """End the process; the workers that it has forked end with it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def _start(self) -> socket.socket:
        self.stop()
        self._scratch = make_folder(Path(tempfile.gettempdir()))
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.settimeout(ANSWER_SECONDS)
        with theirs, (self._scratch / ERRORS).open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-I", *PROGRAM, str(theirs.fileno()), self._format],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=clean_environment(self._scratch),
                cwd=self._scratch,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return self._control

    def _last_words(self) -> str:
        """Return how the server ended and the last line it wrote; empty if it runs."""
        if self._process is None or self._scratch is None:
            return ""
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return ""
        return ended_with(code, self._scratch)

    def _forked(self, scratch: Path) -> Process:
        control = self._control or self._start()
        with ExitStack() as theirs, ExitStack() as ours:
            asked, requests = _pipe()
            answers, answered = _pipe()
            errors = (scratch / ERRORS).open("wb")
            for stream in (asked, answered, errors):
                theirs.enter_context(stream)
            for stream in (requests, answers):
                ours.enter_context(stream)
            message = {"folder": str(scratch), "environment": clean_environment(scratch)}
            files = [stream.fileno() for stream in (asked, answered, errors)]
            forked = _Forked(control, _ask(control, message, files), requests, answers)
            ours.pop_all()
        return forked


@final
class _Forked:
    """A fork of a server, which is its parent and therefore asked how it ended."""

    def __init__(
        self, control: socket.socket, pid: int, stdin: IO[bytes], stdout: IO[bytes]
    ) -> None:
        self._control = control
        self._ended: int | None = None
        self.pid = pid
        self.stdin: IO[bytes] | None = stdin
        self.stdout: IO[bytes] | None = stdout

    def poll(self) -> int | None:
        return self._wait(0)

    def wait(self, timeout: float | None = None) -> int:
        ended = self._wait(timeout)
        if ended is None:
            raise subprocess.TimeoutExpired(f"worker {self.pid}", timeout or 0)
        return ended

    def _wait(self, seconds: float | None) -> int | None:
        if self._ended is None:
            try:
                self._ended = _ask(self._control, {"wait": self.pid, "seconds": seconds})
            except OSError:
                self._ended = -signal.SIGKILL  # The server has gone, and its forks with it.
        return self._ended


def resident_bytes(pid: int) -> int:
    """Return the memory in use by a process; 0 if there is none, or the system does not say."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    kib = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")), "0")
    return int(kib) << 10


def ended_with(code: int, scratch: Path) -> str:
    """Return in words how a process ended, and the last line it wrote to its standard error."""
    how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
    try:
        written = (scratch / ERRORS).read_bytes()[-2000:]
    except OSError:
        written = b""
    lines = written.decode(errors="replace").strip().splitlines()
    return f"{how}: {lines[-1][:300]}" if lines else how


def _pipe() -> tuple[IO[bytes], IO[bytes]]:
    """Return the ends of a new pipe: what is read from, and what is written to."""
    read, write = os.pipe()
    return os.fdopen(read, "rb"), os.fdopen(write, "wb")


def _ask(control: socket.socket, message: Json, files: Sequence[int] = ()) -> Json:
    """Return the server's answer, an OSError if it has died; open ``files`` are handed to it."""
    socket.send_fds(control, [json.dumps(message).encode()], files)
    answer = control.recv(PACKET_BYTES)
    if not answer:
        raise ConnectionError("the fork server has ended")
    return json.loads(answer)
