"""The program of a fork server: it imports, opens nothing foreign, and forks workers.

Run as ``python -I -m conformance.jobs.fork_server SOCKET FORMAT`` by
:class:`~conformance.sandbox.forking.ForkServer`, with the number of an open socket. It takes two
questions: to fork a worker with three open files as its standard streams, and how a worker ended.
It ends with the socket. A fork inherits one thread only, so what it imports must start none.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Sequence

import conformance.jobs.dispatch  # noqa: F401 - what every worker needs, whatever its stage
from conformance.jobs import worker
from conformance.registry import RUNTIMES
from conformance.sandbox.forking import PACKET_BYTES
from conformance.sandbox.limits import end_with_parent
from conformance.verdicts import Json

STREAMS = 3
POLL_SECONDS = 0.002


def serve(control: socket.socket) -> None:
    """Answer until the other end of the socket is closed; returns in the server and in a fork."""
    while True:
        packet, files, _, _ = socket.recv_fds(control, PACKET_BYTES, STREAMS)
        if not packet:
            return
        message = json.loads(packet)
        if "wait" in message:
            answer: Json = _ended(message["wait"], message["seconds"])
        else:
            answer = os.fork()
            if answer == 0:
                control.close()
                _become_worker(message, files)
                return
            for file in files:
                os.close(file)
        control.send(json.dumps(answer).encode())


def _become_worker(message: Json, files: Sequence[int]) -> None:
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(message["folder"])
    os.environ.clear()
    os.environ.update(message["environment"])
    tempfile.tempdir = None
    worker.main()


def _ended(pid: int, seconds: float | None) -> int | None:
    """Return how a worker has ended, a signal as its negative number; None if it still runs."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while True:
        found, status = os.waitpid(pid, 0 if deadline is None else os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() >= deadline:
            return None
        time.sleep(POLL_SECONDS)


def main() -> None:
    """Serve on the socket that the first argument names, for the format that is the second."""
    end_with_parent()
    # Or nobody could ask how a worker ended, if whoever started the run ignores the signal.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    number, slow = sys.argv[1:]
    if slow:
        # Whatever fails is reported by the job that needs it.
        with contextlib.suppress(Exception):
            RUNTIMES.load(slow)().import_libraries()
    gc.freeze()  # Or the first collection in a fork would copy every page.
    serve(socket.socket(fileno=int(number)))


if __name__ == "__main__":
    main()
