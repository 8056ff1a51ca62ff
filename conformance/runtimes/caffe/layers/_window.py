"""Windows that slide over height and width, as Caffe places them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from conformance.runtimes.caffe.layers._node import MAX_OPTION, Node

Pair: TypeAlias = tuple[int, int]
PLANE_RANK = 4


@dataclass(frozen=True, slots=True)
class Window:
    """What slides: sizes along height and width."""

    kernel: Pair
    stride: Pair
    pad: Pair
    dilation: Pair = (1, 1)

    def extent(self, axis: int) -> int:
        """Return what the kernel spans along one axis, its holes included."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def fits(self, plane: Sequence[int]) -> bool:
        """Return whether the kernel is no larger than a padded plane."""
        return all(
            size + 2 * pad >= kernel
            for size, pad, kernel in zip(plane, self.pad, self.kernel, strict=True)
        )

    def places(self, size: int, axis: int) -> int:
        """Return the number of places of a convolution along an axis of ``size``."""
        return (size + 2 * self.pad[axis] - self.extent(axis)) // self.stride[axis] + 1

    def spread(self, size: int, axis: int) -> int:
        """Return what a deconvolution makes of an axis of ``size``."""
        return self.stride[axis] * (size - 1) + self.extent(axis) - 2 * self.pad[axis]

    def pooled(self, size: int, axis: int, *, ceil: bool) -> int:
        """Return the number of places of a pooling along an axis of ``size``.

        With ``ceil`` a last window that reaches beyond the input counts, unless it starts there.
        """
        room, stride = size + 2 * self.pad[axis] - self.kernel[axis], self.stride[axis]
        places = (-(-room // stride) if ceil else room // stride) + 1
        begins_outside = any(self.pad) and (places - 1) * stride >= size + self.pad[axis]
        return places - begins_outside


def convolution_window(node: Node) -> Window:
    """Return the window of a Convolution or Deconvolution."""
    return Window(
        kernel=_pair(node, "kernel_size", "kernel", None),
        stride=_pair(node, "stride", "stride", 1),
        pad=_pair(node, "pad", "pad", 0),
        dilation=_pair(node, "dilation", "", 1),
    )


def pooling_window(node: Node) -> Window:
    """Return the window of a Pooling layer; with global_pooling it is the whole plane."""
    _, _, height, width = node.rank(PLANE_RANK)
    whole = node.options.global_pooling
    stride, pad = _pair(node, "stride", "stride", 1), _pair(node, "pad", "pad", 0)
    if whole:
        given = [name for name in ("kernel_size", "kernel_h", "kernel_w") if node.has(name)]
        fits = not given and stride == (1, 1) and pad == (0, 0)
        node.require(fits, "global pooling has no window", "no kernel, stride 1, pad 0", given)
        return Window((height, width), stride, pad)
    window = Window(_pair(node, "kernel_size", "kernel", None), stride, pad)
    fits = all(p < k for p, k in zip(window.pad, window.kernel, strict=True))
    node.require(fits, "it is padded too far", f"pad below {window.kernel}", window.pad)
    return window


def rounds_up(node: Node) -> bool:
    """Return whether the last, incomplete window of a Pooling layer counts."""
    if node.has("round_mode"):
        return node.label("round_mode") == "CEIL"
    return bool(node.options.ceil_mode)


def _pair(node: Node, stem: str, split: str, default: int | None) -> Pair:
    """Return an option for height and width, given once, twice, or as ``_h`` and ``_w``."""
    names = [f"{split}_h", f"{split}_w"] if split else []
    given = node.numbers(stem)
    if any(node.has(name) for name in names):
        node.require(not given, f"its {stem} is given twice", f"{stem}, or {names}", "both")
        sizes = [int(getattr(node.options, name)) for name in names]
    else:
        sizes = given or ([] if default is None else [default])
        node.require(len(sizes) in (1, 2), f"its {stem} is wrong", "1 or 2 numbers", sizes)
        sizes = sizes * (2 // len(sizes))
    least = 0 if stem == "pad" else 1
    fits = all(least <= size <= MAX_OPTION for size in sizes)
    node.require(fits, f"its {stem} is wrong", f"from {least} to {MAX_OPTION}", sizes)
    return sizes[0], sizes[1]
