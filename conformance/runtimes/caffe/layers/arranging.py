"""Layers that move values about without changing them, or pick some out."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from conformance.runtimes.caffe.layers._node import (
    MANY,
    MAX_OPTION,
    MAX_RANK,
    Inferred,
    Kind,
    Node,
    Shape,
    count,
    kind,
)

_ARGMAX_RANK = 3


def joined_axis(node: Node, old: str) -> int:
    """Return the axis of a Concat or Slice layer, whose option was once called ``old``."""
    if node.has(old):
        node.require(not node.has("axis"), "its axis is given twice", f"axis or {old}", "both")
        return node.axis(getattr(node.options, old), len(node.bottoms[0]), old)
    return node.axis(node.options.axis, len(node.bottoms[0]))


def slice_points(node: Node) -> Sequence[int]:
    """Return where a Slice layer cuts, both ends of its axis included."""
    size = node.bottoms[0][joined_axis(node, "slice_dim")]
    points = node.numbers("slice_point")
    if not points:
        node.require(size % node.tops == 0, "its parts are unequal", f"{node.tops} parts", size)
        return range(0, size + 1, size // node.tops)
    ends = [0, *points, size]
    grows = all(a < b for a, b in itertools.pairwise(ends))
    node.require(
        grows and len(points) == node.tops - 1,
        "its slice points are wrong",
        f"{node.tops - 1} rising numbers between 0 and {size}",
        points,
    )
    return ends


def flattened_axes(node: Node) -> tuple[int, int]:
    """Return the first axis that a Flatten layer joins, and the one after the last."""
    rank = len(node.bottoms[0])
    start = node.axis(node.options.axis, rank)
    end = node.axis(node.options.end_axis, rank, "end_axis")
    node.require(start <= end, "it ends before it starts", f"end_axis from {start}", end)
    return start, end + 1


def reduced_axis(node: Node) -> int:
    """Return the first axis that a Reduction layer sums over."""
    return node.axis(node.options.axis, len(node.bottoms[0]))


def argmax_axis(node: Node) -> int | None:
    """Return the axis that an ArgMax layer searches; None for all but the first."""
    if not node.has("axis"):
        return None
    return node.axis(node.options.axis, len(node.bottoms[0]))


def _concat(node: Node) -> Inferred:
    first, axis = node.bottoms[0], joined_axis(node, "concat_dim")
    rest = [(*shape[:axis], *shape[axis + 1 :]) for shape in node.bottoms]
    fits = all(len(shape) == len(first) for shape in node.bottoms) and len(set(rest)) == 1
    node.require(
        fits,
        f"its inputs differ along an axis other than {axis}",
        str(list(first)),
        [list(shape) for shape in node.bottoms[1:]],
    )
    joined = sum(shape[axis] for shape in node.bottoms)
    return Inferred(((*first[:axis], joined, *first[axis + 1 :]),))


def _slice(node: Node) -> Inferred:
    shape, axis = node.bottoms[0], joined_axis(node, "slice_dim")
    points = slice_points(node)
    sizes = [b - a for a, b in itertools.pairwise(points)]
    return Inferred(tuple((*shape[:axis], size, *shape[axis + 1 :]) for size in sizes))


def _flatten(node: Node) -> Inferred:
    shape, (start, end) = node.bottoms[0], flattened_axes(node)
    return Inferred(((*shape[:start], count(shape[start:end]), *shape[end:]),))


def _reshape(node: Node) -> Inferred:
    shape, options = node.bottoms[0], node.options
    rank = len(shape)
    # Behind the last axis is a place too: axis = rank, or -1.
    start = node.axis(options.axis, rank + 1)
    end = rank if options.num_axes == -1 else start + options.num_axes
    node.require(start <= end <= rank, "its num_axes is wrong", "-1 or more", options.num_axes)
    new = _filled(node, [int(size) for size in options.shape.dim], shape[start:])
    kept = count(shape[:start]) * count(shape[end:])
    if -1 in new:
        whole, known = count(shape), kept * count([size for size in new if size != -1])
        node.require(whole % known == 0, "its new shape does not fit", str(list(shape)), new)
        new[new.index(-1)] = whole // known
    result = (*shape[:start], *new, *shape[end:])
    fits = count(result) == count(shape)
    node.require(fits, "its new shape does not fit", str(list(shape)), list(result))
    return Inferred((result,))


def _filled(node: Node, new: list[int], old: Shape) -> list[int]:
    """Return the new sizes with every 0 replaced by the old size in its place."""
    fits = len(new) <= MAX_RANK and all(size >= -1 for size in new) and new.count(-1) <= 1
    node.require(fits, "its new shape is wrong", "sizes, 0, and at most one -1", new)
    copies = [place for place, size in enumerate(new) if size == 0]
    node.require(
        all(place < len(old) for place in copies), "it copies an axis that is not", str(old), new
    )
    return [old[place] if size == 0 else size for place, size in enumerate(new)]


def _permute(node: Node) -> Inferred:
    shape, order = node.bottoms[0], node.numbers("order")
    full = permuted_order(node)
    fits = len(set(order)) == len(order) and sorted(full) == list(range(len(shape)))
    node.require(fits, "its order is wrong", f"each of 0 to {len(shape) - 1} once", order)
    return Inferred((tuple(shape[axis] for axis in full),))


def permuted_order(node: Node) -> list[int]:
    """Return the whole order of a Permute layer: axes that it does not name come last."""
    order = node.numbers("order")
    return [*order, *(axis for axis in range(len(node.bottoms[0])) if axis not in order)]


def _tile(node: Node) -> Inferred:
    shape, tiles = node.bottoms[0], node.positive("tiles")
    axis = node.axis(node.options.axis, len(shape))
    node.require(tiles <= MAX_OPTION, "its tiles are too many", f"at most {MAX_OPTION}", tiles)
    return Inferred(((*shape[:axis], shape[axis] * tiles, *shape[axis + 1 :]),))


def _reduction(node: Node) -> Inferred:
    return Inferred((node.bottoms[0][: reduced_axis(node)],))


def _argmax(node: Node) -> Inferred:
    shape, axis = node.bottoms[0], argmax_axis(node)
    if node.options.top_k != 1 or node.options.out_max_val:
        raise node.unsupported(
            "an ArgMax of more than the largest index cannot be run",
            *("top_k: 1, and no out_max_val", "other", "Leave the selection to the metric."),
        )
    if axis is not None:
        return Inferred(((*shape[:axis], 1, *shape[axis + 1 :]),))
    return Inferred(((shape[0], *(1,) * (max(len(shape), _ARGMAX_RANK) - 1)),))


KINDS: Mapping[str, Kind] = {
    "Concat": kind(_concat, "concat_param", read="axis concat_dim", bottoms=(1, MANY)),
    "Slice": kind(_slice, "slice_param", read="axis slice_dim slice_point", tops=(1, MANY)),
    "Flatten": kind(_flatten, "flatten_param", read="axis end_axis"),
    "Reshape": kind(_reshape, "reshape_param", read="shape axis num_axes"),
    "Permute": kind(_permute, "permute_param", read="order"),
    "Tile": kind(_tile, "tile_param", read="axis tiles"),
    "Reduction": kind(_reduction, "reduction_param", read="operation axis coeff"),
    "ArgMax": kind(_argmax, "argmax_param", read="top_k out_max_val axis"),
}
