"""What the pages show to compare samples: curves and trees of updates.

Part of :mod:`conformance.report.view`; all strings are as hostile as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.report.pictures.canvas import MARKERS
from conformance.report.pictures.curves import FAMILIES, families, style
from conformance.report.pictures.trees import KINDS, metric_keys
from conformance.verdicts import REFUSING, Json

COLUMNS = 6
"""Metrics that have their own column in the table of a tree; report.json has all."""
UNFOLDED = 40
"""Rows that a table shows at once; longer ones are folded."""


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of a legend: the mark as a character, its class in the style sheet, its meaning."""

    mark: str
    look: str
    text: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One entry of ``rate_performance`` and the legend of its picture."""

    block: Mapping[str, Json]
    legend: tuple[Key, ...]

    @property
    def folded(self) -> bool:
        """Whether the table is too long to be shown at once."""
        return len(self.block["points"]) > UNFOLDED


@dataclass(frozen=True, slots=True)
class Tree:
    """One entry of ``updates``: metrics are (id, vectors), ``rows`` steps and their values."""

    block: Mapping[str, Json]
    legend: tuple[Key, ...]
    metrics: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Mapping[str, Json], tuple[Json, ...]], ...]

    @property
    def folded(self) -> bool:
        """Whether the table is too long to be shown at once."""
        return len(self.rows) > UNFOLDED


def curves_of(report: Mapping[str, Json]) -> tuple[Curve, ...]:
    """Return all curves with their legends."""
    return tuple(Curve(block, _curve_legend(block)) for block in report["rate_performance"])


def trees_of(report: Mapping[str, Json]) -> tuple[Tree, ...]:
    """Return all trees of updates as tables."""
    return tuple(_tree(block) for block in report["updates"])


def kinds_of(report: Mapping[str, Json]) -> Mapping[str, str]:
    """Return, by id of the sample, ``update`` or ``merge`` for what is one of them."""
    return {
        step["sample"]: step["kind"]
        for tree in report["updates"]
        for step in tree["steps"]
        if step["kind"] != "base"
    }


def _curve_legend(block: Mapping[str, Json]) -> tuple[Key, ...]:
    named = families(block)
    keys = [Key(*_look(place), family) for place, family in enumerate(named[:FAMILIES])]
    if len(named) > FAMILIES:
        keys.append(Key("·", "", f"{len(named) - FAMILIES} other families"))
    points = block["points"]
    if any(point["dominated_by"] for point in points):
        keys.append(Key("○", "", "hollow: dominated"))
    if block["transparent"] is not None:
        keys.append(Key("◯", "", "ringed: transparent"))
    keys.append(Key("╌╌", "", "original"))
    if block["noise_floor"]:
        keys.append(Key("▒", "", "noise floor"))
    return tuple(keys)


def _look(place: int) -> tuple[str, str]:
    colour, marker = style(place)
    return MARKERS[marker], f"series-{int(colour[-2:], 16)}"


def _tree(block: Mapping[str, Json]) -> Tree:
    keys = metric_keys(block)[:COLUMNS]
    rows = []
    for step in block["steps"]:
        values = {(row["metric"], row["vectors"]): row["value"] for row in step["metrics"]}
        rows.append((step, tuple(values.get(key) for key in keys)))
    return Tree(block, _tree_legend(block), tuple(keys), tuple(rows))


def _tree_legend(block: Mapping[str, Json]) -> tuple[Key, ...]:
    present = {step["kind"] for step in block["steps"]}
    looks = {"base": "", "update": "series-0", "merge": "series-1"}
    keys = [Key(KINDS[kind][2], looks[kind], kind) for kind in KINDS if kind in present]
    if block["root"] is None:
        keys.append(Key("□", "", "original"))
    if any(step["verdict"] in REFUSING for step in block["steps"]):
        keys.append(Key("✕", "bad", "a required check failed"))
    keys.append(Key("╌╌", "", "value of the original"))
    return tuple(keys)
