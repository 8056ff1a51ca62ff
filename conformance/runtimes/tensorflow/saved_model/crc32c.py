"""CRC-32C, the checksum of TensorFlow's checkpoints, fast enough in NumPy for large tensors.

A checksum is the remainder of a polynomial over GF(2). The polynomial P of CRC-32C divides its
powers, and squaring over GF(2) only moves the terms apart: P to the power 2**k has as many terms as
P. For a large k they lie whole blocks of bytes apart, so that a division by that power is nothing
but xor of blocks. What it leaves is short, and has the same remainder by P. The polynomial is
Castagnoli's (RFC 3720, appendix B.4).
"""

from __future__ import annotations

from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]

_DEGREE = 32
_TERMS = tuple(power for power in range(1, _DEGREE) if 0x1EDC6F41 >> power & 1)
_REFLECTED = 0x82F63B78
_ALL_ONES = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8
_FEW = 1 << 15
"""Up to so many bytes a table is faster."""

_BLOCKS = 512
"""Blocks of one division; _DEGREE of them are left."""

_LARGEST_BLOCK = 1 << 16


def crc32c(data: Bytes) -> int:
    """Return the CRC-32C of ``data``."""
    state = _ALL_ONES
    while len(data) > _FEW:
        data, state = _divided(data, state), 0
    table = _table()
    for byte in data.tolist():
        state = table[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ _ALL_ONES


def masked_crc32c(data: Bytes) -> int:
    """Return the checksum as it is stored: turned by 15 bits and moved by a constant."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & _ALL_ONES


def _divided(data: Bytes, state: int) -> Bytes:
    """Return what a division by a power of the polynomial leaves of ``data`` after ``state``."""
    size = min(_LARGEST_BLOCK, 1 << (len(data) // _BLOCKS).bit_length())
    first = len(data) % size + size  # two blocks, filled up with zeros in front
    head = np.concatenate([np.zeros(2 * size - first, np.uint8), data[:first]])
    head[2 * size - first :][:4] ^= np.frombuffer(state.to_bytes(4, "little"), np.uint8)
    left, right = head.view(np.uint64).reshape(2, -1), data[first:].view(np.uint64)
    right = right.reshape(-1, size // 8)
    count = 2 + len(right)
    carried = np.zeros((_DEGREE, size // 8), np.uint64)
    for index in range(count - _DEGREE):
        slot = index % _DEGREE
        block = carried[slot] ^ (left[index] if index < 2 else right[index - 2])  # noqa: PLR2004
        carried[slot] = block
        for power in _TERMS:
            carried[slot - power] ^= block
    rest = np.roll(carried, -((count - _DEGREE) % _DEGREE), axis=0) ^ right[-_DEGREE:]
    return rest.reshape(-1).view(np.uint8)


@cache
def _table() -> list[int]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ _REFLECTED, table >> 1).astype(np.uint32)
    return [int(each) for each in table]
