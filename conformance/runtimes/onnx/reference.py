"""The reference implementation of ONNX, as a second opinion on a few items.

It is written for reading, not for speed, and runs in this process. So it is asked only where an
estimate of its work, which is the same on every machine, says that it ends within seconds, and only
about operators that compute arrays from arrays.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, shape_inference

from conformance.runtimes._protocol import Array
from conformance.runtimes.onnx.functions import STANDARD
from conformance.runtimes.onnx.messages import parse_model
from conformance.runtimes.onnx.skeleton import Skeleton

REFERENCE_ITEMS = 4
"""Items that it is asked about."""

MOST_WORK = 2_000_000_000
"""Multiply-adds, and what other operators take in their place: less than ten seconds."""

MOST_BYTES = 256 << 20
"""Bytes of parameters, which are copied, and of all values, which are kept."""

_VALUE_BYTES = 8
_ELEMENT = 8
_COSTLY = {"MaxPool": 2000, "AveragePool": 2000, "Erf": 200, "Gelu": 200}
"""What one element of the output takes, in multiply-adds, where it is not a few."""

_WEIGHTED = frozenset({"Conv", "Gemm", "MatMul"})
_OTHERS = """
    Abs Add And BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape CumSum
    DequantizeLinear Div Dropout Elu Equal Exp Expand Flatten Floor Gather GlobalAveragePool
    GlobalMaxPool Greater HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization
    LeakyRelu Less Log LogSoftmax Max Mean Min Mul Neg Not Or PRelu Pad Pow QuantizeLinear Range
    Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Selu Shape Sigmoid Sign Slice
    Softmax Softplus Split Sqrt Squeeze Sub Sum Tanh Tile Transpose Unsqueeze Where
"""
_KNOWN = _WEIGHTED.union(_COSTLY, _OTHERS.split())


def reference_outputs(skeleton: Skeleton, feeds: Mapping[str, Array]) -> dict[str, Array] | str:
    """Return the outputs by the reference implementation, or in words why it was not asked."""
    model = parse_model(skeleton.model)
    reason = _obstacle(model, skeleton, feeds)
    if reason:
        return reason
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            place = next(each.value for each in tensor.external_data if each.key == "location")
            buffer = skeleton.buffers[skeleton.locations.index(place)]
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
            tensor.raw_data = buffer.tobytes()
    from onnx.reference import ReferenceEvaluator

    try:
        with np.errstate(all="ignore"):
            outputs = ReferenceEvaluator(model).run(None, dict(feeds))
    except Exception as error:  # noqa: BLE001 - it decides nothing, and raises what it likes
        return f"it failed: {type(error).__name__}"
    finally:
        # Its nodes refer to it, and it holds copies of all parameters.
        gc.collect()
    names = [value.name for value in model.graph.output]
    return {name: np.asarray(array) for name, array in zip(names, outputs, strict=True)}


def _obstacle(model: ModelProto, skeleton: Skeleton, feeds: Mapping[str, Array]) -> str:
    if model.functions:
        return "the network has local functions"
    unknown = sorted({node.op_type for node in model.graph.node if not _is_known(node)})
    if unknown:
        return f"operators that it may be slow at: {', '.join(unknown[:5])}"
    if sum(buffer.nbytes for buffer in skeleton.buffers) > MOST_BYTES:
        return f"more than {MOST_BYTES} bytes of parameters"
    work = _work(model, feeds)
    if work is None:
        return "shapes that are known only when the network runs"
    if _VALUE_BYTES * work.values > MOST_BYTES:
        return f"more than {MOST_BYTES} bytes of values"
    return f"about {work.steps:.3g} multiply-adds" if work.steps > MOST_WORK else ""


def _is_known(node: NodeProto) -> bool:
    return node.domain in STANDARD and node.op_type in _KNOWN


class _Work(NamedTuple):
    """Multiply-adds, and values that are computed, the unfolded inputs of convolutions included."""

    steps: float
    values: float


def _work(model: ModelProto, feeds: Mapping[str, Array]) -> _Work | None:
    """Return the work of one run; None if a shape is not known before."""
    asked = ModelProto()
    asked.CopyFrom(model)
    for value in asked.graph.input:
        if value.name in feeds:
            kind, shape = value.type.tensor_type.elem_type, feeds[value.name].shape
            value.CopyFrom(helper.make_tensor_value_info(value.name, kind, shape))
    for value in asked.graph.output:
        value.type.tensor_type.ClearField("shape")
    del asked.graph.value_info[:]
    try:
        graph = shape_inference.infer_shapes(asked, data_prop=True).graph
    except (shape_inference.InferenceError, RuntimeError, ValueError):
        return None
    shapes = _shapes(graph)
    try:
        each = [_work_of(node, shapes) for node in graph.node]
    except KeyError:
        return None
    return _Work(sum(work.steps for work in each), sum(work.values for work in each))


def _work_of(node: NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> _Work:
    elements = sum(math.prod(shapes[name]) for name in node.output if name)
    if node.op_type not in _WEIGHTED:
        return _Work(elements * _COSTLY.get(node.op_type, _ELEMENT), elements)
    weights = shapes[node.input[1]]
    if node.op_type == "Conv":
        steps = elements * math.prod(weights[1:])
        return _Work(steps, elements + steps // max(weights[0], 1))
    inner = (shapes[node.input[0]] or (1,))[-1]
    if node.op_type == "Gemm":
        inner = math.prod(weights) // max(shapes[node.output[0]][-1], 1)
    return _Work(elements * inner, elements)


def _shapes(graph: GraphProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all values that have known ones."""
    found = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        shape = value.type.tensor_type.shape
        if value.type.tensor_type.HasField("shape") and all(
            each.HasField("dim_value") for each in shape.dim
        ):
            found[value.name] = tuple(each.dim_value for each in shape.dim)
    return found
