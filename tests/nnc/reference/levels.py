"""The levels of a tensor: flags, initialisation of the contexts, scan, binarisation."""

from collections import Counter

from conformance.nnc.cabac.coding import EntryPoint, LevelCoding
from tests.nnc.reference.arithmetic import ArithmeticDecoder, Model
from tests.nnc.reference.tables import NEXT


def to_int32(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31


def sign_of(number: int) -> int:
    return (number > 0) - (number < 0)


class LevelDecoder:
    """Decodes the levels of one tensor; ``levels`` is the result in C order."""

    def __init__(self, engine: ArithmeticDecoder, coding: LevelCoding) -> None:
        self.engine = engine
        self.coding = coding
        self.n = coding.unary_length
        self.models = [Model() for _ in range(53 + 4 * self.n + 37)]
        self.levels = [0] * (coding.height * coding.width)
        self.bits: Counter[str] = Counter()
        self.hdsp = self.row_skip = 0
        self.skipped: list[int] = []
        self.initialisation: list[tuple[int, int]] = []
        self.block_rows: list[tuple[int, int, int]] = []
        self.state = 0
        self.prev = 0

    # Bins, counted by what they are for.

    def bin(self, model: int, group: str) -> int:
        start = self.engine.bits
        bit = self.engine.bin(self.models[model])
        self.bits[group] += self.engine.bits - start
        return bit

    def bypass(self, count: int, group: str) -> int:
        self.bits[group] += count
        return self.engine.bypass_bins(count)

    # The parts of a tensor in their order.

    def decode(self) -> None:
        self.tool_flags()
        self.initialise()
        self.scan()

    def tool_flags(self) -> None:
        coding = self.coding
        if not coding.tool_flags or coding.width == 1 or coding.height == 1:
            return
        if coding.height == 0 or coding.width == 0 or coding.codebook_size == 1:
            return
        if coding.parent:
            self.hdsp = self.bypass(1, "flags")
        self.row_skip = self.bypass(1, "flags")
        if self.row_skip:
            model = 53 + 4 * self.n + 36
            self.skipped = [self.bin(model, "flags") for _ in range(coding.height)]

    def initialise(self) -> None:
        coding = self.coding
        cb, z = coding.codebook_size, coding.zero_offset
        m = max(z, cb - 1 - z) if cb > 0 else -1
        if cb != 1:
            self.initialise_significance()
            if not (cb > 0 and z in {0, cb - 1}):
                self.initialise_models(48, 51 if coding.reference is None else 53)
        self.initialise_greater(m)
        limit = self.n - 1
        for a in range(coding.remainder_contexts):
            limit += 2**a
            if m == -1 or limit < m:
                model = 53 + 4 * self.n + a
                self.initialise_models(model, model + 1)

    def initialise_significance(self) -> None:
        dependent = self.coding.dependent
        self.initialise_models(0, 24 if dependent else 3)
        if self.coding.reference is not None:
            self.initialise_models(24, 40 if dependent else 26)
        if self.hdsp:
            self.initialise_models(40, 48 if dependent else 41)

    def initialise_greater(self, m: int) -> None:
        n = self.n
        for a in range(2 * n):
            if m == -1 or a < 2 * m:
                self.initialise_models(53 + a, 53 + a + 1)
        if self.coding.reference is not None:
            for a in range(2 * n, 4 * n):
                if m == -1 or a < 2 * (m - 1) + 2 * n:
                    self.initialise_models(53 + a, 53 + a + 1)

    def initialise_models(self, first: int, end: int) -> None:
        for model in range(first, end):
            index = 0
            if self.bin(53 + 4 * self.n + 34, "initialisation"):
                index = 1 + self.bypass(3, "initialisation")
            self.models[model] = Model(index)
            self.initialisation.append((model, index))

    def scan(self) -> None:
        coding = self.coding
        block = 4 << coding.scan_order if coding.scan_order else 0
        if not block:
            self.note_block_row()
            for row in range(coding.height):
                self.part_of_row(row, 0, coding.width)
            return
        tops = range(0, coding.height, block)
        resets = len(tops) > 1 or coding.resets_single_block_row
        for top in tops:
            if resets:
                self.start_block_row()
            self.note_block_row()
            for left in range(0, coding.width, block):
                for row in range(top, min(top + block, coding.height)):
                    self.part_of_row(row, left, min(left + block, coding.width))

    def start_block_row(self) -> None:
        for model in self.models:
            model.reset()
        self.prev = 0
        self.engine.start_block_row()

    def note_block_row(self) -> None:
        self.block_rows.append((self.engine.offset, self.state, self.engine.bits))

    def part_of_row(self, row: int, left: int, right: int) -> None:
        if self.skipped and self.skipped[row]:
            if self.coding.dependent:
                for _ in range(self.coding.width):
                    self.state = NEXT[self.state][0]
            return
        for column in range(left, right):
            self.level_at(row * self.coding.width + column)

    # One level.

    def level_at(self, place: int) -> None:
        coding = self.coding
        base = int(coding.reference[place]) if coding.reference is not None else 0
        hist = bool(self.hdsp and coding.history is not None and coding.history[place] == 1)
        k = to_int32(self.level(base, hist))
        self.prev = k
        if coding.dependent:
            doubled = to_int32(2 * k)
            self.levels[place] = to_int32(doubled - (self.state & 1) * sign_of(doubled))
            self.state = NEXT[self.state][k & 1]
        else:
            self.levels[place] = k

    def level(self, base: int, hist: bool) -> int:
        cb, z = self.coding.codebook_size, self.coding.zero_offset
        if cb == 1 or not self.bin(self.significance_model(base, hist), "significance"):
            return 0
        if cb > 0 and z in {0, cb - 1}:
            sign = 1 if z != 0 else 0
        else:
            sign = self.bin(self.sign_model(base), "sign")
        m = -1
        if cb > 0:
            m = z if sign else cb - z - 1
        v = self.magnitude(base, sign, m)
        return -v if sign else v

    def prev_class(self) -> int:
        return 1 if self.prev < 0 else 2 if self.prev > 0 else 0

    def significance_model(self, base: int, hist: bool) -> int:
        if hist:
            return 40 + self.state
        if base != 0:
            return 24 + 2 * self.state + (abs(base) > 1)
        return 3 * self.state + self.prev_class()

    def sign_model(self, base: int) -> int:
        if base != 0:
            return 51 if base < 0 else 52
        return 48 + self.prev_class()

    def greater_model(self, base: int, sign: int, j: int) -> int:
        if base != 0:
            return 53 + 2 * self.n + 2 * j + (0 if abs(base) >= j else 1)
        return 53 + 2 * j + sign

    def magnitude(self, base: int, sign: int, m: int) -> int:
        v = 1
        if not (m == -1 or m > 1):
            return v
        j = 0
        while True:
            g = self.bin(self.greater_model(base, sign, j), "greater-than")
            v += g
            if not (g and j < self.n - 1 and (m == -1 or v < m)):
                break
            j += 1
        if g and (m == -1 or v < m):
            v = self.remainder(v, m)
        return v

    def remainder(self, v: int, m: int) -> int:
        n = j = 0
        while True:
            g = self.bin(53 + 4 * self.n + j, "remainder")
            if g and (m == -1 or v < m):
                v += 2**n
                n += 1
            if not (g and j < 30 and (m == -1 or v + 2**n <= m)):
                break
            j += 1
        return v + self.bypass(n, "bypass")

    def entry_points(self) -> tuple[EntryPoint, ...]:
        rows = self.block_rows
        return tuple(
            EntryPoint(offset, state, bits - rows[j][2])
            for j, (offset, state, bits) in enumerate(rows[1:])
        )
