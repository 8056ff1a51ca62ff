"""The one view of a file of named arrays, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, final

from conformance.tensorfiles._stored import Stored
from conformance.tensorfiles.dtypes import Array
from conformance.verdicts import Location


@dataclass(frozen=True, slots=True)
class Entry:
    """One array of a file: what its header says, and how to read it."""

    stored: Stored
    read: Callable[[], Array]


@final
class TensorFile(Mapping[str, Array]):
    """The arrays of one file by name, each read when it is asked for and not kept.

    Arrays are C-contiguous, in native byte order, and may be read-only views of the file; those
    already read stay valid after :meth:`close`. ``metadata`` holds the strings stored next to the
    arrays, ``metadata_where`` the place of each.
    """

    def __init__(
        self,
        display: str,
        entries: Mapping[str, Entry],
        *,
        metadata: Mapping[str, str],
        metadata_where: Mapping[str, Location],
        close: Callable[[], None],
    ) -> None:
        self.display = display
        self.metadata = metadata
        self.metadata_where = metadata_where
        self._entries = dict(entries)
        self._close = close

    def __getitem__(self, name: str) -> Array:
        return self._entries[name].read()

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def stored(self, name: str) -> Stored:
        """Return element type, shape and place of an array without reading it."""
        return self._entries[name].stored

    def close(self) -> None:
        """Let go of the file; it holds no arrays afterwards."""
        self._entries.clear()
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
