"""Integers with a scale and a zero point: ``(q - zero_point) * scale`` in float32."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from conformance.codecs.encodings._scope import Output, Ref, Scope, convert
from conformance.codecs.encodings.packing import packed_bytes, unpack_bits
from conformance.tensorfiles import Array, DType, is_floating

SCALE_TYPES = ("float32", "float16", "bfloat16")
ZERO_POINT_TYPES = ("int8", "uint8", "int32")
_NIBBLE = 4
_BYTE = 8


@dataclass(frozen=True, slots=True)
class Grid:
    """Scale and zero point of a tensor, and the axis they run along, if any.

    ``lowest`` and ``highest`` bound the integers, and so the zero points.
    """

    scale: Ref
    zero_point: Ref | None
    axis: int | None
    lowest: int
    highest: int

    def values(self, integers: Array, dtype: DType) -> Array:
        """Return ``(integers - zero_point) * scale``, in float32 and that order, as ``dtype``."""
        values = integers.astype(np.float32)
        across = [1] * integers.ndim
        if self.axis is not None:
            across[self.axis] = -1
        if self.zero_point is not None:
            values -= self._zero_points(self.zero_point).reshape(across)
        with np.errstate(over="ignore"):
            values *= self._scales().reshape(across)
        return convert(values, dtype)

    def _scales(self) -> Array:
        scales = self.scale.read().astype(np.float32)
        if not np.isfinite(scales).all():
            at = int(np.flatnonzero(~np.isfinite(scales))[0])
            found = f"{scales.reshape(-1)[at]} at position {at}"
            raise self.scale.error("holds a scale that is not finite", "finite scales", found)
        return scales

    def _zero_points(self, ref: Ref) -> Array:
        points = ref.read()
        if points.size and (points.min() < self.lowest or points.max() > self.highest):
            raise ref.error(
                "holds a zero point that no stored integer can equal",
                f"{self.lowest} to {self.highest}",
                f"{points.min()} to {points.max()}",
            )
        return points.astype(np.float32)


def parse_affine(scope: Scope) -> Output:
    """Take ``values``, ``bits``, ``dtype``, ``scale`` and, for 4 bits, ``shape`` and ``signed``."""
    values = scope.array("values")
    bits = scope.fields.choice("bits", (_BYTE, _NIBBLE), _BYTE)
    dtype = scope.fields.dtype("dtype", "float32")
    if not is_floating(dtype):
        raise scope.fields.error("has a wrong 'dtype'", "a floating-point type", dtype.name)
    if bits == _BYTE:
        values.require_type("int8", "uint8")
        shape, signed = values.stored.shape, values.stored.dtype.kind == "i"
    else:
        shape, signed = scope.fields.shape("shape"), scope.fields.flag("signed")
        count = math.prod(shape)
        values.require_type("uint8")
        values.require_shape((packed_bytes(count, _NIBBLE),))
    grid = parse_grid(scope, shape, bits, signed)
    features = {"affine", f"{'' if signed else 'u'}int{bits}"}
    features |= set() if grid.axis is None else {"per-channel"}

    def decode() -> Array:
        integers = values.read() if bits == _BYTE else _nibbles(values, shape, signed)
        return grid.values(integers, dtype)

    return scope.result(dtype, shape, features, decode)


def parse_grid(scope: Scope, shape: tuple[int, ...], bits: int, signed: bool) -> Grid:
    """Take ``scale``, ``zero_point`` and ``axis``, for integers of ``shape``."""
    axis, sizes = None, [(), (1,)]
    if scope.fields.has("axis"):
        axis = scope.fields.natural("axis")
        if axis >= len(shape):
            raise scope.fields.error("has a wrong 'axis'", f"below {len(shape)}", str(axis))
        sizes = [(shape[axis],)]
    scale = scope.array("scale")
    scale.require_type(*SCALE_TYPES)
    scale.require_shape(*sizes)
    zero_point = scope.array("zero_point") if scope.fields.has("zero_point") else None
    if zero_point is not None:
        zero_point.require_type(*ZERO_POINT_TYPES)
        zero_point.require_shape(scale.stored.shape)
    lowest = -(2 ** (bits - 1)) if signed else 0
    return Grid(scale, zero_point, axis, lowest, lowest + 2**bits - 1)


def _nibbles(values: Ref, shape: tuple[int, ...], signed: bool) -> Array:
    count = math.prod(shape)
    try:
        integers = unpack_bits(values.read(), _NIBBLE, count)
    except ValueError as error:
        raise values.error("does not end in zeros", "a last high nibble of 0", str(error)) from None
    if signed:
        return ((integers ^ 8).view(np.int8) - np.int8(8)).reshape(shape)
    return integers.reshape(shape)
