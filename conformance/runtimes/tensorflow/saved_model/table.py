"""The sorted table that ``variables.index`` is: keys and values in blocks, each with a checksum.

The format is that of LevelDB (https://github.com/google/leveldb, doc/table_format.md). TensorFlow
writes its checkpoints without compression, and no other table is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from conformance.runtimes.tensorflow.faults import damaged
from conformance.runtimes.tensorflow.saved_model.crc32c import masked_crc32c
from conformance.runtimes.wire import Span
from conformance.verdicts import LimitError, Location

MOST_BYTES = 64 << 20
"""The longest table that is read: room for some hundred thousand variables."""

_MAGIC = 0xDB4775248B80FB57
_FOOTER, _TRAILER, _WORD = 48, 5, 4
_MOST_KEY = 4096
_VARINT_BYTES = 10


def read_table(data: bytes, file: str) -> dict[bytes, bytes]:
    """Return the values by key; MalformedError or LimitError names ``file`` and a byte."""
    return dict(_Table(data, file).items())


@dataclass(frozen=True, slots=True)
class _Table:
    data: bytes
    file: str

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values, in the order of the keys."""
        self._check_size()
        last: bytes | None = None
        position = 0
        for _, handle in self._entries(self._block(self._index_handle())):
            span = self._handle(handle, Span(0, len(handle)), 0)[0]
            if span.begin < position:
                self._refuse(span.begin, "blocks overlap", f"a block from byte {position}", "")
            position = span.end + _TRAILER
            for key, value in self._entries(self._block(span)):
                if last is not None and key <= last:
                    self._refuse(span.begin, "keys are not in order", "each once", repr(key[:80]))
                last = key
                yield key, value

    def _check_size(self) -> None:
        if len(self.data) > MOST_BYTES:
            raise LimitError(
                "the index of the variables is too long",
                where=Location(self.file),
                expected=f"at most {MOST_BYTES} bytes",
                found=f"{len(self.data)} bytes",
                fix="Store the network in fewer variables.",
            )
        magic = int.from_bytes(self.data[-8:], "little")
        if len(self.data) < _FOOTER or magic != _MAGIC:
            self._refuse(
                max(0, len(self.data) - 8),
                "not an index of variables (bad magic in its footer)",
                f"the number {_MAGIC:#018x}",
                f"{magic:#018x}",
            )

    def _index_handle(self) -> Span:
        """Return the block that lists the blocks; a list of other things comes before it."""
        footer = Span(len(self.data) - _FOOTER, len(self.data) - 8)
        _, position = self._handle(self.data, footer, footer.begin)
        return self._handle(self.data, Span(position, footer.end), footer.begin)[0]

    def _handle(self, data: bytes, within: Span, offset: int) -> tuple[Span, int]:
        """Return the block that two numbers in ``data`` give, and the position after them."""
        begin, position = self._varint(data, within, offset)
        size, position = self._varint(data, Span(position, within.end), offset)
        if begin + size + _TRAILER > len(self.data) - _FOOTER:
            self._refuse(
                offset, "a block does not fit into the file", "", f"{size} bytes at {begin}"
            )
        return Span(begin, begin + size), position

    def _block(self, span: Span) -> Span:
        """Return where the entries of a block lie, once its checksum is found right."""
        kind = self.data[span.end]
        stored = int.from_bytes(self.data[span.end + 1 : span.end + _TRAILER], "little")
        found = masked_crc32c(np.frombuffer(self.data, np.uint8, span.size + 1, span.begin))
        if stored != found:
            self._refuse(
                span.begin, "a block is damaged", f"checksum {stored:08x}", f"checksum {found:08x}"
            )
        restarts = int.from_bytes(self.data[span.end - _WORD : span.end], "little")
        end = span.end - _WORD * (1 + restarts)
        if kind != 0 or span.size < _WORD or end < span.begin:
            self._refuse(
                span.begin,
                "a block is not as TensorFlow writes it",
                "entries without compression",
                f"compression {kind}, {restarts} restarts in {span.size} bytes",
            )
        return Span(span.begin, end)

    def _entries(self, span: Span) -> Iterator[tuple[bytes, bytes]]:
        """Yield the entries of a block; a key leaves out what it shares with the one before."""
        key, position = b"", span.begin
        while position < span.end:
            numbers, start = [], position
            for _ in range(3):
                number, position = self._varint(self.data, Span(position, span.end), start)
                numbers.append(number)
            shared, fresh, size = numbers
            middle, stop = position + fresh, position + fresh + size
            if shared > len(key) or stop > span.end or shared + fresh > _MOST_KEY:
                self._refuse(
                    start,
                    "an entry does not fit into its block",
                    f"a key of at most {_MOST_KEY} bytes, and at most {span.end - position} bytes",
                    f"{shared} + {fresh} bytes of key, {size} of value",
                )
            key = key[:shared] + self.data[position:middle]
            yield key, self.data[middle:stop]
            position = stop

    def _varint(self, data: bytes, span: Span, offset: int) -> tuple[int, int]:
        """Return the number at the start of ``span``, and the position after it."""
        number = 0
        for place, byte in enumerate(data[span.begin : min(span.end, span.begin + _VARINT_BYTES)]):
            number |= (byte & 0x7F) << (7 * place)
            if not byte & 0x80:
                return number, span.begin + place + 1
        return self._refuse(offset, "a number does not end", f"{_VARINT_BYTES} bytes", "more")

    def _refuse(self, offset: int, message: str, expected: str, found: str) -> NoReturn:
        raise damaged(
            self.file,
            f"the index of the variables is damaged: {message}",
            byte_offset=offset,
            element="index",
            expected=expected or "a table as TensorFlow writes it",
            found=found or "another one",
        )
