"""Each type of layer in ONNX operators, by the equations of Caffe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import TypeAlias

from onnx import TensorProto

from conformance.runtimes.caffe.graph import Layer
from conformance.runtimes.caffe.layers import Shape, arranging, count, pointwise
from conformance.runtimes.caffe.translation import _planes
from conformance.runtimes.caffe.translation._builder import GraphBuilder
from conformance.runtimes.caffe.translation._recurrent import recurrent

Translator: TypeAlias = Callable[[GraphBuilder, Layer, Sequence[str], Sequence[Shape]], list[str]]
"""Takes the graph, the layer, the names of its inputs and the shapes of its outputs."""


def _plain(
    op: str, graph: GraphBuilder, _layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    return [graph.add(op, *names)]


def _relu(graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    slope = layer.node.options.negative_slope
    return [graph.add("LeakyRelu", *names, alpha=slope) if slope else graph.add("Relu", *names)]


def _elu(graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    return [graph.add("Elu", *names, alpha=layer.node.options.alpha)]


def _exp(graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    log_base = 1.0 if own.base == -1 else math.log(own.base)
    power = graph.add("Mul", names[0], graph.number(log_base * own.scale))
    return [graph.add("Mul", graph.add("Exp", power), graph.number(math.exp(log_base * own.shift)))]


def _affine(graph: GraphBuilder, value: str, scale: float, shift: float) -> str:
    if scale != 1:
        value = graph.add("Mul", value, graph.number(scale))
    return graph.add("Add", value, graph.number(shift)) if shift else value


def _log(graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    value = graph.add("Log", _affine(graph, names[0], own.scale, own.shift))
    factor = 1.0 if own.base == -1 else 1 / math.log(own.base)
    return [_affine(graph, value, factor, 0)]


def _power(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    own = layer.node.options
    value = _affine(graph, names[0], own.scale, own.shift)
    return [value if own.power == 1 else graph.add("Pow", value, graph.number(own.power))]


def _threshold(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    above = graph.add("Greater", names[0], graph.number(layer.node.options.threshold))
    return [graph.add("Cast", above, to=TensorProto.FLOAT)]


def _clip(graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    return [graph.add("Clip", names[0], graph.number(own.min), graph.number(own.max))]


def _swish(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    gate = graph.add("Sigmoid", _affine(graph, names[0], layer.node.options.beta, 0))
    return [graph.add("Mul", names[0], gate)]


def _unchanged(
    _: GraphBuilder, _layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    return [names[0]] * len(tops)


def _spread(shape: Shape, rank: int, axis: int) -> Shape:
    """Return ``shape`` as the axes from ``axis`` on of ``rank`` axes, the others 1."""
    return (*(1,) * axis, *shape, *(1,) * (rank - axis - len(shape)))


def _of_channels(graph: GraphBuilder, layer: Layer, place: int) -> str:
    """Return a parameter of one value for each channel, or for all of them."""
    rank = len(layer.node.bottoms[0])
    weight = layer.weights[place]
    name = f"{layer.name}/{weight.name}"
    return graph.parameter(name, _spread(weight.shape or (1,), rank, min(1, rank - 1)))


def _prelu(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    return [graph.add("PRelu", names[0], _of_channels(graph, layer, 0))]


def _batch_norm(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    mean, variance = (_of_channels(graph, layer, place) for place in (0, 1))
    scale = graph.parameter(f"{layer.name}/{layer.weights[2].name}", (1,))
    zero = graph.number(0)
    # Statistics are stored as sums, scale_factor being what to divide by; nothing summed is 0.
    empty = graph.add("Equal", scale, zero)
    factor = graph.add("Where", empty, zero, graph.add("Reciprocal", scale))
    centred = graph.add("Sub", names[0], graph.add("Mul", mean, factor))
    spread = _affine(graph, graph.add("Mul", variance, factor), 1, layer.node.options.eps)
    return [graph.add("Div", centred, graph.add("Sqrt", spread))]


def _scale(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    value, factors = _factors(graph, layer, names)
    multiplied = graph.add("Mul", value, factors[0])
    return [graph.add("Add", multiplied, factors[1]) if len(factors) > 1 else multiplied]


def _bias(graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    value, factors = _factors(graph, layer, names)
    return [graph.add("Add", value, factors[0])]


def _factors(graph: GraphBuilder, layer: Layer, names: Sequence[str]) -> tuple[str, list[str]]:
    """Return the first input, then the second and all parameters, shaped to fit it."""
    axis, factor = pointwise.scaled_axes(layer.node)
    wanted = _spread(factor, len(layer.node.bottoms[0]), axis)
    given = [graph.reshaped(name, wanted) for name in names[1:]]
    learned = [graph.parameter(f"{layer.name}/{w.name}", wanted) for w in layer.weights]
    return names[0], given + learned


def _eltwise(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    operation = layer.node.label("operation")
    if operation == "SUM":
        factors = list(layer.node.options.coeff) or [1.0] * len(names)
        names = [_affine(graph, name, f, 0) for name, f in zip(names, factors, strict=True)]
    op = {"SUM": "Add", "PROD": "Mul", "MAX": "Max"}[operation]
    return [reduce(partial(graph.add, op), names)]


def _mvn(graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    shape, own = layer.node.bottoms[0], layer.node.options
    kept = 1 if own.across_channels else 2
    flat = graph.reshaped(names[0], (count(shape[:kept]), count(shape[kept:])))
    centred = graph.add("Sub", flat, graph.add("ReduceMean", flat, axes=[1]))
    if own.normalize_variance:
        variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), axes=[1])
        spread = _affine(graph, graph.add("Sqrt", variance), 1, own.eps)
        centred = graph.add("Div", centred, spread)
    return [graph.reshaped(centred, shape)]


def _normalize(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    own = layer.node.options
    axes = graph.integers((1, 2, 3) if own.across_spatial else (1,))
    squares = graph.add("ReduceSum", graph.add("Mul", names[0], names[0]), axes)
    length = graph.add("Sqrt", _affine(graph, squares, 1, own.eps))
    return [graph.add("Mul", graph.add("Div", names[0], length), _of_channels(graph, layer, 0))]


def _softmax(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    axis = layer.node.axis(layer.node.options.axis, len(layer.node.bottoms[0]))
    return [graph.add("Softmax", names[0], axis=axis)]


def _inner_product(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    shape, own = layer.node.bottoms[0], layer.node.options
    axis = layer.node.axis(own.axis, len(shape))
    flat = graph.reshaped(names[0], (count(shape[:axis]), count(shape[axis:])))
    learned = [graph.parameter(f"{layer.name}/{w.name}", w.shape) for w in layer.weights]
    made = graph.add("Gemm", flat, *learned, transB=0 if own.transpose else 1)
    return [graph.reshaped(made, tops[0])]


def _embed(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    table, *bias = (graph.parameter(f"{layer.name}/{w.name}", w.shape) for w in layer.weights)
    words = graph.add("Cast", names[0], to=TensorProto.INT64)
    made = graph.add("Gather", table, words, axis=0)
    return [graph.add("Add", made, *bias) if bias else made]


def _concat(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    return [graph.add("Concat", *names, axis=arranging.joined_axis(layer.node, "concat_dim"))]


def _slice(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    axis = arranging.joined_axis(layer.node, "slice_dim")
    sizes = graph.integers([top[axis] for top in tops])
    return graph.add_many("Split", [names[0], sizes], len(tops), axis=axis)


def _permute(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    return [graph.add("Transpose", names[0], perm=arranging.permuted_order(layer.node))]


def _rearranged(
    graph: GraphBuilder, _layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    return [graph.reshaped(names[0], tops[0])]


def _tile(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    repeats = [new // old for new, old in zip(tops[0], layer.node.bottoms[0], strict=True)]
    return [graph.add("Tile", names[0], graph.integers(repeats))]


def _reduction(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    shape, own = layer.node.bottoms[0], layer.node.options
    axis = arranging.reduced_axis(layer.node)
    value = graph.reshaped(names[0], (count(shape[:axis]), count(shape[axis:])))
    operation = layer.node.label("operation")
    if operation == "ASUM":
        value = graph.add("Abs", value)
    elif operation == "SUMSQ":
        value = graph.add("Mul", value, value)
    total = graph.add("ReduceSum", value, graph.integers((1,)), keepdims=0)
    share = own.coeff / count(shape[axis:]) if operation == "MEAN" else own.coeff
    return [graph.reshaped(_affine(graph, total, share, 0), tops[0])]


def _argmax(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    shape, axis = layer.node.bottoms[0], arranging.argmax_axis(layer.node)
    value = names[0] if axis is not None else graph.reshaped(names[0], (shape[0], count(shape[1:])))
    # Of equal values Caffe takes the last.
    found = graph.add("ArgMax", value, axis=1 if axis is None else axis, select_last_index=1)
    return [graph.reshaped(graph.add("Cast", found, to=TensorProto.FLOAT), tops[0])]


TRANSLATORS: Mapping[str, Translator] = {
    "AbsVal": partial(_plain, "Abs"),
    "BNLL": partial(_plain, "Softplus"),
    "Sigmoid": partial(_plain, "Sigmoid"),
    "TanH": partial(_plain, "Tanh"),
    "ReLU": _relu,
    "ELU": _elu,
    "Exp": _exp,
    "Log": _log,
    "Power": _power,
    "Threshold": _threshold,
    "Clip": _clip,
    "Swish": _swish,
    "PReLU": _prelu,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "Bias": _bias,
    "Eltwise": _eltwise,
    "MVN": _mvn,
    "Normalize": _normalize,
    "Softmax": _softmax,
    "InnerProduct": _inner_product,
    "Embed": _embed,
    "Concat": _concat,
    "Slice": _slice,
    "Permute": _permute,
    "Flatten": _rearranged,
    "Reshape": _rearranged,
    "Tile": _tile,
    "Reduction": _reduction,
    "ArgMax": _argmax,
    "Convolution": _planes.convolution,
    "Deconvolution": _planes.deconvolution,
    "Pooling": _planes.pooling,
    "LRN": _planes.lrn,
    "Crop": _planes.crop,
    "LSTM": recurrent,
    "RNN": recurrent,
    "Dropout": _unchanged,
    "Split": _unchanged,
    "Silence": _unchanged,
}
"""Every type of layer that can be run."""
