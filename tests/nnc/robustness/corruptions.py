"""Ways to damage a stream. Each takes the bytes and a source of randomness, and returns others.

Damage to the length of a unit would mostly be found at once, by the size in its header. So half of
such damage is done inside a unit, whose size is then written anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from conformance.nnc.errors import NncError
from conformance.nnc.options import Options
from conformance.nnc.parser import parse_units

LONG = 0x80
MOST_BYTES = 24
"""Bytes that one corruption touches at most."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a unit is: its first byte, its size, and the size of its header."""

    start: int
    size: int
    header: int


def extents_of(data: bytes, options: Options) -> list[Extent]:
    """Return where the units of a stream are, as far as it can be read."""
    extents = []
    try:
        for unit in parse_units(data, options):
            header = unit.payload_byte - unit.byte if unit.payload_size else unit.size
            extents.append(Extent(unit.byte, unit.size, header))
    except NncError:
        pass
    return extents


def corrupted(data: bytes, extents: Sequence[Extent], seed: int) -> bytes:
    """Return ``data`` with damage of a kind, at a place and of a size that ``seed`` chooses."""
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        if extents and len(damaged) == len(data) and chance.random() < 0.7:
            within(damaged, chance.choice(extents), chance)
        else:
            chance.choice(KINDS)(damaged, 0, len(damaged), chance)
    return bytes(damaged)


def within(data: bytearray, extent: Extent, chance: random.Random) -> None:
    """Damage one unit after its size, half of the time in its header, and correct the size."""
    long = data[extent.start] & LONG
    first = 4 if long else 2
    last = extent.header if chance.random() < 0.5 else extent.size
    unit = bytearray(data[extent.start + first : extent.start + extent.size])
    chance.choice(KINDS)(unit, 0, max(1, last - first), chance)
    size = len(unit) + first
    written = (size | 1 << 31).to_bytes(4, "big") if long else (size % (1 << 15)).to_bytes(2, "big")
    data[extent.start : extent.start + extent.size] = written + unit


def flip(data: bytearray, start: int, end: int, chance: random.Random) -> None:
    """Turn a bit over."""
    if end > start and len(data) > start:
        data[chance.randrange(start, min(end, len(data)))] ^= 1 << chance.randrange(8)


def overwrite(data: bytearray, start: int, end: int, chance: random.Random) -> None:
    """Write zeros, ones or anything over a few bytes."""
    place, length = chance.randint(start, end), chance.randint(1, MOST_BYTES)
    length = len(data[place : place + length])
    filling = chance.choice((bytes(length), b"\xff" * length, chance.randbytes(length)))
    data[place : place + length] = filling


def remove(data: bytearray, start: int, end: int, chance: random.Random) -> None:
    """Take out a few bytes."""
    place = chance.randint(start, end)
    del data[place : place + chance.randint(1, MOST_BYTES)]


def insert(data: bytearray, start: int, end: int, chance: random.Random) -> None:
    """Put in a few bytes."""
    place = chance.randint(start, end)
    data[place:place] = chance.randbytes(chance.randint(1, MOST_BYTES))


def repeat(data: bytearray, start: int, end: int, chance: random.Random) -> None:
    """Copy a few bytes to another place."""
    source, place = chance.randint(start, end), chance.randint(start, end)
    data[place:place] = data[source : source + chance.randint(1, MOST_BYTES)]


def cut(data: bytearray, start: int, end: int, chance: random.Random) -> None:
    """Drop everything after some place."""
    del data[chance.randint(start, end) :]


KINDS: tuple[Callable[[bytearray, int, int, random.Random], None], ...] = (
    flip,
    flip,
    flip,
    overwrite,
    overwrite,
    remove,
    insert,
    repeat,
    cut,
)
