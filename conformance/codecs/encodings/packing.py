"""Numbers of 1 to 8 bits, packed into bytes from the low bits up, without gaps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

_BYTE = 8
_PIECE = 2**20  # values at a time; a multiple of 8, so that pieces begin at whole bytes


def packed_bytes(count: int, bits: int) -> int:
    """Return how many bytes ``count`` numbers take."""
    return -(-count * bits // 8)


def pack_bits(values: Bytes, bits: int) -> Bytes:
    """Pack flat ``values``, each below ``2**bits``; the bits left over are 0."""
    columns = np.unpackbits(values.reshape(-1, 1), axis=1, count=bits, bitorder="little")
    return np.packbits(columns.reshape(-1), bitorder="little")


def unpack_bits(packed: Bytes, bits: int, count: int) -> Bytes:
    """Return the ``count`` numbers in ``packed``; a ValueError if bits left over are not 0."""
    left_over = packed.size * 8 - count * bits
    if left_over and packed[-1] >> (8 - left_over):
        raise ValueError(f"{int(packed[-1]):#04x} in the last byte")
    values = np.empty(count, np.uint8)
    if _BYTE % bits == 0:
        # Each byte holds the same places: one place of all bytes at a time needs no single bits.
        for place in range(per_byte := _BYTE // bits):
            taken = values[place::per_byte]
            np.right_shift(packed[: taken.size], place * bits, out=taken)
        values &= (1 << bits) - 1
        return values
    for begin in range(0, count, _PIECE):
        piece = packed[begin * bits // 8 : (begin + _PIECE) * bits // 8]
        rows = np.unpackbits(piece, bitorder="little")[: (count - begin) * bits].reshape(-1, bits)
        values[begin : begin + _PIECE] = np.packbits(rows, axis=1, bitorder="little")[:, 0]
    return values
