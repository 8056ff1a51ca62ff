"""Tensors in use that cannot be judged: of strings, sparse ones, or quantised in unusual ways."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.runtimes.tflite.dtypes import dtype_of, stored_bytes, type_name
from conformance.runtimes.tflite.flatbuffer import Reader, Table
from conformance.runtimes.tflite.model import Model, Subgraph, Tensor
from conformance.verdicts import LimitError, Location, UnsupportedError

_DENSIFY = "DENSIFY"


def check_tensors(reader: Reader, model: Model, graphs: Sequence[int], limit_bytes: int) -> None:
    """Check every tensor of the graphs in use; what it says of itself must be consistent.

    Raises MalformedError if not, LimitError for one beyond ``limit_bytes``, UnsupportedError for
    kinds of tensors that cannot be judged.
    """
    for number in graphs:
        read_otherwise = _read_otherwise(model.subgraphs[number])
        for index, tensor in enumerate(model.subgraphs[number].tensors):
            _check_kind(reader, tensor, index in read_otherwise)
            _check_size(reader, tensor, limit_bytes)
            quantisation = tensor.table.table("quantization")
            if quantisation is not None:
                _check_quantisation(reader, tensor, quantisation)


def _read_otherwise(graph: Subgraph) -> set[int]:
    """Return the tensors of a graph that other operators read than DENSIFY, or nothing stores."""
    read = {i for each in graph.operators if each.name != _DENSIFY for i in each.inputs}
    made = {i for i, tensor in enumerate(graph.tensors) if tensor.data is None}
    return read | made | set(graph.outputs)


def _check_kind(reader: Reader, tensor: Tensor, is_read_otherwise: bool) -> None:
    if dtype_of(tensor.code) is None:
        raise _unsupported(
            reader, tensor, "a tensor of numbers", f"a tensor of {type_name(tensor.code)}"
        )
    if tensor.table.table("sparsity") is not None and is_read_otherwise:
        expected = f"sparse tensors that are stored, and that {_DENSIFY} alone reads"
        raise _unsupported(reader, tensor, expected, "a sparse tensor")
    if tensor.is_variable and tensor.data is not None:
        raise reader.malformed(
            "a variable has a stored content",
            *(tensor.table.position, _element(tensor), "variables that begin at zero"),
            f"{tensor.data.size} bytes",
        )


def _check_size(reader: Reader, tensor: Tensor, limit_bytes: int) -> None:
    dtype = dtype_of(tensor.code)
    size = stored_bytes(dtype, tensor.elements) if dtype is not None else 0
    if size > limit_bytes:
        raise LimitError(
            "a tensor would take too much memory",
            where=Location(file=reader.file, element=_element(tensor)),
            expected=f"at most {limit_bytes} bytes",
            found=f"{size} bytes",
            fix="Submit a smaller model, or judge it with a higher memory limit.",
        )


def _check_quantisation(reader: Reader, tensor: Tensor, table: Table) -> None:
    """Check what kernels index without looking: one scale for all, or one for each slice."""
    if table.number("details_type"):
        raise _unsupported(
            reader, tensor, "quantisation by tensor or by axis", "blocks, or its own format"
        )
    points = table.vector("zero_point")
    count = points.length if points else 0
    axis = table.number("quantized_dimension")
    slices = tensor.shape[axis] if 0 <= axis < len(tensor.shape) else 1
    if tensor.scales not in (0, 1, slices) or count not in (0, tensor.scales):
        raise reader.malformed(
            "the quantisation of a tensor does not fit its shape",
            *(table.position, f"{_element(tensor)} quantization"),
            f"one scale and zero point, or {slices} of each for shape {list(tensor.shape)}",
            f"{tensor.scales} scales and {count} zero points, of axis {axis}",
        )


def _unsupported(reader: Reader, tensor: Tensor, expected: str, found: str) -> UnsupportedError:
    return UnsupportedError(
        f"tensor {tensor.name!r} is of a kind that cannot be judged",
        where=Location(
            file=reader.file, byte_offset=tensor.table.position, element=_element(tensor)
        ),
        expected=expected,
        found=found,
        fix="Convert the model again, without strings, sparsity and quantisation by blocks.",
    )


def _element(tensor: Tensor) -> str:
    return f"{tensor.element} {tensor.name}".rstrip()
