"""Layers that slide over height and width: convolution, pooling, normalisation, cropping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.runtimes.caffe.layers._node import (
    FLOAT_BYTES,
    MAX_OPTION,
    Inferred,
    Kind,
    Node,
    Shape,
    Weight,
    count,
    kind,
)
from conformance.runtimes.caffe.layers._window import (
    PLANE_RANK,
    convolution_window,
    pooling_window,
    rounds_up,
)


def crop_offsets(node: Node) -> tuple[Shape, Shape]:
    """Return the offset and the size of what a Crop layer keeps, along every axis."""
    data, like = node.bottoms
    start = node.axis(node.options.axis, len(data))
    given, cropped = node.numbers("offset"), len(data) - start
    node.require(
        len(like) == len(data) and len(given) in (0, 1, cropped),
        "its offsets or its second input do not fit its first",
        f"0, 1 or {cropped} offsets, and {len(data)} axes",
        f"{len(given)} offsets, and {len(like)} axes",
    )
    offsets = [0] * start + (given or [0]) * (cropped // (len(given) or 1))
    sizes = [*data[:start], *like[start:]]
    kept = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
    fits = all(end <= whole for end, whole in zip(kept, data, strict=True))
    node.require(fits, "it keeps more than there is", f"at most {list(data)}", kept)
    return tuple(offsets), tuple(sizes)


def _convolution(node: Node) -> Inferred:
    items, channels, *plane = node.rank(PLANE_RANK)
    outputs, group = _channels(node, channels)
    window = convolution_window(node)
    sizes = _placed(node, [window.places(size, axis) for axis, size in enumerate(plane)])
    weights = _learned(node, (outputs, channels // group, *window.kernel), outputs)
    return Inferred(((items, outputs, *sizes),), weights)


def _deconvolution(node: Node) -> Inferred:
    items, channels, *plane = node.rank(PLANE_RANK)
    outputs, group = _channels(node, channels)
    window = convolution_window(node)
    sizes = _placed(node, [window.spread(size, axis) for axis, size in enumerate(plane)])
    weights = _learned(node, (channels, outputs // group, *window.kernel), outputs)
    columns = outputs * count(window.kernel) * count(plane) * FLOAT_BYTES
    return Inferred(((items, outputs, *sizes),), weights, columns)


def _channels(node: Node, channels: int) -> tuple[int, int]:
    """Return the number of output channels and of groups."""
    axis = node.axis(node.options.axis, PLANE_RANK)
    node.require(axis == 1, "its axis is not that of channels", "axis 1 of four", axis)
    outputs, group = node.positive("num_output"), node.positive("group")
    node.require(
        channels % group == 0 and outputs % group == 0,
        "its groups do not divide its channels",
        f"{group} equal groups",
        f"{channels} input and {outputs} output channels",
    )
    return outputs, group


def _learned(node: Node, weight: Shape, outputs: int) -> tuple[Weight, ...]:
    bias = (Weight("bias", (outputs,)),) if node.options.bias_term else ()
    return (Weight("weight", weight), *bias)


def _placed(node: Node, sizes: Sequence[int]) -> Sequence[int]:
    node.require(
        min(sizes) > 0, "its window does not fit into its input", "at least one place", sizes
    )
    return sizes


def _pooling(node: Node) -> Inferred:
    items, channels, *plane = node.rank(PLANE_RANK)
    if node.label("pool") == "STOCHASTIC":
        raise node.unsupported(
            "stochastic pooling cannot be run",
            *("pool: MAX or AVE", "STOCHASTIC", "Replace the layer."),
        )
    window, ceil = pooling_window(node), rounds_up(node)
    sizes = [window.pooled(size, axis, ceil=ceil) for axis, size in enumerate(plane)]
    for axis, (size, places) in enumerate(zip(plane, sizes, strict=True)):
        last = (places - 1) * window.stride[axis] - window.pad[axis]
        node.require(last < size, "its last window lies outside", f"a start below {size}", last)
    return Inferred(((items, channels, *_placed(node, sizes)),))


def _lrn(node: Node) -> Inferred:
    shape, size = node.rank(PLANE_RANK), node.options.local_size
    node.require(
        size % 2 == 1 and size <= MAX_OPTION, "its local_size is wrong", "an odd number", size
    )
    if node.options.alpha <= 0 or node.options.beta <= 0:
        raise node.unsupported(
            "a normalisation that does not reduce what is large cannot be run",
            *("alpha and beta above 0", f"{node.options.alpha}, {node.options.beta}"),
            "Remove the layer, or write what it computes with other layers.",
        )
    return Inferred((shape,), scratch_bytes=2 * count(shape) * FLOAT_BYTES)


def _crop(node: Node) -> Inferred:
    return Inferred((crop_offsets(node)[1],))


_CONVOLUTION = (
    "num_output bias_term pad kernel_size stride dilation pad_h pad_w kernel_h kernel_w stride_h "
    "stride_w group axis"
)
_POOLING = (
    "pool pad pad_h pad_w kernel_size kernel_h kernel_w stride stride_h stride_w global_pooling "
    "round_mode ceil_mode"
)
_IDLE = "weight_filler bias_filler engine force_nd_im2col"

KINDS: Mapping[str, Kind] = {
    "Convolution": kind(_convolution, "convolution_param", read=_CONVOLUTION, idle=_IDLE),
    "Deconvolution": kind(_deconvolution, "convolution_param", read=_CONVOLUTION, idle=_IDLE),
    "Pooling": kind(_pooling, "pooling_param", read=_POOLING, idle="engine"),
    "LRN": kind(_lrn, "lrn_param", read="local_size alpha beta norm_region k", idle="engine"),
    "Crop": kind(_crop, "crop_param", read="axis offset", bottoms=(2, 2)),
}
