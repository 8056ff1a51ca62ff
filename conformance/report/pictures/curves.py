"""The picture of rate and performance: size against the metric, one curve for each family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from conformance.report import words
from conformance.report.pictures.canvas import (
    MARKERS,
    MOST,
    MUTED,
    PAGE,
    SERIES,
    TEXT,
    drawable,
    drawing,
    figure,
    label,
    number,
    short,
    size_mark,
    svg_of,
)
from conformance.verdicts import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUMBERED = 40
"""Points beyond so many have no number in the picture; the table has all of them."""
FAMILIES = 40
"""Families with their own style; all others are dots."""
_NARROWEST = 4.0
"""The axis of sizes spans at least this factor, so that it has marks to read."""

Point = Mapping[str, Json]


def style(place: int) -> tuple[str, str]:
    """Return the colour and the marker of the family at this place; both repeat, not together."""
    markers = tuple(MARKERS)
    return SERIES[place % len(SERIES)], markers[place % len(markers)]


def families(block: Mapping[str, Json]) -> list[str]:
    """Return the families of the points, in the order of the table."""
    return list(dict.fromkeys(point["family"] for point in block["points"]))


def draw(block: Mapping[str, Json], prefix: str) -> str:
    """Return the picture of one entry of ``rate_performance``; empty if it cannot be drawn.

    Points are numbered as in the table. Hollow ones are dominated; a ring is round the transparent
    point; the line at the original's value has the noise floor as a band.
    """
    points = block["points"]
    reference, floor = block["reference"], block["noise_floor"] or 0.0
    if len(points) > MOST or not drawable(
        [reference, floor, *(point["value"] for point in points)]
    ):
        return ""
    with drawing():
        drawn = figure(8.2, 4.4)
        axes = drawn.add_subplot()
        axes.axhline(reference, color=TEXT, linewidth=1, linestyle=(0, (6, 3)), zorder=1)
        if floor:
            axes.axhspan(reference - floor, reference + floor, color=MUTED, alpha=0.22, linewidth=0)
        named = families(block)
        for place, family in enumerate(named[:FAMILIES]):
            _family(axes, [p for p in points if p["family"] == family], style(place))
        rest = frozenset(named[FAMILIES:])
        _marks(axes, [p for p in points if p["family"] in rest], marker=".", color=MUTED)
        _mark_transparent(axes, block)
        if len(points) <= NUMBERED:
            number(axes, enumerate(((p["size"], p["value"]) for p in points), 1))
        _size_axes(axes, points)
        label(axes, x="size", y=f"{short(block['metric'])} ({block['direction']} is better)")
        return svg_of(drawn, prefix, *_words(block))


def _family(axes: Axes, points: Sequence[Point], look: tuple[str, str]) -> None:
    colour, marker = look
    best = _front(points)
    axes.plot([p["size"] for p in best], [p["value"] for p in best], color=colour, linewidth=1.4)
    for dominated in (True, False):
        _marks(
            axes,
            [p for p in points if bool(p["dominated_by"]) is dominated],
            marker=marker,
            markersize=6,
            markeredgecolor=colour,
            markerfacecolor=PAGE if dominated else colour,
            markeredgewidth=1.3,
        )


def _marks(axes: Axes, points: Sequence[Point], **look: Any) -> None:
    sizes, values = [p["size"] for p in points], [p["value"] for p in points]
    axes.plot(sizes, values, linestyle="none", **look)


def _front(points: Sequence[Point]) -> list[Point]:
    """Return the points that none of the same family dominates, by size."""
    kept: list[Point] = []
    for point in sorted(points, key=lambda point: (point["size"], point["loss"])):
        if not kept or point["loss"] < kept[-1]["loss"]:
            kept.append(point)
    return kept


def _mark_transparent(axes: Axes, block: Mapping[str, Json]) -> None:
    best = block["transparent"]
    if best is None:
        return
    name = best["sample"], best["layer"]
    _marks(
        axes,
        [point for point in block["points"] if (point["sample"], point["layer"]) == name],
        marker="o",
        markersize=13,
        markerfacecolor="none",
        markeredgecolor=TEXT,
        markeredgewidth=1.2,
    )


def _size_axes(axes: Axes, points: Sequence[Point]) -> None:
    """Give the axes below (size) and above (parameter factor) the same ends, both logarithmic.

    Without a known factor there is no axis above.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    sizes = [point["size"] for point in points]
    middle = (min(sizes) * max(sizes)) ** 0.5
    reach = max(_NARROWEST, 1.4 * max(sizes) / min(sizes)) ** 0.5
    ends = middle / reach, middle * reach
    looks: list[tuple[Any, tuple[float, float], Any]] = [(axes, ends, size_mark)]
    if points[0]["parameter_factor"]:
        original = points[0]["size"] * points[0]["parameter_factor"]
        factors = axes.twiny()
        factors.grid(visible=False)
        factors.spines.top.set_visible(True)
        factors.set_xlabel("bytes of used parameters / bytes of the sample")
        looks.append((factors, (original / ends[0], original / ends[1]), _factor))
    for each, limits, formatter in looks:
        each.set_xscale("log")
        each.set_xlim(*limits)
        each.xaxis.set_major_locator(LogLocator(base=2, numticks=9))
        each.xaxis.set_major_formatter(FuncFormatter(formatter))
        each.xaxis.set_minor_locator(NullLocator())
        each.xaxis.set_minor_formatter(NullFormatter())


def _factor(value: float, _place: int) -> str:
    return f"{value:g}"


def _words(block: Mapping[str, Json]) -> tuple[str, str]:
    title = f"{short(block['metric'])} on {short(block['vectors'])}: size and performance"
    points = words.count(len(block["points"]), "point")
    lines = len(families(block))
    return title, (
        f"{points} of {short(block['model'])} in {lines} {'family' if lines == 1 else 'families'}; "
        f"the original has {words.number(block['reference'])}. All points are in the table."
    )
