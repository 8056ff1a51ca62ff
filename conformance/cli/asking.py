"""Ask the worker about files of the caller: no command parses a foreign file in this process.

::

    with answered("digest", {"file": str(path)}, limits) as answer:
        print(answer.text())

The worker is that of a run: a fresh interpreter with limits, a clean environment and an empty
scratch folder. What kills it is an error in words.
"""

from __future__ import annotations

import resource
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.sandbox.limits import Limits
from conformance.sandbox.process import QUESTIONS, Worker
from conformance.sandbox.tempdirs import make_folder
from conformance.verdicts import EvaluationError, Json

FEWEST_BYTES = 768 << 20
"""Address space below which the libraries of a worker do not even load, and may spin instead."""

PRINTED = "printed"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question: facts, and a folder with what is long."""

    facts: Mapping[str, Json]
    folder: Path

    def lines(self) -> Iterator[str]:
        """Yield the lines that the command prints."""
        path = self.folder / PRINTED
        if path.exists():
            with path.open(encoding="utf-8", errors="surrogatepass", newline="\n") as file:
                for line in file:
                    yield line.removesuffix("\n")

    def text(self) -> str:
        """Return what the command prints."""
        return "\n".join(self.lines())

    def move(self, name: str, target: Path) -> None:
        """Put a file of the answer at ``target``; it is complete there or not there."""
        part = target.with_name(f"{target.name}.part")
        try:
            shutil.move(self.folder / name, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def limits_for(memory_mebibytes: int | None = None, seconds: float = 600.0) -> Limits:
    """Return the limits of a command's worker; EvaluationError for less than it needs to start."""
    given = memory_mebibytes << 20 if memory_mebibytes is not None else None
    limits = Limits.for_machine(seconds, given)
    inherited = resource.getrlimit(resource.RLIMIT_AS)[0]
    unlimited = inherited == resource.RLIM_INFINITY
    least = limits.memory_bytes if unlimited else min(limits.memory_bytes, inherited)
    if least < FEWEST_BYTES:
        raise EvaluationError(
            "there is too little memory to read a file in",
            expected=f"at least {FEWEST_BYTES >> 20} MiB of address space",
            found=f"{least >> 20} MiB",
            fix="raise --memory-limit, the limit of the shell (ulimit -v) or of the container",
        )
    return limits


def require_files(files: Sequence[Path]) -> None:
    """Raise the OSError of the first file that cannot be opened, before anything is started."""
    for file in files:
        with file.open("rb"):
            pass


@contextmanager
def answered(question: str, arguments: Json, limits: Limits) -> Iterator[Answer]:
    """Give the worker's answer; its files are gone afterwards.

    Raises the ConformanceError that the worker answers with, CaseTimeoutError past the time limit
    and EvaluationError if the worker died.
    """
    folder = make_folder(Path(tempfile.gettempdir()))
    worker = Worker(limits, QUESTIONS)
    try:
        request = {"question": question, "arguments": arguments, "out": str(folder)}
        yield Answer(worker.ask(request)["measured"], folder)
    finally:
        worker.stop()
        shutil.rmtree(folder, ignore_errors=True)
