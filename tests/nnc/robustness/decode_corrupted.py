"""Decode corrupted streams in this process, which may come to harm.

    python -m tests.nnc.robustness.decode_corrupted JOBS PROGRESS

``JOBS`` is a file with a list of jobs in JSON: the files of a chain of streams, of which the last
is corrupted, how often, and the options. ``PROGRESS`` always holds what is being decoded, so that
it is known after a crash. Writes a summary in JSON; an exception that is no
:class:`~conformance.nnc.errors.NncError` ends the process.
"""

from __future__ import annotations

import faulthandler
import json
import os
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from conformance.nnc.decoder import decode
from conformance.nnc.errors import NncError
from conformance.nnc.options import Interpretation, Limits, Options
from conformance.nnc.state import DecoderState

from .corruptions import corrupted, extents_of

ROOM = 512 << 20
"""Address space left for decoding, in bytes."""
LARGEST = 48 << 20
"""Limit of the decoded bytes of a stream."""


def options_of(job: dict[str, Any]) -> Options:
    """Return the options of a job."""
    given = job["options"]
    return Options(
        interpretation=Interpretation(dialect=given.get("dialect", "nncodec-2")),
        limits=Limits(decoded_bytes=LARGEST),
        dimensions={name: tuple(sizes) for name, sizes in given.get("dimensions", {}).items()},
        threads=1,
    )


def limit_memory() -> None:
    """Allow :data:`ROOM` bytes of address space beyond what is in use."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    limit = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def work(jobs: list[dict[str, Any]], progress: int) -> dict[str, Any]:
    """Do all jobs; return how they ended, and what took longest (in seconds of the processor)."""
    outcomes: Counter[str] = Counter()
    slowest: tuple[float, str] = (0.0, "")
    for job in jobs:
        *before, last = (Path(file).read_bytes() for file in job["files"])
        options, state = options_of(job), DecoderState()
        for data in before:
            decode(data, options, state)
        extents = extents_of(last, options)
        for seed in range(job["seed"], job["seed"] + job["count"]):
            data = corrupted(last, extents, seed)
            what = f"{job['files'][-1]} corrupted with seed {seed}"
            os.pwrite(progress, what.ljust(400).encode(), 0)
            started = time.process_time()
            outcomes[outcome(data, options, state.draft())] += 1
            slowest = max(slowest, (time.process_time() - started, what))
    return {"outcomes": outcomes, "slowest": slowest}


def outcome(data: bytes, options: Options, state: DecoderState) -> str:
    """Return what became of a stream; errors have to say where and what."""
    try:
        decode(data, options, state)
    except NncError as error:
        if not (error.message and error.fix and error.expected and error.found):
            raise RuntimeError("an error that does not explain itself") from error
        return type(error).__name__
    return "tensors"


def main(jobs: str, progress: str) -> None:
    """Load the kernels, limit the memory, work, and write the summary."""
    faulthandler.enable()
    listed = json.loads(Path(jobs).read_text("utf-8"))
    for job in listed:
        outcome(Path(job["files"][0]).read_bytes(), options_of(job), DecoderState())
    limit_memory()
    with Path(progress).open("wb") as file:
        sys.stdout.write(json.dumps(work(listed, file.fileno())))


if __name__ == "__main__":
    main(*sys.argv[1:])
