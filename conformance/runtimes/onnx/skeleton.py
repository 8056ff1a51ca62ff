"""The model that ONNX Runtime is given: the graph in a few kilobytes, its parameters next to it.

Large initializers are marked as external data, and their bytes handed over in memory, before any
optimisation and without a copy. (``SessionOptions.add_initializer`` would not do: optimisations
have by then folded the model's own values into the graph, which then computes with parameters
that the sample does not have.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from onnx import ModelProto, NodeProto, TensorProto

from conformance.runtimes.onnx.buffers import Buffer
from conformance.runtimes.onnx.embedded import write_embedded
from conformance.runtimes.onnx.record import TensorRecord
from conformance.runtimes.onnx.sites import is_constant
from conformance.runtimes.onnx.unsigned import use_unsigned_weights

_INLINE_BYTES = 1024
_INLINE_RANK = 1
_ROOM_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A serialised model, and the buffers its external data locations stand for."""

    model: bytes
    locations: tuple[str, ...]
    buffers: tuple[Buffer, ...]


def build_skeleton(
    topology: ModelProto,
    tensors: Iterable[tuple[TensorRecord, Buffer | TensorProto]],
    embedded: Mapping[str, Buffer],
) -> Skeleton:
    """Return the model of ``topology``, which has no initializers, with ``tensors`` as its own.

    The data of ``embedded`` are written into the graph, at their sites.
    """
    model = ModelProto()
    model.CopyFrom(topology)
    write_embedded(model, embedded)
    outside: dict[str, Buffer] = {}
    room = _ROOM_BYTES
    for record, data in tensors:
        if isinstance(data, TensorProto):
            model.graph.initializer.append(data)
            continue
        tensor = model.graph.initializer.add(
            name=record.name, data_type=record.data_type, dims=record.dims
        )
        if _belongs_inside(record) and data.nbytes <= room:
            tensor.raw_data = data.tobytes()
            room -= data.nbytes
        else:
            _refer(tensor, str(len(outside)), data.nbytes)
            outside[str(len(outside))] = data
    _drop_constants(model, {tensor.name for tensor in model.graph.initializer})
    use_unsigned_weights(model, outside)
    return Skeleton(model.SerializeToString(), tuple(outside), tuple(outside.values()))


def _drop_constants(model: ModelProto, stored: set[str]) -> None:
    """Remove the Constant nodes whose tensors have become initializers."""
    nodes = [
        node for node in model.graph.node if not (is_constant(node) and _is_stub(node, stored))
    ]
    if len(nodes) < len(model.graph.node):
        del model.graph.node[:]
        model.graph.node.extend(nodes)


def _is_stub(node: NodeProto, stored: set[str]) -> bool:
    return not node.attribute and not stored.isdisjoint(node.output)


def _belongs_inside(record: TensorRecord) -> bool:
    """Return whether a tensor is small or a list of integers: shapes are inferred from it."""
    is_list = len(record.dims) <= _INLINE_RANK and record.dtype.kind in "iub"
    return record.nbytes < _INLINE_BYTES or is_list


def _refer(tensor: TensorProto, location: str, length: int) -> None:
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
