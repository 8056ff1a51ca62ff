"""Plain values in code, attributes and arguments of operators: those that can stand for parameters.

A graph needs some: sizes, axes, messages. Short strings are taken as such; small integers and short
lists of them count together, in their order: layers repeat the settings of others, weights do not.
What is left is counted one by one as content that a sample cannot replace.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

from conformance.runtimes._protocol import Array
from conformance.runtimes.roles import StoredTensor

MAX_LISTED = 8
"""Elements of a list that can be a shape; longer ones can hold parameters."""

MAX_TEXT = 256
"""Characters of a string that can be a message; longer ones can hold parameters."""

MAX_SIZE = 1 << 16
"""Integers that can be a size or an index; larger ones can hold parameters."""

INT64_MAX = (1 << 63) - 1

_SWITCHES = (-1, 0, 1)
_NUMBERS = (bool, int, float, complex)


def may_be_learned(value: object) -> bool:
    """Return whether a plain value on its own may stand for parameters.

    Small integers, and the largest, which is "up to the end" of a slice, are sizes and indices.
    """
    if isinstance(value, str):
        return len(value) > MAX_TEXT
    large = type(value) is int and MAX_SIZE < abs(value) < INT64_MAX
    return isinstance(value, float | complex) or large


def sizes_among(values: Iterable[object]) -> list[int]:
    """Return the integers among plain values that can be sizes or indices."""
    numbers = (each for each in values if type(each) is int and each not in _SWITCHES)
    return [each for each in numbers if abs(each) <= MAX_SIZE]


def loose(place: str, values: Sequence[object]) -> StoredTensor:
    """Return plain values as what the graph holds at ``place``, and no sample can bring.

    Values that are not numbers count as one element each, a single string as its characters.
    """
    array = _array(values)
    return StoredTensor(place, place, array.dtype, array.shape, lambda: array)


def _array(values: Sequence[object]) -> Array:
    if len(values) == 1 and isinstance(values[0], str):
        return np.array(values, object)
    if all(isinstance(value, _NUMBERS) for value in values):
        return np.array(values)
    return np.array([_key(value) for value in values], np.uint64)


def _key(value: object) -> int:
    digest = hashlib.blake2b(repr(value).encode(errors="surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")
