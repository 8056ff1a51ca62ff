"""One tensor of a file, without the others: what the codecs that allow it share."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.codecs._protocol import DecodedTensors
from conformance.nnc.partial import PartialFile
from conformance.tensorfiles import (
    LENGTH_BYTES,
    MAX_HEADER_BYTES,
    Array,
    Stored,
    TensorFile,
    header_end,
    view_safetensors,
)


def alone(name: str, array: Array, bits: int) -> DecodedTensors:
    """Return one tensor that has been decoded from ``bits`` bits."""
    return DecodedTensors(
        {name: lambda: array}, features=(), stored_bits={name: bits}, close=lambda: None
    )


def read_header(file: PartialFile, display: str, limit_bytes: int) -> TensorFile:
    """Return what the header of a safetensors file says; its arrays are zeros until read."""
    file.fill(0, LENGTH_BYTES)
    end = header_end(file.view)
    # One that is too long is refused before it is looked at.
    if end <= LENGTH_BYTES + MAX_HEADER_BYTES:
        file.fill(LENGTH_BYTES, end)
    return view_safetensors(file.view, display, limit_bytes)


def read_arrays(file: PartialFile, arrays: Iterable[Stored]) -> None:
    """Read the bytes of some arrays, in the order in which they lie in the file."""
    places = ((stored.where.byte_offset or 0, stored.nbytes) for stored in arrays)
    for begin, size in sorted(places):
        file.fill(begin, begin + size)
