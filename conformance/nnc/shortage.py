"""What is said where memory runs out: a stream asks for more of it than there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from conformance.nnc.errors import NncLimitError, Position


@contextmanager
def memory_for(what: str, position: Position | None = None) -> Iterator[None]:
    """Turn a shortage of memory into a :class:`NncLimitError` : ``what`` does not fit."""
    try:
        yield
    except MemoryError:
        raise NncLimitError(
            f"{what} do not fit into memory",
            position=position,
            expected="no more than there is memory for",
            found="less memory than that",
            fix="allow more memory, or lower Limits.decoded_bytes and Limits.elements",
        ) from None
