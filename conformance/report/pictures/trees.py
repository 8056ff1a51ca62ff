"""The picture of a tree of updates: metrics and cumulative bytes over rounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from conformance.report import words
from conformance.report.pictures.canvas import (
    BAD,
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
from conformance.verdicts import REFUSING, Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUMBERED = 40
"""Steps beyond so many have no number in the picture, and small marks; the table has all."""
PANELS = 3
"""Metrics that have their own panel; the table has all."""
AFTER = 0.4
"""How far a merge stands after the updates of its round, in rounds."""
KINDS: Mapping[str, tuple[str, str, str]] = {
    "base": ("s", TEXT, "■"),
    "update": ("o", SERIES[0], "●"),
    "merge": ("D", SERIES[1], "◆"),
}
"""Marker and colour of each kind of step, and the marker as a character."""

Step = Mapping[str, Json]
Height = Callable[[Step], float | None]
"""How high a panel shows a step; None where it has no such value."""
MetricKey: TypeAlias = tuple[str, str]
Place: TypeAlias = tuple[float, float]
"""Round and height."""


def draw(tree: Mapping[str, Json], prefix: str) -> str:
    """Return the picture of one entry of ``updates``; empty if it cannot be drawn.

    Lines lead from parents to children. Steps are numbered as in the table; those with a failed
    check are crossed.
    """
    keys = metric_keys(tree)[:PANELS]
    numbers = [row["reference"] for key in keys for row in _rows(tree, key)]
    known = [reference for reference in numbers if reference is not None]
    if len(tree["steps"]) > MOST or not drawable(known):
        return ""
    with drawing():
        drawn = figure(8.2, 2.4 * (len(keys) + 1) + 0.2)
        panels: Any = drawn.subplots(len(keys) + 1, 1, sharex=True, squeeze=False)[:, 0]
        for axes, key in zip(panels, keys, strict=False):
            rows = _rows(tree, key)
            reference = next((r["reference"] for r in rows if r["reference"] is not None), None)
            if reference is not None:
                axes.axhline(reference, color=TEXT, linewidth=1, linestyle=(0, (6, 3)), zorder=1)
            _panel(axes, tree, _metric(key), reference)
            direction = f" ({rows[0]['direction']} is better)" if rows else ""
            label(axes, y=f"{short(key[0])}{direction}")
        _panel(panels[-1], tree, lambda step: step["cumulative_size"], 0)
        _bytes_axis(panels[-1], max((step["cumulative_size"] for step in tree["steps"]), default=0))
        label(panels[-1], x="round", y="bytes so far")
        return svg_of(drawn, prefix, *_words(tree))


def metric_keys(tree: Mapping[str, Json]) -> list[MetricKey]:
    """Return metric and vectors of all values in the tree, in the order of the table."""
    found = ((row["metric"], row["vectors"]) for step in tree["steps"] for row in step["metrics"])
    return list(dict.fromkeys(found))


def _rows(tree: Mapping[str, Json], key: MetricKey) -> list[Mapping[str, Json]]:
    return [
        row
        for step in tree["steps"]
        for row in step["metrics"]
        if (row["metric"], row["vectors"]) == key
    ]


def _metric(key: MetricKey) -> Height:
    def height(step: Step) -> float | None:
        for row in step["metrics"]:
            if (row["metric"], row["vectors"]) == key and drawable([row["value"]]):
                return float(row["value"])
        return None

    return height


def _panel(axes: Axes, tree: Mapping[str, Json], height: Height, at_original: float | None) -> None:
    """Draw the steps that have a height, and the lines between them.

    The original, where the tree begins with it, is in round 0 at the height ``at_original``.
    """
    steps: Sequence[Step] = tree["steps"]
    heights = {step["sample"]: height(step) for step in steps}
    places = {
        step["sample"]: (step["round"] + AFTER * (step["kind"] == "merge"), high)
        for step in steps
        if (high := heights[step["sample"]]) is not None
    }
    origin = (0.0, at_original) if tree["root"] is None and at_original is not None else None
    axes.plot(*_lines(steps, places, origin), color=MUTED, linewidth=0.9, zorder=2)
    size = 6 if len(steps) <= NUMBERED else 3
    for kind, (marker, colour, _) in KINDS.items():
        some = [step for step in steps if step["kind"] == kind]
        _marks(axes, _known(some, places), marker=marker, markersize=size, color=colour)
    failed = [step for step in steps if step["verdict"] in REFUSING]
    _marks(axes, _known(failed, places), marker="x", markersize=size + 4, color=BAD)
    if origin is not None:
        _marks(axes, [origin], marker="s", markersize=6, color=PAGE, markeredgecolor=TEXT)
    if len(steps) <= NUMBERED:
        named = ((step["sample"], place) for place, step in enumerate(steps, 1))
        number(axes, ((place, places[name]) for name, place in named if name in places))


def _lines(
    steps: Sequence[Step], places: Mapping[str, Place], origin: Place | None
) -> tuple[list[float], list[float]]:
    """Return one path from each parent to each child, with a gap (NaN) after every line."""
    xs: list[float] = []
    ys: list[float] = []
    for step in steps:
        child = places.get(step["sample"])
        if step["parents"]:
            parents = [places.get(name) for name in step["parents"]]
        else:
            parents = [origin if step["kind"] == "update" else None]
        for parent in parents:
            if parent is not None and child is not None:
                xs += [parent[0], child[0], math.nan]
                ys += [parent[1], child[1], math.nan]
    return xs, ys


def _known(steps: Sequence[Step], places: Mapping[str, Place]) -> list[Place]:
    return [places[step["sample"]] for step in steps if step["sample"] in places]


def _marks(axes: Axes, places: Sequence[Place], **look: Any) -> None:
    axes.plot([x for x, _ in places], [y for _, y in places], linestyle="none", zorder=3, **look)


def _bytes_axis(axes: Axes, most: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    axes.set_ylim(bottom=0)
    # Marks at multiples of a power of two are round numbers in binary units.
    axes.yaxis.set_major_locator(MultipleLocator(2 ** max(0, (most // 6).bit_length())))
    axes.yaxis.set_major_formatter(FuncFormatter(size_mark))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=12, integer=True))


def _words(tree: Mapping[str, Json]) -> tuple[str, str]:
    root = "the original" if tree["root"] is None else short(tree["root"])
    last = max((step["round"] for step in tree["steps"]), default=0)
    return f"Updates of {root}: metrics and bytes over rounds", (
        f"{words.count(len(tree['steps']), 'step')} of {short(tree['model'])} in "
        f"{words.count(last, 'round')}. All steps are in the table."
    )
