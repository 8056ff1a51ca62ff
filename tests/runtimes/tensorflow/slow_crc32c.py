"""CRC-32C bit by bit, from its definition."""

from __future__ import annotations


def slow_crc32c(data: bytes) -> int:
    """Divide by the reflected Castagnoli polynomial, eight steps for each byte."""
    steps = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        steps.append(value)
    state = 0xFFFFFFFF
    for byte in data:
        state = steps[(state ^ byte) & 255] ^ (state >> 8)
    return state ^ 0xFFFFFFFF
