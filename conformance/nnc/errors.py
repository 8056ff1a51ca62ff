"""The errors of the decoder: each says what is wrong, where, what was found and what to do.

Any byte string gives either tensors or one of these; nothing else is raised for what a stream
holds. A wrong call (a missing file, an unknown option) raises what Python raises for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from conformance.text import labelled


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a bitstream.

    ``bit`` counts from the start of the file, most significant bit of each byte first. ``unit``
    is the index of the NNR unit, from 0, and ``unit_name`` its type (``NDU``). ``field`` is the
    syntax element (``tensor_dimensions[1]``), or what is being decoded from a payload
    (``levels of 'conv1.weight'``).
    """

    bit: int | None = None
    unit: int | None = None
    unit_name: str = ""
    field: str = ""

    @property
    def byte(self) -> int | None:
        """The byte that holds the bit."""
        return None if self.bit is None else self.bit // 8

    def __str__(self) -> str:
        parts = []
        if self.bit is not None:
            parts.append(f"byte {self.bit // 8}, bit {self.bit % 8}")
        if self.unit is not None:
            parts.append(f"unit {self.unit} {self.unit_name}".rstrip())
        if self.field:
            parts.append(self.field)
        return ": ".join(parts) or "the whole stream"


class NncError(Exception):
    """A stream cannot be decoded.

    ``message`` says what is wrong, ``position`` where, ``expected`` and ``found`` what should be
    there and what is, ``fix`` what the maker of the stream can do.
    """

    def __init__(
        self,
        message: str,
        *,
        position: Position | None = None,
        expected: str = "",
        found: str = "",
        fix: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.position = position or Position()
        self.expected = expected
        self.found = found
        self.fix = fix

    def __str__(self) -> str:
        rows = [
            ("where", str(self.position)),
            ("expected", self.expected),
            ("found", self.found),
            ("fix", self.fix),
        ]
        return labelled(self.message, rows)


class NncMalformedError(NncError):
    """The stream breaks a rule of the format."""


class NncUnsupportedError(NncError):
    """The stream may be right, but uses what this decoder has no rule for, or needs other data."""


class NncEarlierStreamError(NncUnsupportedError):
    """The stream is an update that cannot be read without what the stream before it gave."""


class NncLimitError(NncMalformedError):
    """The stream asks for more memory or work than its size or a limit allows."""


@contextmanager
def memory_for(what: str, position: Position | None = None) -> Iterator[None]:
    """Turn a shortage of memory into a :class:`NncLimitError` : ``what`` does not fit."""
    try:
        yield
    except MemoryError:
        raise NncLimitError(
            f"{what} do not fit into memory",
            position=position,
            expected="enough memory",
            found="out of memory",
            fix="allow more memory, or lower Limits.decoded_bytes and Limits.elements",
        ) from None
