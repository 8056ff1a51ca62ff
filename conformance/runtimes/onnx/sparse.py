"""Sparse tensors: the few values that are not zero, and where they are.

They are unfolded here, not by ONNX Runtime: a replacement then has the whole tensor's shape, and
no position that a file claims is trusted.
"""

from __future__ import annotations

import math

import numpy as np
from onnx import SparseTensorProto, TensorProto, numpy_helper

from conformance.runtimes._protocol import Array
from conformance.runtimes.dtypes import DType
from conformance.runtimes.onnx.dtypes import dtype_of
from conformance.runtimes.onnx.messages import DecodeError
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.wire import Span
from conformance.verdicts import LimitError, Location, MalformedError, UnsupportedError

_INDEX_BYTES = 8
_MOST_UNFOLDED = 4
_MAX_ELEMENTS = 1 << 48


def sparse_record(
    sparse: SparseTensorProto, name: str, element: str, file: str, limit_bytes: int
) -> TensorRecord:
    """Return the record of the whole tensor that ``sparse`` stands for.

    Raises LimitError if it is larger than ``limit_bytes``, MalformedError for an impossible shape,
    UnsupportedError for data in other files and for element types that are not known.
    """
    where = Location(file=file, element=element)
    if TensorProto.EXTERNAL in (sparse.values.data_location, sparse.indices.data_location):
        raise UnsupportedError(
            "a sparse tensor is stored in another file",
            where=where,
            expected="external data of dense tensors only",
            found=f"external data of {element}",
            fix="Store it in the model file, or store all of it as an initializer.",
        )
    dtype = dtype_of(sparse.values.data_type)
    if dtype is None or dtype.kind == "O":
        raise UnsupportedError(
            "a sparse tensor has an element type that cannot be unfolded",
            where=where,
            expected="numbers",
            found=f"data_type {sparse.values.data_type}",
            fix="Store it as an initializer.",
        )
    dims = tuple(sparse.dims)
    if any(size < 0 for size in dims) or math.prod(max(s, 1) for s in dims) > _MAX_ELEMENTS:
        raise _malformed(element, file, "sizes that a tensor can have", str(list(dims)[:32]))
    record = TensorRecord(
        element, Span(0, 0), name, sparse.values.data_type, dtype, dims, None, None, constant=True
    )
    if record.nbytes > limit_bytes:
        raise LimitError(
            "a sparse tensor unfolds to more memory than is allowed",
            where=where,
            expected=f"at most {limit_bytes} bytes",
            found=f"{record.nbytes} bytes",
            fix="Submit a smaller tensor, or judge it with a higher memory limit.",
        )
    return record


def is_mostly_zero(sparse: SparseTensorProto, dtype: DType) -> bool:
    """Return whether the whole tensor takes far more than its stored values do.

    It is not a parameter then: the bytes of parameters bound what a model's files may hold, and a
    handful of values could pretend to any number of bytes.
    """
    stored = math.prod(sparse.values.dims) * (dtype.itemsize + _INDEX_BYTES)
    return bool(math.prod(sparse.dims) * dtype.itemsize > _MOST_UNFOLDED * stored)


def unfolded(sparse: SparseTensorProto, record: TensorRecord, file: str) -> Array:
    """Return the whole tensor; MalformedError if values and positions do not fit its shape."""
    index_type = sparse.indices.data_type
    if index_type and dtype_of(index_type) is None:
        raise _malformed(
            record.element, file, "int64 indices", f"indices of element type {index_type}"
        )
    try:
        values = numpy_helper.to_array(sparse.values)
        indices = numpy_helper.to_array(sparse.indices) if index_type else _NONE
    except (DecodeError, ValueError, TypeError, OverflowError) as error:
        raise _malformed(record.element, file, "values and indices", str(error)[:200]) from error
    shape, rank = record.dims, len(record.dims)
    is_linear = indices.shape == values.shape
    is_per_axis = indices.shape == (values.size, rank)
    if values.ndim != 1 or indices.dtype != np.int64 or not (is_linear or is_per_axis):
        raise _malformed(
            record.element,
            file,
            f"a list of values, and int64 indices of shape [{values.size}] or "
            f"[{values.size}, {rank}]",
            f"values {list(values.shape)}, {indices.dtype} indices {list(indices.shape)}",
        )
    sizes = (record.elements,) if is_linear else shape
    if np.any(indices < 0) or np.any(indices >= np.array(sizes, np.int64)):
        raise _malformed(record.element, file, f"indices within {list(sizes)}", "one outside")
    flat = indices
    if not is_linear:
        flat = np.ravel_multi_index(tuple(indices.T), shape) if values.size else indices[:, :0]
    whole = np.zeros(record.elements, record.dtype)
    whole[flat.reshape(-1)] = values
    return whole.reshape(shape)


_NONE = np.zeros(0, np.int64)


def _malformed(element: str, file: str, expected: str, found: str) -> MalformedError:
    return MalformedError(
        "a sparse tensor contradicts itself",
        where=Location(file=file, element=element),
        expected=expected,
        found=found,
        fix="Export the model again: this tensor is damaged.",
    )
