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
from conformance.runtimes.caffe.translation._recurrent import recurrent
from conformance.runtimes.caffe.translation._sheet import Sheet

Translator: TypeAlias = Callable[[Sheet, Layer, Sequence[str], Sequence[Shape]], list[str]]
"""Takes the sheet, the layer, the names of its inputs and the shapes of its outputs."""


def _plain(
    op: str, sheet: Sheet, _layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    return [sheet.add(op, *names)]


def _relu(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    slope = layer.node.options.negative_slope
    return [sheet.add("LeakyRelu", *names, alpha=slope) if slope else sheet.add("Relu", *names)]


def _elu(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    return [sheet.add("Elu", *names, alpha=layer.node.options.alpha)]


def _exp(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    log_base = 1.0 if own.base == -1 else math.log(own.base)
    power = sheet.add("Mul", names[0], sheet.number(log_base * own.scale))
    return [sheet.add("Mul", sheet.add("Exp", power), sheet.number(math.exp(log_base * own.shift)))]


def _affine(sheet: Sheet, value: str, scale: float, shift: float) -> str:
    if scale != 1:
        value = sheet.add("Mul", value, sheet.number(scale))
    return sheet.add("Add", value, sheet.number(shift)) if shift else value


def _log(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    value = sheet.add("Log", _affine(sheet, names[0], own.scale, own.shift))
    factor = 1.0 if own.base == -1 else 1 / math.log(own.base)
    return [_affine(sheet, value, factor, 0)]


def _power(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    value = _affine(sheet, names[0], own.scale, own.shift)
    return [value if own.power == 1 else sheet.add("Pow", value, sheet.number(own.power))]


def _threshold(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    above = sheet.add("Greater", names[0], sheet.number(layer.node.options.threshold))
    return [sheet.add("Cast", above, to=TensorProto.FLOAT)]


def _clip(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    return [sheet.add("Clip", names[0], sheet.number(own.min), sheet.number(own.max))]


def _swish(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    gate = sheet.add("Sigmoid", _affine(sheet, names[0], layer.node.options.beta, 0))
    return [sheet.add("Mul", names[0], gate)]


def _unchanged(_: Sheet, _layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    return [names[0]] * len(tops)


def _spread(shape: Shape, rank: int, axis: int) -> Shape:
    """Return ``shape`` as the axes from ``axis`` on of ``rank`` axes, the others 1."""
    return (*(1,) * axis, *shape, *(1,) * (rank - axis - len(shape)))


def _of_channels(sheet: Sheet, layer: Layer, place: int) -> str:
    """Return a parameter of one value for each channel, or for all of them."""
    rank = len(layer.node.bottoms[0])
    weight = layer.weights[place]
    name = f"{layer.name}/{weight.name}"
    return sheet.parameter(name, _spread(weight.shape or (1,), rank, min(1, rank - 1)))


def _prelu(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    return [sheet.add("PRelu", names[0], _of_channels(sheet, layer, 0))]


def _batch_norm(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    mean, variance = (_of_channels(sheet, layer, place) for place in (0, 1))
    scale = sheet.parameter(f"{layer.name}/{layer.weights[2].name}", (1,))
    zero = sheet.number(0)
    # Statistics are stored as sums, scale_factor being what to divide by; nothing summed is 0.
    empty = sheet.add("Equal", scale, zero)
    factor = sheet.add("Where", empty, zero, sheet.add("Reciprocal", scale))
    centred = sheet.add("Sub", names[0], sheet.add("Mul", mean, factor))
    spread = _affine(sheet, sheet.add("Mul", variance, factor), 1, layer.node.options.eps)
    return [sheet.add("Div", centred, sheet.add("Sqrt", spread))]


def _scale(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    value, factors = _factors(sheet, layer, names)
    multiplied = sheet.add("Mul", value, factors[0])
    return [sheet.add("Add", multiplied, factors[1]) if len(factors) > 1 else multiplied]


def _bias(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    value, factors = _factors(sheet, layer, names)
    return [sheet.add("Add", value, factors[0])]


def _factors(sheet: Sheet, layer: Layer, names: Sequence[str]) -> tuple[str, list[str]]:
    """Return the first input, then the second and all parameters, shaped to fit it."""
    axis, factor = pointwise.scaled_axes(layer.node)
    wanted = _spread(factor, len(layer.node.bottoms[0]), axis)
    given = [sheet.reshaped(name, wanted) for name in names[1:]]
    learned = [sheet.parameter(f"{layer.name}/{w.name}", wanted) for w in layer.weights]
    return names[0], given + learned


def _eltwise(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    operation = layer.node.label("operation")
    if operation == "SUM":
        factors = list(layer.node.options.coeff) or [1.0] * len(names)
        names = [_affine(sheet, name, f, 0) for name, f in zip(names, factors, strict=True)]
    op = {"SUM": "Add", "PROD": "Mul", "MAX": "Max"}[operation]
    return [reduce(partial(sheet.add, op), names)]


def _mvn(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    shape, own = layer.node.bottoms[0], layer.node.options
    kept = 1 if own.across_channels else 2
    flat = sheet.reshaped(names[0], (count(shape[:kept]), count(shape[kept:])))
    centred = sheet.add("Sub", flat, sheet.add("ReduceMean", flat, axes=[1]))
    if own.normalize_variance:
        variance = sheet.add("ReduceMean", sheet.add("Mul", centred, centred), axes=[1])
        spread = _affine(sheet, sheet.add("Sqrt", variance), 1, own.eps)
        centred = sheet.add("Div", centred, spread)
    return [sheet.reshaped(centred, shape)]


def _normalize(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    axes = sheet.integers((1, 2, 3) if own.across_spatial else (1,))
    squares = sheet.add("ReduceSum", sheet.add("Mul", names[0], names[0]), axes)
    length = sheet.add("Sqrt", _affine(sheet, squares, 1, own.eps))
    return [sheet.add("Mul", sheet.add("Div", names[0], length), _of_channels(sheet, layer, 0))]


def _softmax(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    axis = layer.node.axis(layer.node.options.axis, len(layer.node.bottoms[0]))
    return [sheet.add("Softmax", names[0], axis=axis)]


def _inner_product(
    sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    shape, own = layer.node.bottoms[0], layer.node.options
    axis = layer.node.axis(own.axis, len(shape))
    flat = sheet.reshaped(names[0], (count(shape[:axis]), count(shape[axis:])))
    learned = [sheet.parameter(f"{layer.name}/{w.name}", w.shape) for w in layer.weights]
    made = sheet.add("Gemm", flat, *learned, transB=0 if own.transpose else 1)
    return [sheet.reshaped(made, tops[0])]


def _embed(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    table, *bias = (sheet.parameter(f"{layer.name}/{w.name}", w.shape) for w in layer.weights)
    words = sheet.add("Cast", names[0], to=TensorProto.INT64)
    made = sheet.add("Gather", table, words, axis=0)
    return [sheet.add("Add", made, *bias) if bias else made]


def _concat(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    return [sheet.add("Concat", *names, axis=arranging.joined_axis(layer.node, "concat_dim"))]


def _slice(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    axis = arranging.joined_axis(layer.node, "slice_dim")
    sizes = sheet.integers([top[axis] for top in tops])
    return sheet.add_many("Split", [names[0], sizes], len(tops), axis=axis)


def _permute(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    return [sheet.add("Transpose", names[0], perm=arranging.permuted_order(layer.node))]


def _rearranged(
    sheet: Sheet, _layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    return [sheet.reshaped(names[0], tops[0])]


def _tile(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    repeats = [new // old for new, old in zip(tops[0], layer.node.bottoms[0], strict=True)]
    return [sheet.add("Tile", names[0], sheet.integers(repeats))]


def _reduction(
    sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    shape, own = layer.node.bottoms[0], layer.node.options
    axis = arranging.reduced_axis(layer.node)
    value = sheet.reshaped(names[0], (count(shape[:axis]), count(shape[axis:])))
    operation = layer.node.label("operation")
    if operation == "ASUM":
        value = sheet.add("Abs", value)
    elif operation == "SUMSQ":
        value = sheet.add("Mul", value, value)
    total = sheet.add("ReduceSum", value, sheet.integers((1,)), keepdims=0)
    share = own.coeff / count(shape[axis:]) if operation == "MEAN" else own.coeff
    return [sheet.reshaped(_affine(sheet, total, share, 0), tops[0])]


def _argmax(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    shape, axis = layer.node.bottoms[0], arranging.argmax_axis(layer.node)
    value = names[0] if axis is not None else sheet.reshaped(names[0], (shape[0], count(shape[1:])))
    # Of equal values Caffe takes the last.
    found = sheet.add("ArgMax", value, axis=1 if axis is None else axis, select_last_index=1)
    return [sheet.reshaped(sheet.add("Cast", found, to=TensorProto.FLOAT), tops[0])]


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
