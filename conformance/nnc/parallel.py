"""Run independent jobs on a few threads, with the outcome of running them in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock, Thread

Job = Callable[[], None]


def thread_count(asked: int | None) -> int:
    """Return how many threads to use: as many as asked, else one per CPU of this process."""
    return max(1, asked if asked is not None else len(os.sched_getaffinity(0)))


@dataclass(slots=True)
class Queue:
    """Jobs that threads take one after another; after a failure, only those before it."""

    jobs: Sequence[Job]
    left: Iterator[int]
    failures: dict[int, Exception]
    lock: Lock = field(default_factory=Lock)
    stopped: bool = False

    def take(self) -> int | None:
        """Return the index of the next job worth doing, None when there is none."""
        with self.lock:
            first_failure = min(self.failures, default=len(self.jobs))
            wanted = (index for index in self.left if index < first_failure)
            return None if self.stopped else next(wanted, None)

    def work(self) -> None:
        """Do jobs until none is left; keep what they raise."""
        while (index := self.take()) is not None:
            try:
                self.jobs[index]()
            except Exception as error:  # noqa: BLE001 - raised again by run()
                with self.lock:
                    self.failures[index] = error


def run(jobs: Sequence[Job], alone: Sequence[int], together: Sequence[int], threads: int) -> None:
    """Do ``jobs``: those at ``alone`` one after another, then those at ``together`` in parallel.

    At most ``threads`` threads work, the caller's among them; where they cannot be started there
    are fewer. Raises what the first job of ``jobs`` that fails raises, whatever the order was.
    """
    failures: dict[int, Exception] = {}
    Queue(jobs, iter(alone), failures).work()
    queue = Queue(jobs, iter(together), failures)
    helpers = list(started(queue, min(threads, len(together)) - 1))
    try:
        queue.work()
    finally:
        queue.stopped = True
        for helper in helpers:
            helper.join()
    if failures:
        raise failures[min(failures)]


def started(queue: Queue, count: int) -> Iterator[Thread]:
    """Yield up to ``count`` running threads."""
    for _ in range(count):
        thread = Thread(target=queue.work, name="nnc-decoder", daemon=True)
        try:
            thread.start()
        except (RuntimeError, MemoryError):  # no more threads or no memory for their stacks
            return
        yield thread
