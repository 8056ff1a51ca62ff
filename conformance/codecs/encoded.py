"""Encode tensors for the tensors codec: quantise, drop zeros, or make a table of values.

>>> import numpy as np
>>> weight = np.array([[-1.0, 0.0], [0.5, 1.0]], np.float32)
>>> affine(weight, bits=8).arrays["values"].tolist()
[[-127, 0], [64, 127]]

Every function gives the same bytes for the same input. What each encoding means is in
docs/codecs.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from conformance.codecs.encodings.packing import pack_bits
from conformance.tensorfiles import Array, dtype_named
from conformance.verdicts import Json

_NIBBLE = 4
_INDEX_TYPES = (np.uint8, np.uint16, np.uint32, np.uint64)
_MAX_ENTRIES = 2**16
_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class Encoded:
    """One encoded tensor: arrays by the field that will name them, and the other fields."""

    encoding: str
    arrays: Mapping[str, Array]
    fields: Mapping[str, Json] = field(default_factory=dict)


def plain(array: Array) -> Encoded:
    """Keep ``array`` as it is."""
    return Encoded("plain", {"values": array})


def cast(array: Array, stored: str, dtype: str | None = None) -> Encoded:
    """Store ``array`` as ``stored`` ("float16"); it is decoded as ``dtype`` (its own type)."""
    with np.errstate(over="ignore"):
        values = array.astype(dtype_named(stored))
    return Encoded("cast", {"values": values}, {"dtype": dtype or array.dtype.name})


def affine(
    array: Array, bits: int = 8, axis: int | None = None, *, symmetric: bool = True
) -> Encoded:
    """Quantise a finite floating-point ``array`` to integers of 8 or 4 bits.

    With ``axis``, every slice along it has its own scale. ``symmetric`` integers are signed and
    have no zero point; the others are unsigned, and the zero point makes 0 exact.
    """
    others = tuple(i for i in range(array.ndim) if i != axis) if axis is not None else None
    wide = array.astype(np.float64)
    if symmetric:
        lowest, highest = -(2 ** (bits - 1)) + 1, 2 ** (bits - 1) - 1
        scale = _scale(np.abs(wide).max(axis=others, initial=0.0), highest)
        point = np.zeros_like(scale)
    else:
        lowest, highest = 0, 2**bits - 1
        least = wide.min(axis=others, initial=0.0)
        scale = _scale(wide.max(axis=others, initial=0.0) - least, highest)
        point = np.clip(np.rint(-least / scale), lowest, highest)
    across = [1] * array.ndim
    if axis is not None:
        across[axis] = -1
    steps = np.rint(wide / scale.reshape(across)) + point.reshape(across)
    integers = np.clip(steps, lowest, highest).astype(np.int8 if symmetric else np.uint8)
    zero_point = None if symmetric else point.astype(np.uint8)
    return quantised(
        integers, scale.astype(np.float32), zero_point, axis=axis, bits=bits, dtype=array.dtype.name
    )


def quantised(
    integers: Array,
    scale: Array,
    zero_point: Array | None = None,
    *,
    axis: int | None = None,
    bits: int = 8,
    dtype: str = "float32",
) -> Encoded:
    """Store ``integers`` (int8 or uint8) that are quantised already, as an affine tensor."""
    arrays: dict[str, Array] = {"values": integers, "scale": scale}
    fields: dict[str, Json] = {"bits": bits, "dtype": dtype}
    if zero_point is not None:
        arrays["zero_point"] = zero_point
    if axis is not None:
        fields["axis"] = axis
    if bits == _NIBBLE:
        arrays["values"] = pack_bits(integers.view(np.uint8), _NIBBLE)
        fields |= {"shape": list(integers.shape), "signed": integers.dtype.kind == "i"}
    return Encoded("affine", arrays, fields)


def sparse(array: Array, *, quantise: bool = False) -> Encoded:
    """Store only the elements of ``array`` that have a bit set (so -0.0 is kept).

    With ``quantise`` they are stored as symmetric int8.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    positions = np.flatnonzero(flat.view(f"u{array.dtype.itemsize}"))
    kept = flat[positions]
    last = int(positions[-1]) if positions.size else 0
    width = next(kind for kind in _INDEX_TYPES if last <= np.iinfo(kind).max)
    values = dict(affine(kept).arrays) if quantise else {"values": kept}
    return Encoded(
        "sparse",
        {"indices": positions.astype(width), **values},
        {"shape": list(array.shape), "dtype": array.dtype.name},
    )


def codebook(array: Array, entries: int) -> Encoded:
    """Replace the values of a finite ``array`` by the nearest of at most ``entries`` values.

    The values are found by one-dimensional k-means, started from evenly spaced order statistics.
    Up to 256 entries the indices are packed into as few bits as they need.
    """
    if not 1 <= entries <= _MAX_ENTRIES:
        raise ValueError(f"a codebook has 1 to {_MAX_ENTRIES} entries, not {entries}")
    flat = array.reshape(-1).astype(np.float64)
    table = _cluster(flat, entries).astype(np.float32)
    indices = _nearest(flat, table.astype(np.float64))
    bits = max(1, (table.size - 1).bit_length())
    fields: dict[str, Json] = {"shape": list(array.shape), "dtype": array.dtype.name}
    if bits > 8:  # noqa: PLR2004 - a byte
        stored: Array = indices.astype(np.uint16)
    else:
        stored = pack_bits(indices.astype(np.uint8), bits)
        fields["bits"] = bits
    return Encoded("codebook", {"indices": stored, "codebook": table}, fields)


def _scale(span: Array, steps: int) -> Array:
    """Return what one step is, as the float32 that will be stored; 1 where nothing spans."""
    scale = np.asarray(span / steps, np.float64).astype(np.float32).astype(np.float64)
    return np.where(scale == 0, 1.0, scale)


def _cluster(values: Array, entries: int) -> Array:
    """Return the centres, rising: Lloyd's algorithm until nothing moves."""
    ordered = np.unique(values)
    if ordered.size <= entries:
        return ordered if ordered.size else np.zeros(1)
    centres = ordered[np.linspace(0, ordered.size - 1, entries).round().astype(np.intp)]
    for _ in range(_ROUNDS):
        member = _nearest(values, centres)
        count = np.bincount(member, minlength=entries)
        total = np.bincount(member, weights=values, minlength=entries)
        moved = np.where(count > 0, total / np.maximum(count, 1), centres)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return centres


def _nearest(values: Array, centres: Array) -> Array:
    """Return the position of the centre nearest to each value; the lower one of two."""
    return np.searchsorted((centres[1:] + centres[:-1]) / 2, values)
