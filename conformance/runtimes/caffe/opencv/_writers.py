"""How each type of layer is written for OpenCV: in the shapes and with the options it honours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from conformance.runtimes.caffe.graph import Layer
from conformance.runtimes.caffe.layers import Shape, arranging, count, pointwise, spatial
from conformance.runtimes.caffe.layers._window import (
    Window,
    convolution_window,
    pooling_window,
    rounds_up,
)
from conformance.runtimes.caffe.opencv._sheet import Sheet, Use

Writer: TypeAlias = Callable[[Sheet, Layer, Sequence[str], Sequence[Shape]], list[str]]
"""Takes the sheet, the layer, the names of its inputs and the shapes of its outputs."""


class NotWritable(Exception):  # noqa: N818 - it is caught where another engine is chosen
    """OpenCV would not compute this layer as Caffe does."""


def split_at(shape: Shape, start: int, end: int) -> Shape:
    """Return four sizes: before the axes ``start`` to ``end``, these, those behind, and 1."""
    return count(shape[:start]), count(shape[start:end]), count(shape[end:]), 1


def _uses(layer: Layer, shapes: Sequence[Shape] | None = None) -> list[Use]:
    given = shapes or [weight.shape or (1,) for weight in layer.weights]
    names = [f"{layer.name}/{weight.name}" for weight in layer.weights]
    return [Use(name, shape) for name, shape in zip(names, given, strict=True)]


def _plain(
    type: str, options: str, sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    """Write a layer whose options are plain numbers; ``options`` is ``message: field field``."""
    message, _, fields = options.partition(": ")
    own = layer.node.options
    given = " ".join(f"{name}: {_text(getattr(own, name))}" for name in fields.split())
    return sheet.layer(type, names, tops, f"{message} {{ {given} }}" if given else "")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _swept(
    sheet: Sheet, layer: Layer, name: str, axes: tuple[int, int], type: str, options: str = ""
) -> list[str]:
    """Write a layer that works along axis 1, for axes ``start`` to ``end`` of its input."""
    shape = layer.node.bottoms[0]
    flat = split_at(shape, *axes)
    (made,) = sheet.layer(type, [sheet.reshaped(name, shape, flat)], [flat], options, _uses(layer))
    return [sheet.reshaped(made, flat, shape)]


def _window(window: Window) -> str:
    pairs = (("kernel", window.kernel), ("stride", window.stride), ("pad", window.pad))
    return " ".join(f"{name}_h: {pair[0]} {name}_w: {pair[1]}" for name, pair in pairs)


def _spreads_as_caffe(window: Window) -> bool:
    """Say whether OpenCV honours the whole window of a deconvolution.

    It passes over dilation, and over the padding of a kernel of one element, where it then writes
    beyond its own memory.
    """
    padded_point = window.kernel == (1, 1) and window.pad != (0, 0)
    return window.dilation == (1, 1) and not padded_point


def _convolution(
    sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    node, window = layer.node, convolution_window(layer.node)
    if node.type == "Deconvolution" and not _spreads_as_caffe(window):
        raise NotWritable
    options = (
        f"convolution_param {{ num_output: {node.options.num_output} group: {node.options.group} "
        f"bias_term: {_text(node.options.bias_term)} {_window(window)} "
        f"dilation: {window.dilation[0]} dilation: {window.dilation[1]} }}"
    )
    return sheet.layer(node.type, names, tops, options, _uses(layer))


def _pooling(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    node, window = layer.node, pooling_window(layer.node)
    one_sided = any(window.pad) and not all(window.pad)
    if one_sided or not window.fits(node.bottoms[0][2:]):
        raise NotWritable  # OpenCV would place another number of windows
    options = (
        f"pooling_param {{ pool: {node.label('pool')} {_window(window)} "
        f"ceil_mode: {_text(rounds_up(node))} }}"
    )
    return sheet.layer("Pooling", names, tops, options)


def _lrn(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    own, region = layer.node.options, layer.node.label("norm_region")
    if region == "ACROSS_CHANNELS" and own.k != 1:
        raise NotWritable  # OpenCV passes over k; within a channel Caffe does so too
    options = (
        f"lrn_param {{ local_size: {own.local_size} alpha: {own.alpha!r} beta: {own.beta!r} "
        f"norm_region: {region} }}"
    )
    return sheet.layer("LRN", names, tops, options)


def _crop(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    offsets, _ = spatial.crop_offsets(layer.node)
    axis = layer.node.axis(layer.node.options.axis, len(offsets))
    given = " ".join(f"offset: {offset}" for offset in offsets[axis:])
    return sheet.layer("Crop", names, tops, f"crop_param {{ axis: {axis} {given} }}")


def _inner_product(
    sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    shape, own = layer.node.bottoms[0], layer.node.options
    axis = layer.node.axis(own.axis, len(shape))
    rows, made = (count(shape[:axis]), count(shape[axis:])), (count(shape[:axis]), own.num_output)
    weight, *bias = _uses(layer)
    blobs = [Use(weight.parameter, (own.num_output, rows[1]), bool(own.transpose)), *bias]
    options = (
        f"inner_product_param {{ num_output: {own.num_output} bias_term: {_text(own.bias_term)} }}"
    )
    flat = sheet.reshaped(names[0], shape, rows)
    (value,) = sheet.layer("InnerProduct", [flat], [made], options, blobs)
    return [sheet.reshaped(value, made, tops[0])]


def _along_channels(
    type: str, options: str, sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    """Write a layer that has a parameter for each channel."""
    message, _colon, fields = options.partition(": ")
    own = layer.node.options
    given = " ".join(f"{name}: {_text(getattr(own, name))}" for name in fields.split())
    axes = (1, 2) if len(layer.node.bottoms[0]) > 1 else (0, 0)
    return _swept(sheet, layer, names[0], axes, type, f"{message} {{ {given} }}")


def _normalize(
    sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    own = layer.node.options
    if own.across_spatial and not own.channel_shared:
        raise NotWritable  # OpenCV takes one scale for what is normalised as a whole
    options = "norm_param: across_spatial channel_shared eps"
    return _along_channels("Normalize", options, sheet, layer, names, tops)


def _scale(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    node = layer.node
    if len(names) > 1:
        raise NotWritable
    axis, factor = pointwise.scaled_axes(node)
    shape = node.bottoms[0]
    flat = split_at(shape, axis, axis + len(factor))
    blobs = _uses(layer, [(count(factor),)] * len(layer.weights))
    options = f"scale_param {{ axis: 1 bias_term: {_text(node.options.bias_term)} }}"
    value = sheet.reshaped(names[0], shape, flat)
    (made,) = sheet.layer("Scale", [value], [flat], options, blobs)
    return [sheet.reshaped(made, flat, shape)]


def _softmax(sheet: Sheet, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    axis = layer.node.axis(layer.node.options.axis, len(layer.node.bottoms[0]))
    return _swept(sheet, layer, names[0], (axis, axis + 1), "Softmax", "softmax_param { axis: 1 }")


def _eltwise(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    given = "".join(f" coeff: {value!r}" for value in own.coeff)
    options = f"eltwise_param {{ operation: {layer.node.label('operation')}{given} }}"
    return sheet.layer("Eltwise", names, tops, options)


def _concat(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    axis = arranging.joined_axis(layer.node, "concat_dim")
    shapes = layer.node.bottoms
    flat = [split_at(shape, axis, axis + 1) for shape in shapes]
    values = [sheet.reshaped(n, s, f) for n, s, f in zip(names, shapes, flat, strict=True)]
    whole = split_at(tops[0], axis, axis + 1)
    (made,) = sheet.layer("Concat", values, [whole], "concat_param { axis: 1 }")
    return [sheet.reshaped(made, whole, tops[0])]


def _slice(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    shape, axis = layer.node.bottoms[0], arranging.joined_axis(layer.node, "slice_dim")
    if len(tops) == 1:
        return list(names)
    flat = split_at(shape, axis, axis + 1)
    parts = [split_at(top, axis, axis + 1) for top in tops]
    points = arranging.slice_points(layer.node)[1:-1]
    given = " ".join(f"slice_point: {point}" for point in points)
    value = sheet.reshaped(names[0], shape, flat)
    made = sheet.layer("Slice", [value], parts, f"slice_param {{ axis: 1 {given} }}")
    return [sheet.reshaped(m, p, t) for m, p, t in zip(made, parts, tops, strict=True)]


def _permute(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    given = " ".join(f"order: {axis}" for axis in arranging.permuted_order(layer.node))
    return sheet.layer("Permute", names, tops, f"permute_param {{ {given} }}")


def _rearranged(
    sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    return [sheet.reshaped(names[0], layer.node.bottoms[0], tops[0])]


def _unchanged(_: Sheet, _layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    return [names[0]] * len(tops)


def _log(sheet: Sheet, layer: Layer, names: Sequence[str], tops: Sequence[Shape]) -> list[str]:
    own = layer.node.options
    if (own.base, own.scale, own.shift) != (-1, 1, 0):
        raise NotWritable
    return sheet.layer("Log", names, tops)


WRITERS: Mapping[str, Writer] = {
    "AbsVal": partial(_plain, "AbsVal", ""),
    "BNLL": partial(_plain, "BNLL", ""),
    "Sigmoid": partial(_plain, "Sigmoid", ""),
    "TanH": partial(_plain, "TanH", ""),
    "ReLU": partial(_plain, "ReLU", "relu_param: negative_slope"),
    "ELU": partial(_plain, "ELU", "elu_param: alpha"),
    "Exp": partial(_plain, "Exp", "exp_param: base scale shift"),
    "Power": partial(_plain, "Power", "power_param: power scale shift"),
    "Log": _log,
    "Normalize": _normalize,
    "BatchNorm": partial(_along_channels, "BatchNorm", "batch_norm_param: eps"),
    "PReLU": partial(_along_channels, "PReLU", "prelu_param: channel_shared"),
    "Convolution": _convolution,
    "Deconvolution": _convolution,
    "Pooling": _pooling,
    "LRN": _lrn,
    "Crop": _crop,
    "InnerProduct": _inner_product,
    "Scale": _scale,
    "Softmax": _softmax,
    "Eltwise": _eltwise,
    "Concat": _concat,
    "Slice": _slice,
    "Permute": _permute,
    "Flatten": _rearranged,
    "Reshape": _rearranged,
    "Dropout": _unchanged,
    "Split": _unchanged,
    "Silence": _unchanged,
}
"""The types of layers that OpenCV computes as Caffe does."""
