"""The syntax elements of a codebook."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from conformance.nnc.quantization import Codebook

ORDERS: Final = range(16)


def codebook_elements(codebook: Codebook) -> dict[str, object]:
    """Return the elements of ``codebook()``, with the order of its codes that needs fewest bits."""
    entries, zero = codebook.entries, codebook.zero_offset
    left = [high - low - 1 for low, high in pairwise(entries[: zero + 1])][::-1]
    right = [high - low - 1 for low, high in pairwise(entries[zero:])]
    return {
        "codebook_egk": min(ORDERS, key=lambda order: exp_golomb_bits(left + right, order)),
        "codebook_size": len(entries),
        "codebook_centre_offset": zero - (len(entries) >> 1),
        "codebook_zero_value": entries[zero],
        "codebook_deltas_left": left,
        "codebook_deltas_right": right,
    }


def exp_golomb_bits(values: Sequence[int], order: int) -> int:
    """Return the bits of all values in Exp-Golomb codes of ``order``."""
    return sum(2 * ((value >> order) + 1).bit_length() - 1 + order for value in values)
