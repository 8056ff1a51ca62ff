"""Reading and writing the header codes of ISO/IEC 15938-17, most significant bit first.

::

    writer = BitWriter()
    writer.ue(0, 3)
    reader = BitReader(memoryview(writer.getvalue()))
    assert reader.ue(0) == 3

The methods of both classes have the names of the codes: ``u(n)``, ``i(n)``, ``ue(k)``, ``ie(k)``,
``flt(32)``, ``st(v)``, ``align``; ``hex(n)`` is u(n) as hexadecimal digits, and ``rest`` all that
is left of a unit, also as hexadecimal digits.
"""

from __future__ import annotations

import struct

from conformance.nnc.errors import NncMalformedError, Position

_LONGEST_PREFIX = 32
"""Zeros of an Exp-Golomb code: the format has no limit, but none of its numbers needs more than 32
bits, and a run of zeros in a damaged file must not become a number of millions of bits."""
_WINDOW = 11  # bytes: 7 bits before, 32 + 1 bits of prefix, 15 + 32 bits of suffix
_STRING_CHUNK = 4096


class BitReader:
    """Reads codes from bytes; nothing is read beyond ``end``.

    ``position`` and ``end`` are in bits from the start of the data. A code that goes on past
    ``end``, or is not a code at all, raises :class:`NncMalformedError` with the bit it begins at.
    """

    __slots__ = ("_data", "end", "position")

    def __init__(self, data: memoryview, position: int = 0, end: int | None = None) -> None:
        self._data = data
        self.position = position
        self.end = 8 * len(data) if end is None else end

    def u(self, n: int) -> int:
        """Read ``n`` bits as an unsigned integer."""
        position = self.position + n
        if position > self.end:
            raise self._past_end(f"{n} bits")
        stop = (position + 7) >> 3
        word = int.from_bytes(self._data[self.position >> 3 : stop])
        self.position = position
        return (word >> (8 * stop - position)) & ((1 << n) - 1)

    def i(self, n: int) -> int:
        """Read ``n`` bits as an integer in two's complement."""
        value = self.u(n)
        return value - (1 << n) if value >> (n - 1) else value

    def ue(self, k: int) -> int:
        """Read an Exp-Golomb code of order ``k``, with at most 32 zeros before its first 1."""
        first = self.position >> 3
        window = self._data[first : min(first + _WINDOW, self.end >> 3)]
        left = 8 * len(window) - (self.position & 7)
        word = int.from_bytes(window) & ((1 << max(left, 0)) - 1)
        zeros = left - word.bit_length()
        suffix = k + zeros  # each zero of the prefix adds 2^k to the value and 1 to k
        rest = left - zeros - 1 - suffix
        if rest < 0 or zeros > _LONGEST_PREFIX:
            raise self._broken_prefix(zeros)
        self.position += zeros + 1 + suffix
        return ((1 << suffix) - (1 << k)) + ((word >> rest) & ((1 << suffix) - 1))

    def ie(self, k: int) -> int:
        """Read an Exp-Golomb code of order ``k`` as a signed integer: 0, 1, -1, 2, -2, ..."""
        value = self.ue(k)
        return (value + 1) >> 1 if value & 1 else -(value >> 1)

    def flt(self, n: int) -> float:
        """Read an IEEE number of ``n`` = 32 bits, little-endian."""
        value: float = struct.unpack("<f", self.u(n).to_bytes(4))[0]
        return value

    def st(self) -> str:
        """Read a string of UTF-8 ended by a zero byte, from a byte boundary."""
        start = self.position >> 3
        stop = self._find_zero(start)
        try:
            text = str(self._data[start:stop], "utf-8")
        except UnicodeDecodeError as error:
            raise NncMalformedError(
                "A string is not valid UTF-8",
                position=Position(bit=8 * (start + error.start)),
                expected="a string in UTF-8, ended by a zero byte",
                found=f"the byte 0x{error.object[error.start]:02x}",
                fix="write strings in UTF-8",
            ) from error
        self.position = 8 * (stop + 1)
        return text

    def align(self) -> int:
        """Read one bit and all up to the next byte boundary: 1 to 8 bits."""
        return self.u(8 - (self.position & 7))

    def hex(self, n: int) -> str:
        """Read ``n`` bits, a multiple of 8, as hexadecimal digits."""
        return f"{self.u(n):0{n // 4}x}"

    def rest(self) -> str:
        """Read all bytes that are left, as hexadecimal digits."""
        start = self.position >> 3
        self.position = self.end
        return self._data[start : self.end >> 3].hex()

    def _find_zero(self, start: int) -> int:
        stop = self.end >> 3
        for begin in range(start, stop, _STRING_CHUNK):
            chunk = bytes(self._data[begin : min(begin + _STRING_CHUNK, stop)])
            found = chunk.find(0)
            if found >= 0:
                return begin + found
        raise NncMalformedError(
            "A string does not end",
            position=Position(bit=self.position),
            expected="a zero byte after the string",
            found=f"{stop - start} bytes to the end of the unit, none of them zero",
            fix="end the string with a zero byte, or correct nnr_unit_size",
        )

    def _broken_prefix(self, zeros: int) -> NncMalformedError:
        if zeros <= _LONGEST_PREFIX:
            return self._past_end("an Exp-Golomb code")
        return NncMalformedError(
            "An Exp-Golomb code is too long",
            position=Position(bit=self.position),
            expected=f"at most {_LONGEST_PREFIX} zeros before the first 1",
            found=f"more than {_LONGEST_PREFIX} zeros",
            fix="check that what comes before is coded as the format says",
        )

    def _past_end(self, what: str) -> NncMalformedError:
        return NncMalformedError(
            "The unit ends inside a syntax element",
            position=Position(bit=self.position),
            expected=what,
            found=f"{max(self.end - self.position, 0)} bits to the end of the unit",
            fix="write the whole unit, or correct nnr_unit_size",
        )


