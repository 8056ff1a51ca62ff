"""Tensors that are zero but for some elements: their flat positions and their values."""

from __future__ import annotations

import math

import numpy as np

from conformance.codecs.encodings._scope import Output, Ref, Scope, convert
from conformance.codecs.encodings.affine import Grid, parse_grid
from conformance.tensorfiles import Array, DType

INDEX_TYPES = ("uint8", "uint16", "uint32", "uint64", "int32", "int64")
_PIECE = 2**20


def parse_sparse(scope: Scope) -> Output:
    """Take ``indices``, ``values`` and ``shape``; for integers ``scale`` and ``zero_point``."""
    indices, values = scope.array("indices"), scope.values()
    shape = scope.fields.shape("shape")
    dtype = scope.fields.dtype("dtype", "float32")
    indices.require_type(*INDEX_TYPES)
    indices.require_shape((indices.stored.count,))
    values.require_shape(indices.stored.shape)
    features = {"sparse", values.stored.dtype.name}
    grid = None
    if scope.fields.has("scale"):
        values.require_type("int8", "uint8")
        grid = parse_grid(scope, (), 8, values.stored.dtype.kind == "i")
        features |= {"affine"}
    else:
        values.require_castable(dtype)

    def decode() -> Array:
        return _scatter(indices, _values(values, grid, dtype), shape, dtype)

    return scope.result(dtype, shape, features, decode)


def _values(values: Ref, grid: Grid | None, dtype: DType) -> Array:
    return convert(values.read(), dtype) if grid is None else grid.values(values.read(), dtype)


def _scatter(indices: Ref, values: Array, shape: tuple[int, ...], dtype: DType) -> Array:
    flat = np.zeros(math.prod(shape), dtype)
    positions = indices.read()
    _check_positions(indices, positions, flat.size)
    for begin in range(0, positions.size, _PIECE):
        piece = slice(begin, begin + _PIECE)
        flat[positions[piece].astype(np.intp)] = values[piece]
    return flat.reshape(shape)


def _check_positions(indices: Ref, positions: Array, size: int) -> None:
    if not positions.size:
        return
    falls = np.flatnonzero(positions[1:] <= positions[:-1])
    if falls.size:
        at = int(falls[0])
        raise indices.error(
            "does not rise", "each position above the one before",
            f"{positions[at + 1]} after {positions[at]}, at entry {at + 1}",
        )  # fmt: skip
    first, last = int(positions[0]), int(positions[-1])
    if first < 0 or last >= size:
        raise indices.error(
            "points outside the tensor", f"positions 0 to {size - 1}", f"{first} to {last}"
        )
