"""Inputs and outputs of a graph as ports; only tensors can be judged."""

from __future__ import annotations

from onnx import TensorProto, TensorShapeProto, TypeProto, ValueInfoProto

from conformance.runtimes._protocol import Dim, PortInfo
from conformance.runtimes.onnx.dtypes import dtype_of
from conformance.verdicts import Location, UnsupportedError

_NUMPY_KINDS = "biufc"


def port_of(value: ValueInfoProto, file: str) -> PortInfo:
    """Return the port that ``value`` describes; UnsupportedError if it is not a plain tensor.

    Sequences, maps (as the ZipMap operator makes them), optional values and element types that
    NumPy has not are refused.
    """
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise _unsupported(
            value.name, file, (kind or "no type").removesuffix("_type"), _WITHOUT_ZIPMAP
        )
    tensor = value.type.tensor_type
    return PortInfo(value.name, _dtype_name(value.name, tensor.elem_type, file), _shape(tensor))


_WITHOUT_ZIPMAP = "Export the network with plain tensors as inputs and outputs (without ZipMap)."
_WITH_CAST = "Put a Cast to float32 before this output, or after this input, into the graph."


def _dtype_name(name: str, elem_type: int, file: str) -> str:
    if elem_type == TensorProto.STRING:
        return "string"
    dtype = dtype_of(elem_type)
    if dtype is None or dtype.kind not in _NUMPY_KINDS or dtype.isbuiltin != 1:
        found = f"a tensor of {dtype.name if dtype is not None else f'type {elem_type}'}"
        raise _unsupported(name, file, found, _WITH_CAST)
    return dtype.name


def _shape(tensor: TypeProto.Tensor) -> tuple[Dim, ...]:
    return tuple(_dim(dim) for dim in tensor.shape.dim)


def _dim(dim: TensorShapeProto.Dimension) -> Dim:
    """Return a size, a name, or None; some exporters write -1 for an axis that is free."""
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value >= 0 else None
    # Three dots mean something else: a port of which nothing is known.
    return dim.dim_param if dim.dim_param not in ("", "...") else None


def _unsupported(name: str, file: str, found: str, fix: str) -> UnsupportedError:
    return UnsupportedError(
        f"input or output {name!r} is not a tensor that can be judged",
        where=Location(file=file, element=name),
        expected="a tensor of numbers, booleans or strings",
        found=found,
        fix=fix,
    )
