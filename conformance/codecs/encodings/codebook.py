"""Tensors whose elements are entries of a table: the index of each, and the table."""

from __future__ import annotations

import math

import numpy as np

from conformance.codecs.encodings._scope import Output, Ref, Scope, convert
from conformance.codecs.encodings.packing import packed_bytes, unpack_bits
from conformance.tensorfiles import Array, DType

_PIECE = 2**20


def parse_codebook(scope: Scope) -> Output:
    """Take ``indices``, ``codebook`` and ``shape``, and ``bits`` if the indices are packed."""
    indices, table = scope.array("indices"), scope.array("codebook")
    shape = scope.fields.shape("shape")
    dtype = scope.fields.dtype("dtype", "float32")
    table.require_shape((table.stored.count,))
    table.require_castable(dtype)
    count = math.prod(shape)
    bits = scope.fields.choice("bits", range(1, 9)) if scope.fields.has("bits") else None
    if bits is None:
        indices.require_type("uint8", "uint16")
        indices.require_shape(shape, (count,))
    else:
        indices.require_type("uint8")
        indices.require_shape((packed_bytes(count, bits),))

    def decode() -> Array:
        return _look_up(table, indices, _read_indices(indices, bits, count), dtype).reshape(shape)

    return scope.result(dtype, shape, {"codebook"}, decode)


def _read_indices(indices: Ref, bits: int | None, count: int) -> Array:
    if bits is None:
        return indices.read().reshape(-1)
    try:
        return unpack_bits(indices.read(), bits, count)
    except ValueError as error:
        raise indices.error("does not end in zeros", "unused bits of 0", str(error)) from None


def _look_up(table: Ref, indices: Ref, positions: Array, dtype: DType) -> Array:
    """Return the entries at ``positions``, a piece at a time, because indices are widened."""
    entries = convert(table.read(), dtype)
    if positions.size and positions.max() >= entries.size:
        raise indices.error(
            "points outside the codebook",
            f"positions below {entries.size}",
            f"{positions.max()} at entry {int(positions.argmax())}",
        )
    found = np.empty(positions.size, dtype)
    for begin in range(0, positions.size, _PIECE):
        found[begin : begin + _PIECE] = entries[positions[begin : begin + _PIECE]]
    return found
