"""Which context model is used for what; N is the unary length, cabac_unary_length_minus1 + 1.

``state`` is that of dependent quantisation, 0 to 7, and 0 without it.
"""

from __future__ import annotations

from typing import Final

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
