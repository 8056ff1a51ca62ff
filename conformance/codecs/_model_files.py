"""The files of a sample that is itself a network: that they are there, and not too large."""

from __future__ import annotations

from pathlib import Path

from conformance.codecs._protocol import Source
from conformance.verdicts import LimitError, Location, MalformedError


def model_file(source: Source, expected: str) -> tuple[Path, str]:
    """Return the first file of the sample and its name; ``expected`` says in words what it is.

    Raises MalformedError if there is none, or any file is missing, LimitError if all together are
    beyond the limit.
    """
    if not source.files:
        raise MalformedError(
            "the sample has no files",
            where=Location(file="submission.json", element="files"),
            expected=expected,
            found="no files",
            fix="List the files of the sample.",
        )
    for path, display in zip(source.files, source.display, strict=True):
        if not path.is_file():
            raise MalformedError(
                "a file of the sample is not there",
                where=Location(file=display),
                expected="a readable file",
                found="none",
                fix="Put the file in its place, or correct its path.",
            )
    size = sum(path.stat().st_size for path in source.files)
    if size > source.limit_bytes:
        raise LimitError(
            "the model takes more memory than is allowed",
            where=Location(file=source.display[0]),
            expected=f"at most {source.limit_bytes} bytes",
            found=f"{size} bytes",
            fix="Raise the memory limit of the run.",
        )
    return source.files[0], source.display[0]
