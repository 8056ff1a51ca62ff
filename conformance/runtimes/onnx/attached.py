"""Tensors a model stores anywhere but among the initializers of its main graph.

A replacement cannot reach these: Constant nodes, attributes of operators (trees, tables),
initializers of the branches of If and Loop, sparse initializers and local functions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto

from conformance.runtimes.dtypes import DType, is_floating
from conformance.runtimes.onnx.dtypes import dtype_of
from conformance.verdicts import LimitError, Location, UnsupportedError

_FEWEST_WEIGHTS = 16
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Attached:
    """A tensor stored in ``place``; ``fewest`` elements make it one that holds parameters."""

    place: str
    data_type: int
    elements: int
    fewest: int = _FEWEST_WEIGHTS
    outside: bool = False
    sparse: bool = False

    @property
    def holds_parameters(self) -> bool:
        """Whether it is large enough, and of a type, to hold parameters: floats or few bits."""
        dtype = dtype_of(self.data_type)
        return self.elements >= self.fewest and dtype is not None and _is_weight_type(dtype)

    @property
    def unfolded_bytes(self) -> int:
        """Bytes of all its elements, zeros included."""
        dtype = dtype_of(self.data_type)
        return self.elements * (dtype.itemsize if dtype is not None else 1)


def attached_tensors(model: ModelProto) -> tuple[Attached, ...]:
    """Return every tensor outside the main graph's initializers.

    Nesting is bounded: protocol buffers are not parsed beyond 100 levels.
    """
    found = [*_in_sparse(model.graph.sparse_initializer, "graph.sparse_initializer")]
    found += _in_nodes(model.graph.node, "graph")
    for function in model.functions:
        place = f"function {function.name}"
        found += _in_nodes(function.node, place)
        for default in function.attribute_proto:
            found += _in_attribute(default, f"{place}.{default.name}")
    return tuple(found)


def check_attached(tensors: Iterable[Attached], file: str, limit_bytes: int) -> None:
    """Refuse tensors that are stored in other files, or that unfold beyond ``limit_bytes``."""
    for tensor in tensors:
        where = Location(file=file, element=tensor.place)
        if tensor.outside:
            raise UnsupportedError(
                "a tensor outside the main graph's initializers is stored in another file",
                where=where,
                expected="external data of initializers of the main graph only",
                found=f"external data of {tensor.place}",
                mend="Make it an initializer of the main graph, or store it in the model file.",
            )
        if tensor.sparse and tensor.unfolded_bytes > limit_bytes:
            raise LimitError(
                "a sparse tensor unfolds to more memory than is allowed",
                where=where,
                expected=f"at most {limit_bytes} bytes",
                found=f"{tensor.unfolded_bytes} bytes",
                mend="Submit a smaller tensor, or judge it with a higher memory limit.",
            )


def check_replaceable(tensors: Sequence[Attached], listed: int, parameters: int, file: str) -> None:
    """Refuse a model of which a replacement would leave parameters of the original in place.

    That is one with a tensor that holds parameters, and one that stores more values in all, of
    whatever type, than a graph needs for shapes, axes and scalars: weights can be hidden as
    integers, texts, or in many small pieces. ``listed`` are the elements of the topology
    constants, ``parameters`` those of the parameters that the network uses: any number of others
    could be stored to be allowed more.
    """
    stuck = [tensor for tensor in tensors if tensor.holds_parameters]
    allowed = max(_FEWEST_WEIGHTS, min(parameters // 10, 4096 + parameters // 1000))
    if not stuck and listed + sum(tensor.elements for tensor in tensors) > allowed:
        stuck = sorted(tensors, key=lambda tensor: -tensor.elements)
        raise _stuck(stuck, file, f"at most {allowed} values outside the parameters", listed)
    if stuck:
        raise _stuck(stuck, file, "every parameter in an initializer of the main graph", 0)


def _stuck(stuck: Sequence[Attached], file: str, expected: str, listed: int) -> UnsupportedError:
    places = [f"{listed} values in lists of integers or texts"] if listed else []
    places += [f"{tensor.place} ({tensor.elements} elements)" for tensor in stuck]
    more = [f"and {len(places) - _MOST_SHOWN} more"] if len(places) > _MOST_SHOWN else []
    return UnsupportedError(
        "the model stores parameters where a sample's cannot take their place",
        where=Location(file=file, element=stuck[0].place if stuck else None),
        expected=expected,
        found="; ".join([*places[:_MOST_SHOWN], *more]),
        mend=(
            "Export the model with its parameters as initializers of the main graph, or submit "
            "the sample as a whole ONNX model."
        ),
    )


def _is_weight_type(dtype: DType) -> bool:
    return is_floating(dtype) or (dtype.itemsize == 1 and dtype.kind != "b")


def _in_graph(graph: GraphProto, place: str) -> Iterator[Attached]:
    for tensor in graph.initializer:
        yield _dense(tensor, f"{place}.initializer {tensor.name}", fewest=2)
    yield from _in_sparse(graph.sparse_initializer, f"{place}.sparse_initializer")
    yield from _in_nodes(graph.node, place)


def _in_nodes(nodes: Iterable[NodeProto], place: str) -> Iterator[Attached]:
    for index, node in enumerate(nodes):
        here = f"{place}.node[{index}] {node.op_type}" + (f" {node.name}" if node.name else "")
        for attribute in node.attribute:
            yield from _in_attribute(attribute, f"{here}.{attribute.name}")
            if node.op_type == "Constant":
                yield from _plain_values(attribute, f"{here}.{attribute.name}")


def _in_attribute(attribute: AttributeProto, place: str) -> Iterator[Attached]:
    if attribute.floats:
        yield Attached(place, TensorProto.FLOAT, len(attribute.floats))
    for tensor in (attribute.t, *attribute.tensors):
        if tensor.ByteSize():
            yield _dense(tensor, place)
    for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
        if sparse.ByteSize():
            yield from _in_sparse([sparse], place)
    for graph in (attribute.g, *attribute.graphs):
        if graph.ByteSize():
            yield from _in_graph(graph, place)


def _plain_values(attribute: AttributeProto, place: str) -> Iterator[Attached]:
    """Yield the integers and texts of a Constant; lists of floats are found in any operator."""
    if attribute.ints:
        yield Attached(place, TensorProto.INT64, len(attribute.ints))
    texts = sum(len(text) for text in (attribute.s, *attribute.strings))
    if texts:
        yield Attached(place, TensorProto.STRING, texts)


def _in_sparse(tensors: Iterable[SparseTensorProto], place: str) -> Iterator[Attached]:
    for sparse in tensors:
        outside = any(_outside(part) for part in (sparse.values, sparse.indices))
        name = f"{place} {sparse.values.name}".rstrip()
        elements = math.prod(max(size, 0) for size in sparse.dims)
        yield Attached(name, sparse.values.data_type, elements, 1, outside, sparse=True)


def _dense(tensor: TensorProto, place: str, fewest: int = _FEWEST_WEIGHTS) -> Attached:
    elements = math.prod(max(size, 0) for size in tensor.dims)
    if tensor.data_type == TensorProto.STRING:
        elements = sum(len(text) for text in tensor.string_data)
    return Attached(place, tensor.data_type, elements, fewest, _outside(tensor))


def _outside(tensor: TensorProto) -> bool:
    return bool(tensor.data_location == TensorProto.EXTERNAL)
