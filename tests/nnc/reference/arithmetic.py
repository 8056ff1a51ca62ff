"""The arithmetic decoder with its two 9-bit registers, one bit at a time."""

from dataclasses import dataclass

from tests.nnc.reference.tables import INITIALISATION, R_LPS, T


class EndOfPayloadError(Exception):
    """A bit behind the last one is asked for."""


class OffsetError(Exception):
    """The offset register is not below the range."""


@dataclass
class Model:
    """A context model: two probabilities, one fast and one slow, and their rates."""

    index: int = 0

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.a, self.b, self.s01, self.s0 = INITIALISATION[self.index]

    def update(self, bit: int) -> None:
        s = 1 if bit else -1
        s1 = self.s01 - 16 * self.s0
        self.s0 += s * (T[16 + ((s * self.s0) >> 3)] >> self.a)
        s1 += s * (T[16 + ((s * s1) >> 7)] >> self.b)
        self.s01 = s1 + 16 * self.s0


class ArithmeticDecoder:
    """Decodes bins from bytes."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.bits = 0
        self.range = 510
        self.offset = 0
        for _ in range(9):
            self.offset = self.offset << 1 | self.next_bit()
        self.check_offset()

    def next_bit(self) -> int:
        if self.bits >= 8 * len(self.data):
            raise EndOfPayloadError
        bit = self.data[self.bits // 8] >> (7 - self.bits % 8) & 1
        self.bits += 1
        return bit

    def check_offset(self) -> None:
        if self.offset >= self.range:
            raise OffsetError

    def start_block_row(self) -> None:
        self.range = 256
        self.check_offset()

    def bin(self, model: Model) -> int:
        bit = 1 if model.s01 >= 0 else 0
        r_lps = R_LPS[(self.range >> 5) & 7][abs(model.s01 >> 7)]
        r_mps = self.range - r_lps
        if self.offset >= r_mps:
            bit = 1 - bit
            self.offset -= r_mps
            self.range = r_lps
        else:
            self.range = r_mps
        while self.range < 256:
            self.range <<= 1
            self.offset = self.offset << 1 | self.next_bit()
        model.update(bit)
        return bit

    def bypass(self) -> int:
        self.offset = self.offset << 1 | self.next_bit()
        if self.offset >= self.range:
            self.offset -= self.range
            return 1
        return 0

    def bypass_bins(self, count: int) -> int:
        number = 0
        for _ in range(count):
            number = number << 1 | self.bypass()
        return number

    def iae(self, count: int) -> int:
        number = self.bypass_bins(count)
        return number - (1 << count) if number >> (count - 1) else number

    def terminating_bin(self) -> int:
        return int(self.offset >= self.range - 2)
