"""Read the header of a ``.npy`` member: NumPy's own text, without evaluating it.

The format is NumPy Enhancement Proposal 1: magic, version, header length, then a Python dict
literal. Only plain arrays are let through, so the dict can be matched instead of evaluated.
"""

from __future__ import annotations

import re
from typing import BinaryIO

import numpy as np

from conformance.tensorfiles._stored import Stored, check_shape
from conformance.tensorfiles.dtypes import DType
from conformance.verdicts import Location, MalformedError, UnsupportedError

MAX_HEADER_BYTES = 10_000
_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}
_HEADER = re.compile(
    r"\{\s*'descr'\s*:\s*(?P<descr>'[^']*'|\[.*\])\s*,"
    r"\s*'fortran_order'\s*:\s*(?P<fortran>True|False)\s*,"
    r"\s*'shape'\s*:\s*\((?P<shape>[0-9, ]*)\)\s*,?\s*\}\s*",
    re.DOTALL,
)
_DESCR = re.compile(r"'(?P<order>[<>|=]?)(?P<kind>[biufcSU])(?P<size>[1-9][0-9]{0,7})'")
_SIZES = {
    "b": {1},
    "i": {1, 2, 4, 8},
    "u": {1, 2, 4, 8},
    "f": {2, 4, 8},
    "c": {8, 16},
}
_RESAVE = "Save the array again with numpy.save or numpy.savez."


def read_npy_header(stream: BinaryIO, where: Location) -> tuple[Stored, bool, int]:
    """Return the array that follows, whether it is in Fortran order, and the header's bytes."""
    lead = stream.read(len(_MAGIC) + 2)
    if lead[:-2] != _MAGIC or (size := _LENGTH_BYTES.get((lead[-2], lead[-1]))) is None:
        raise _bad(
            "the member is not a NumPy array", where, "\\x93NUMPY and version 1 to 3", repr(lead)
        )
    length = int.from_bytes(stream.read(size), "little")
    if length > MAX_HEADER_BYTES:
        raise _bad(
            "the NumPy header is too long",
            where,
            f"at most {MAX_HEADER_BYTES} bytes",
            f"{length} bytes",
        )
    raw = stream.read(length)
    match = _HEADER.fullmatch(raw.decode("latin-1"))
    if len(raw) != length or match is None:
        raise _bad(
            "the NumPy header cannot be read",
            where,
            f"{length} bytes with descr, fortran_order and shape",
            repr(raw[:80]),
        )
    shape = _read_shape(match["shape"], where)
    stored = Stored(_read_dtype(match["descr"], where), shape, where)
    return stored, match["fortran"] == "True", len(lead) + size + length


def _read_dtype(descr: str, where: Location) -> DType:
    match = _DESCR.fullmatch(descr)
    if match is None:
        raise _refused_type(descr, where)
    kind, size = match["kind"], int(match["size"])
    if kind in _SIZES and size not in _SIZES[kind]:
        raise _refused_type(descr, where)
    order = ">" if match["order"] == ">" else "<"
    return np.dtype(f"{order}{kind}{size}")


def _refused_type(descr: str, where: Location) -> MalformedError | UnsupportedError:
    if "O" in descr:
        return MalformedError(
            "the array holds pickled Python objects",
            where=where,
            expected="numbers, booleans or strings of fixed width",
            found=descr[:80],
            fix="Convert the array to a numeric or fixed-width string type, then save it again.",
        )
    return UnsupportedError(
        "the element type of the array is not known",
        where=where,
        expected="booleans, integers, floats, complex numbers, S or U strings",
        found=descr[:80],
        fix=(
            "Save the array in one of these types; .npz cannot name bfloat16 and float8: "
            "use .safetensors for them."
        ),
    )


def _read_shape(text: str, where: Location) -> tuple[int, ...]:
    sizes = [part.strip() for part in text.split(",")]
    if sizes[-1] == "":
        sizes.pop()
    if all(size.isdecimal() and len(size) <= len(str(2**63)) for size in sizes):
        return check_shape([int(size) for size in sizes], where)
    raise _bad("the shape in the NumPy header cannot be read", where, "sizes", f"({text[:80]})")


def _bad(message: str, where: Location, expected: str, found: str) -> MalformedError:
    return MalformedError(message, where=where, expected=expected, found=found, fix=_RESAVE)
