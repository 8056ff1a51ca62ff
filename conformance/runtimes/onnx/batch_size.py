"""How many items a network computes in one run: a rule that gives the same on every machine."""

from __future__ import annotations

import math

from onnx import GraphProto, ModelProto, ValueInfoProto, shape_inference

from conformance.runtimes.onnx.dtypes import dtype_of
from conformance.runtimes.onnx.functions import all_nodes
from conformance.runtimes.onnx.messages import DecodeError
from conformance.runtimes.onnx.operators import DYNAMIC
from conformance.runtimes.running import DYNAMIC_BATCH

_TARGET_BYTES = 256 << 20
_LARGEST = 256
_FREE_AXIS = 128


def quantises_dynamically(model: ModelProto) -> bool:
    """Return whether an operator takes the range of what it quantises from the whole batch."""
    graphs = (model.graph.node, *(function.node for function in model.functions))
    return any(node.op_type in DYNAMIC for nodes in graphs for node in all_nodes(nodes))


def free_batch(model: ModelProto) -> int:
    """Return the batch size of a network that prescribes none: from 1 to 256.

    It is 1 where an operator quantises dynamically, so that no item depends on the others. Else it
    is 256 MiB divided by the bytes of all tensors computed for one item. Their shapes are
    inferred with axis 0 of every input = 1; any other free axis counts as 128, and a tensor whose
    shape cannot be inferred as the largest of the others. Branches and loop bodies do not count.
    """
    if quantises_dynamically(model):
        return DYNAMIC_BATCH
    inferred = _inferred(model)
    known = {
        value.name: _bytes(value)
        for value in (*inferred.input, *inferred.value_info, *inferred.output)
    }
    largest = max((size for size in known.values() if size is not None), default=1)
    names = [name for node in inferred.node for name in node.output if name]
    total = sum(_or(known.get(name), largest) for name in names)
    return min(max(_TARGET_BYTES // max(total, 1), 1), _LARGEST)


def _or(size: int | None, default: int) -> int:
    return default if size is None else size


def _inferred(model: ModelProto) -> GraphProto:
    one = ModelProto()
    one.CopyFrom(model)
    del one.graph.value_info[:]
    for value in one.graph.input:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_value = 1
    for value in one.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        return shape_inference.infer_shapes(one, data_prop=True).graph
    except (shape_inference.InferenceError, DecodeError, ValueError):
        return one.graph


def _bytes(value: ValueInfoProto) -> int | None:
    """Return the size of a tensor; None if it has no known rank or type."""
    tensor = value.type.tensor_type
    dtype = dtype_of(tensor.elem_type)
    if not tensor.HasField("shape") or dtype is None:
        return None
    sizes = (dim.dim_value if dim.HasField("dim_value") else _FREE_AXIS for dim in tensor.shape.dim)
    return math.prod(max(size, 0) for size in sizes) * dtype.itemsize
