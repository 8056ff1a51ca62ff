"""What one entry of a ``name_map`` does to tensors: frameworks store one network differently.

Kernels are HWIO or OIHW, the gates of an LSTM stand in another order, two biases are fused to one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from conformance.submission.values import (
    Combination,
    GatePermutation,
    NameMapping,
    Padding,
    Slice,
)
from conformance.tensorfiles import Array


class MisfitError(Exception):
    """An entry cannot be applied to the tensors it names; the text says what cannot."""


def arranged(entry: NameMapping, arrays: Sequence[Array], limit_bytes: int) -> Array:
    """Return the parameter that ``entry`` makes of its tensors, in their element type.

    Raises MisfitError if their shapes do not allow it, or if it would take more than
    ``limit_bytes``.
    """
    if entry.combine is None and len(arrays) > 1:
        raise MisfitError(f"{len(arrays)} tensors, and no combine")
    try:
        return _arranged(entry, arrays, limit_bytes)
    except (ValueError, TypeError, OverflowError) as error:
        # Sizes and numbers of axes that no array can have, and types that cannot be added.
        shapes = [list(array.shape) for array in arrays]
        raise MisfitError(f"{str(error)[:200]} (shapes {shapes})") from error


def _arranged(entry: NameMapping, arrays: Sequence[Array], limit_bytes: int) -> Array:
    parts = [_each(entry, array) for array in arrays]
    whole = parts[0] if entry.combine is None else _combined(entry.combine, parts, limit_bytes)
    return whole if entry.pad is None else _padded(entry.pad, whole, limit_bytes)


def _each(entry: NameMapping, array: Array) -> Array:
    if entry.slice is not None:
        array = _sliced(entry.slice, array)
    if entry.permute_gates is not None:
        array = _gates_permuted(entry.permute_gates, array)
    if entry.transpose is not None:
        if sorted(entry.transpose) != list(range(array.ndim)):
            raise MisfitError(f"transpose {list(entry.transpose)} of shape {list(array.shape)}")
        array = array.transpose(entry.transpose)
    if entry.reshape is not None:
        if math.prod(entry.reshape) != array.size:
            raise MisfitError(f"reshape {list(entry.reshape)} of shape {list(array.shape)}")
        array = array.reshape(entry.reshape)
    return array


def _sliced(cut: Slice, array: Array) -> Array:
    if cut.axis >= array.ndim or not cut.begin < cut.end <= array.shape[cut.axis]:
        raise MisfitError(
            f"slice from {cut.begin} to {cut.end} of axis {cut.axis} of shape {list(array.shape)}"
        )
    return array[(slice(None),) * cut.axis + (slice(cut.begin, cut.end),)]


def _gates_permuted(gates: GatePermutation, array: Array) -> Array:
    count = len(gates.source)
    distinct = len(set(gates.source)) == count and sorted(gates.source) == sorted(gates.target)
    if not distinct or gates.axis >= array.ndim or array.shape[gates.axis] % count:
        raise MisfitError(
            f"permute_gates {gates.source!r} to {gates.target!r} along axis {gates.axis} "
            f"of shape {list(array.shape)}"
        )
    blocks = np.split(array, count, axis=gates.axis)
    return np.concatenate([blocks[gates.source.index(gate)] for gate in gates.target], gates.axis)


def _combined(combination: Combination, parts: Sequence[Array], limit_bytes: int) -> Array:
    shapes = [list(part.shape) for part in parts]
    if sum(part.nbytes for part in parts) > limit_bytes:
        raise MisfitError(f"{combination.how} of shapes {shapes}: more than {limit_bytes} bytes")
    if len({part.dtype.name for part in parts}) > 1:
        raise MisfitError(f"{combination.how} of {', '.join(part.dtype.name for part in parts)}")
    if combination.how == "concatenate":
        try:
            return np.concatenate(parts, axis=combination.axis)
        except ValueError as error:
            raise MisfitError(f"concatenate of shapes {shapes}: {error}") from error
    if len({part.shape for part in parts}) > 1:
        raise MisfitError(f"add of shapes {shapes}")
    total = parts[0]
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite shows in the facts
        for part in parts[1:]:
            total = np.add(total, part, dtype=total.dtype)
    return total


def _padded(pad: Padding, array: Array, limit_bytes: int) -> Array:
    if pad.axis >= array.ndim:
        raise MisfitError(f"pad of axis {pad.axis} of shape {list(array.shape)}")
    shape = list(array.shape)
    shape[pad.axis] += pad.before + pad.after
    if math.prod(shape) * array.dtype.itemsize > limit_bytes:
        raise MisfitError(f"pad to shape {shape}: more than {limit_bytes} bytes")
    whole: Array = np.zeros(shape, array.dtype)
    inside = slice(pad.before, pad.before + array.shape[pad.axis])
    whole[(slice(None),) * pad.axis + (inside,)] = array
    return whole