class BitWriter:
    """Writes codes; a value that its code cannot hold raises ValueError."""

    __slots__ = ("_bits", "_bytes", "_word")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._word = 0
        self._bits = 0

    @property
    def position(self) -> int:
        """The number of bits written."""
        return 8 * len(self._bytes) + self._bits

    def u(self, n: int, value: int) -> None:
        """Write an unsigned integer in ``n`` bits."""
        if not 0 <= value < 1 << n:
            raise ValueError(f"{value} is not an unsigned integer of {n} bits")
        word = (self._word << n) | value
        bits = (self._bits + n) & 7
        self._bytes += (word >> bits).to_bytes((self._bits + n) >> 3)
        self._word = word & ((1 << bits) - 1)
        self._bits = bits

    def i(self, n: int, value: int) -> None:
        """Write an integer in two's complement in ``n`` bits."""
        if not -(1 << n) <= 2 * value < 1 << n:
            raise ValueError(f"{value} is not a signed integer of {n} bits")
        self.u(n, value & ((1 << n) - 1))

    def ue(self, k: int, value: int) -> None:
        """Write an Exp-Golomb code of order ``k``."""
        suffix = ((value >> k) + 1).bit_length() - 1 + k
        if value < 0 or suffix - k > _LONGEST_PREFIX:
            raise ValueError(f"{value} has no Exp-Golomb code of order {k}")
        self.u(suffix - k + 1, 1)
        self.u(suffix, value - (1 << suffix) + (1 << k))

    def ie(self, k: int, value: int) -> None:
        """Write a signed integer as an Exp-Golomb code of order ``k``."""
        self.ue(k, 2 * value - 1 if value > 0 else -2 * value)

    def flt(self, n: int, value: float) -> None:
        """Write an IEEE number of ``n`` = 32 bits, little-endian."""
        try:
            self.u(n, int.from_bytes(struct.pack("<f", value)))
        except OverflowError as error:
            raise ValueError(f"{value} is not a number of {n} bits") from error

    def st(self, text: str) -> None:
        """Write a string in UTF-8 and a zero byte."""
        if "\0" in text:
            raise ValueError(f"the string {text!r} contains a zero byte")
        self.raw(text.encode() + b"\0")

    def align(self, value: int | None = None) -> int:
        """Write a 1 and zeros, or ``value``, up to the next byte boundary; return its 1-8 bits."""
        n = 8 - self._bits
        value = 1 << (n - 1) if value is None else value
        self.u(n, value)
        return value

    def hex(self, n: int, digits: str) -> None:
        """Write hexadecimal digits in ``n`` bits, a multiple of 8; no digits are all zeros."""
        self.u(n, int(digits or "0", 16))

    def rest(self, digits: str) -> None:
        """Write bytes given as hexadecimal digits."""
        self.raw(bytes.fromhex(digits))

    def raw(self, data: bytes) -> None:
        """Write whole bytes; they need not begin at a byte boundary."""
        self.u(8 * len(data), int.from_bytes(data))

    def getvalue(self) -> bytes:
        """Return the bytes written; bits of an unfinished byte are left out."""
        return bytes(self._bytes)
