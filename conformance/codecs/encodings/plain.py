"""Tensors stored as they are (``plain``), or in a different element type (``cast``)."""

from __future__ import annotations

from conformance.codecs.encodings._scope import Output, Scope, convert
from conformance.tensorfiles import Array


def parse_plain(scope: Scope) -> Output:
    """Take ``values``, and ``values_dtype`` where the file cannot name the element type."""
    values = scope.values()
    dtype = values.stored.dtype
    return scope.result(dtype, values.stored.shape, {dtype.name}, values.read)


def parse_cast(scope: Scope) -> Output:
    """Take ``values`` (and ``values_dtype``), to be converted to ``dtype``."""
    values = scope.values()
    dtype = scope.fields.dtype("dtype")
    values.require_castable(dtype)

    def decode() -> Array:
        return convert(values.read(), dtype)

    return scope.result(dtype, values.stored.shape, {"cast", values.stored.dtype.name}, decode)
