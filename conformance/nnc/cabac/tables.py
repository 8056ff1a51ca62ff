"""The tables of the arithmetic coder, and which context model is used for what.

They are those of ISO/IEC 15938-17. All are int64.

A model estimates a probability twice, fast and slow: S0 (8 bits, signed) and S1 (12 bits, signed,
so 16 times as fine), both 0 where 0 and 1 are equally likely. S01 = S1 + 16 * S0 (13 bits) is their
sum on one scale: its sign is the more probable bin, its magnitude how probable that is. N is the
unary length, cabac_unary_length_minus1 + 1.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.int64]

LPS_RANGE: Final[Table] = np.loadtxt(
    """
    128 112  97  84  74  65 57 50 45 39 34 30 27 23 20 18 15 14 12 11 10  9  7  7  5  5 4 4 3 3 2 2
    142 125 108  93  82  72 63 56 50 43 38 33 30 26 22 20 17 16 13 12 11 10  8  8  6  6 5 5 3 3 2 2
    156 137 119 103  90  79 70 61 55 48 42 37 33 28 24 22 19 17 15 13 12 11  9  9  6  6 5 5 4 4 2 2
    171 150 130 112  99  87 76 67 60 52 46 40 36 31 27 24 21 19 16 15 13 12 10 10  7  7 6 6 4 4 3 3
    185 162 141 121 107  94 82 73 65 56 50 43 39 34 29 26 22 21 17 16 14 13 11 11  8  8 6 6 4 4 3 3
    199 175 152 131 115 101 89 78 70 61 54 47 42 36 31 28 24 22 19 17 15 14 12 12  8  8 7 7 5 5 3 3
    213 187 163 140 123 108 95 84 75 65 58 50 45 39 33 30 26 24 20 18 16 15 13 13  9  9 7 7 5 5 3 3
    228 200 174 150 132 116 102 90 80 70 62 54 48 42 36 32 28 26 22 20 18 16 14 14 10 10 8 8 6 6 4 4
    """.strip().splitlines(),
    np.int64,
)
"""Range of the less probable bin: by bits 7..5 of the range, then by ``|S01 >> 7|``.

A range is 256 to 510 when it is looked up, so that bit 8 is always 1 and says nothing. The shift is
arithmetic and comes before the magnitude: -1 is in column 1, +1 in column 0. An entry is at least
2, so that 7 shifts renormalise it, and leaves the more probable bin 128 or more, so that one does.
"""

TRANSITION: Final[Table] = np.array(
    [2512, 2288, 2064, 1840, 1616, 1392, 1168, 944, 720, 560, 464, 368, 272, 208, 144, 80]
    + [64] * 15
    + [0],
    np.int64,
)
"""How far an estimate moves, before its rate: by 16 + the state towards the bin.

The state is ``±S0 >> 3`` or ``±S1 >> 7``, -16 to 15: the more a bin was expected, the less it moves
the estimate. The last entry is 0, which keeps the states within their bits.
"""

RATES: Final[Table] = np.array(
    [(5, 4), (5, 4), (5, 4), (4, 5), (6, 6), (6, 6), (6, 6), (7, 5), (7, 5)], np.int64
)
"""Shifts (a, b) that slow down S0 and S1, by initialisation index 0 to 8.

S1 counts in sixteenths of S0, so that S0 is the quicker even where its shift is the larger.
"""

START_STATES: Final[Table] = np.array(
    [
        (s0, s01 - 16 * s0)
        for s0, s01 in (
            *((0, 0), (-41, -1310), (95, 3039), (0, 0)),
            *((30, 962), (95, 3039), (-21, -673), (0, 0), (30, 962)),
        )
    ],
    np.int64,
)
"""S0 and S1 at the start, by initialisation index 0 to 8; the standard gives S0 and S01."""

NEXT_STATE: Final[Table] = np.array(
    [(0, 2), (7, 5), (1, 3), (6, 4), (2, 0), (5, 7), (3, 1), (4, 6)], np.int64
)
"""The state of dependent quantization after a level, by state and the level's parity."""
STATES: Final = len(NEXT_STATE)

SIGNIFICANCE: Final = 0
"""3 * state + the class of the level before: 0 for 0, 1 below, 2 above."""
TEMPORAL_SIGNIFICANCE: Final = 24
"""24 + 2 * state + whether the reference's magnitude exceeds 1."""
HISTORY_SIGNIFICANCE: Final = 40
"""40 + state."""
SIGN: Final = 48
"""48 + the class of the level before."""
TEMPORAL_SIGN: Final = 51
"""51 for a reference below 0, 52 above."""
GREATER: Final = 53
"""53 + 2 * j + sign for the flag number j; with a reference 53 + 2N + 2 * j + (|base| < j)."""
FLAGS_PER_LENGTH: Final = 4
"""The remainder's prefix starts at 53 + 4N, one model for each position."""
PREFIX_LENGTH: Final = 31
"""Bins of the remainder's prefix at most: 31 ones say 2^31 - 1, as much as 32 bits hold."""
UTILITY_INITIALISATION: Final = 34
"""53 + 4N + 34: whether an initialisation index follows."""
UTILITY_ROW_SKIP: Final = 36
"""53 + 4N + 36: whether a row is skipped."""


def remainder_base(unary_length: int) -> int:
    """Return the model of the first position of the remainder's prefix."""
    return GREATER + FLAGS_PER_LENGTH * unary_length


def model_count(unary_length: int) -> int:
    """Return the number of models, unused ones included."""
    return remainder_base(unary_length) + UTILITY_ROW_SKIP + 1
