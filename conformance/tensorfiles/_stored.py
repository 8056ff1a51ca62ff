"""What the header of a file says of one array, checked before anything is allocated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from conformance.tensorfiles.dtypes import Array, DType
from conformance.verdicts import Json, LimitError, Location, MalformedError

MAX_DIMENSIONS = 32
MAX_NAME_LENGTH = 1024
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)


@dataclass(frozen=True, slots=True)
class Stored:
    """Element type and shape of a stored array, and the place its bytes begin at."""

    dtype: DType
    shape: tuple[int, ...]
    where: Location

    @property
    def count(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return self.count * self.dtype.itemsize

    def __str__(self) -> str:
        return f"{self.dtype.name} [{', '.join(map(str, self.shape))}]"


def check_name(name: str, where: Location) -> str:
    """Return ``name`` if it can name a tensor in a report, else raise a MalformedError."""
    if name and len(name) <= MAX_NAME_LENGTH and name.isprintable():
        return name
    raise MalformedError(
        "a tensor has a name that cannot be used",
        where=where,
        expected=f"1 to {MAX_NAME_LENGTH} printable characters",
        found=ascii(name[:80]) if name else "an empty name",
        fix="Give the tensor the name it has in the model.",
    )


def check_shape(value: Json, where: Location) -> tuple[int, ...]:
    """Return ``value`` as a shape if it is a short list of sizes, else raise a MalformedError."""
    short = isinstance(value, list | tuple) and len(value) <= MAX_DIMENSIONS
    if short and all(type(size) is int and size >= 0 for size in value):
        return tuple(value)
    raise MalformedError(
        "a shape is not a list of sizes",
        where=where,
        expected=f"at most {MAX_DIMENSIONS} integers, none negative",
        found=repr(value)[:80],
        fix="Write the file again with the shape of the array.",
    )


def check_total(display: str, arrays: Mapping[str, Stored], limit_bytes: int) -> None:
    """Raise a LimitError if all arrays together take more than ``limit_bytes``.

    A dimension of 0 counts as 1, because NumPy cannot hold such shapes beyond the address space.
    """
    total = 0
    for name, stored in arrays.items():
        total += math.prod(max(size, 1) for size in stored.shape) * stored.dtype.itemsize
        if total > limit_bytes:
            raise LimitError(
                f"the arrays of {display} take more memory than is allowed",
                where=stored.where,
                expected=f"at most {limit_bytes} bytes in all",
                found=f"{total} bytes up to and with {name!r}, {stored}",
                fix="Split the file into smaller ones, or raise the memory limit of the run.",
            )


def distinct(pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    """Build a JSON object, for :func:`json.loads`; a key that comes twice is a ValueError."""
    built: dict[str, Json] = {}
    for key, value in pairs:
        if key in built:
            raise ValueError(f"the key {key!r} comes twice")
        built[key] = value
    return built


def build_array(buffer: bytes | memoryview | Array, stored: Stored, *, fortran: bool) -> Array:
    """View ``buffer`` as the array that ``stored`` describes: native, aligned and C-contiguous.

    Nothing is copied if the buffer is already so. A MalformedError says which booleans or
    characters are impossible.
    """
    flat = np.frombuffer(buffer, dtype=stored.dtype)
    array = flat.reshape(stored.shape, order="F" if fortran else "C")
    native = array.astype(stored.dtype.newbyteorder("="), copy=False)
    _check_values(native, stored.where)
    return np.require(native, requirements=("C", "A"))


def _check_values(array: Array, where: Location) -> None:
    if not array.size:
        return
    if array.dtype.kind == "b" and array.view(np.uint8).max() > 1:
        raise _impossible("booleans", where, "bytes 0 and 1", "a byte above 1")
    if array.dtype.kind == "U":
        codes = np.ascontiguousarray(array).reshape(-1).view(np.uint32)
        bad = (codes > _LAST_CODE_POINT) | (codes >= _SURROGATES[0]) & (codes <= _SURROGATES[1])
        if bad.any():
            raise _impossible("strings", where, "Unicode characters", hex(codes[bad][0]))


def _impossible(what: str, where: Location, expected: str, found: str) -> MalformedError:
    return MalformedError(
        f"an array of {what} holds an invalid value",
        where=where,
        expected=expected,
        found=found,
        fix="Write the file again from the original array.",
    )
