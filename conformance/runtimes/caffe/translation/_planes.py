"""Layers that slide over height and width, in ONNX operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.runtimes.caffe.graph import Layer
from conformance.runtimes.caffe.layers import Shape, spatial
from conformance.runtimes.caffe.layers._window import (
    Window,
    convolution_window,
    pooling_window,
)
from conformance.runtimes.caffe.translation._builder import GraphBuilder


def convolution(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    """Translate a Convolution."""
    return [_convolved("Conv", graph, layer, names)]


def deconvolution(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]
) -> list[str]:
    """Translate a Deconvolution."""
    return [_convolved("ConvTranspose", graph, layer, names)]


def pooling(
    graph: GraphBuilder, layer: Layer, names: Sequence[str], tops: Sequence[Shape]
) -> list[str]:
    """Translate a Pooling: the last window may reach beyond the input.

    An average counts the padding, but nothing beyond it.
    """
    window, plane = pooling_window(layer.node), layer.node.bottoms[0][2:]
    if layer.node.label("pool") == "MAX":
        pads = [*window.pad, *_beyond(window, plane, tops[0][2:], window.pad)]
        return [graph.add("MaxPool", names[0], **_strides(window), pads=pads)]
    value = names[0]
    if any(window.pad):
        around = graph.integers([0, 0, *window.pad, 0, 0, *window.pad])
        value = graph.add("Pad", value, around, graph.number(0))
    padded = tuple(size + 2 * pad for size, pad in zip(plane, window.pad, strict=True))
    pads = [0, 0, *_beyond(window, padded, tops[0][2:], (0, 0))]
    return [graph.add("AveragePool", value, **_strides(window), pads=pads, count_include_pad=0)]


def lrn(graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    """Translate an LRN; within a channel k does not count."""
    own = layer.node.options
    if layer.node.label("norm_region") == "ACROSS_CHANNELS":
        return [
            graph.add(
                "LRN", names[0], size=own.local_size, alpha=own.alpha, beta=own.beta, bias=own.k
            )
        ]
    pad, kernel = own.local_size // 2, [own.local_size] * 2
    squares = graph.add("Mul", names[0], names[0])
    mean = graph.add(
        "AveragePool", squares, kernel_shape=kernel, pads=[pad] * 4, count_include_pad=1
    )
    scaled = graph.add("Mul", mean, graph.number(own.alpha))
    base = graph.add("Add", scaled, graph.number(1))
    return [graph.add("Mul", names[0], graph.add("Pow", base, graph.number(-own.beta)))]


def crop(graph: GraphBuilder, layer: Layer, names: Sequence[str], _: Sequence[Shape]) -> list[str]:
    """Translate a Crop."""
    offsets, sizes = spatial.crop_offsets(layer.node)
    ends = [offset + size for offset, size in zip(offsets, sizes, strict=True)]
    return [graph.add("Slice", names[0], graph.integers(offsets), graph.integers(ends))]


def _convolved(op: str, graph: GraphBuilder, layer: Layer, names: Sequence[str]) -> str:
    window = convolution_window(layer.node)
    learned = [graph.parameter(f"{layer.name}/{w.name}", w.shape) for w in layer.weights]
    return graph.add(
        op,
        names[0],
        *learned,
        **_strides(window),
        pads=[*window.pad, *window.pad],
        dilations=list(window.dilation),
        group=layer.node.options.group,
    )


def _strides(window: Window) -> dict[str, Any]:
    return {"kernel_shape": list(window.kernel), "strides": list(window.stride)}


def _beyond(
    window: Window, plane: Sequence[int], places: Sequence[int], before: Sequence[int]
) -> list[int]:
    """Return how far the last windows reach beyond an input padded in front by ``before``."""
    ends = [
        (number - 1) * stride + kernel - pad
        for number, stride, kernel, pad in zip(
            places, window.stride, window.kernel, before, strict=True
        )
    ]
    return [max(end - size, 0) for end, size in zip(ends, plane, strict=True)]
