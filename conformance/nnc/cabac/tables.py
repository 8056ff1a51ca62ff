"""The tables of the arithmetic coder, as ISO/IEC 15938-17 has them.

A context model estimates the probability of a bin of 1 twice, quickly and slowly: S0 (8 bits,
signed) and S1 (12 bits, signed, so 16 times as fine), both 0 where 0 and 1 are as likely. What is
decoded by is their sum at the finer scale, S01 = S1 + 16 * S0 (13 bits): its sign is the more
probable bin, its magnitude how probable. All tables are int64.
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
"""Range of the less probable bin: 8 rows by bits 7..5 of the range, whose bit 8 is always 1, and 32
columns by ``|S01 >> 7|``. The shift is arithmetic and comes first: -1 is in column 1, +1 in 0.

At least 2, so that 7 shifts renormalise any; and it leaves the more probable bin 128 or more, so
that one does.
"""

TRANSITION: Final[Table] = np.array(
    [2512, 2288, 2064, 1840, 1616, 1392, 1168, 944, 720, 560, 464, 368, 272, 208, 144, 80]
    + [64] * 15
    + [0],
    np.int64,
)
"""How far a state moves towards a bin, before its rate: by 16 + the 5 upper bits of the state, its
sign turned so that it grows with this bin. It is much where the bin was not expected and 64 where
it was; the last is 0, which keeps the states within their bits.
"""

RATES: Final[Table] = np.array(
    [(5, 4), (5, 4), (5, 4), (4, 5), (6, 6), (6, 6), (6, 6), (7, 5), (7, 5)], np.int64
)
"""Shifts of :data:`TRANSITION` for S0 and for S1, by initialisation index: the larger, the slower.

S1 counts in sixteenths of S0, so S0 is the quicker even where its shift is the larger one.
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
"""S0 and S1 at the start, by initialisation index."""

NEXT_STATE: Final[Table] = np.array(
    [(0, 2), (7, 5), (1, 3), (6, 4), (2, 0), (5, 7), (3, 1), (4, 6)], np.int64
)
"""The state of dependent quantisation after a level, by state and the level's parity."""
