from __future__ import annotations

import os
import subprocess
import sys

import pytest

from conformance.report import render_html
from conformance.report.pictures.canvas import MOST
from conformance.report.pictures.curves import FAMILIES, NUMBERED, draw
from tests.report import example, hostile
from tests.report.compared import curve, point
from tests.report.pictures.pictured import Drawing


def drawn(**fields) -> Drawing:
    return Drawing(draw(curve(**fields), "p"))


def test_without_a_known_factor_there_is_no_axis_for_it() -> None:
    points = [{**point, "parameter_factor": None} for point in curve()["points"]]
    assert "bytes of used parameters / bytes of the sample" not in drawn(points=points).texts


def test_axes_say_what_they_are() -> None:
    texts = drawn().texts
    assert "top1 (higher is better)" in texts
    assert {"size", "bytes of used parameters / bytes of the sample"} <= set(texts)
    assert "16 KiB" in texts
    assert "8" in texts


def test_points_are_numbered_as_in_the_table() -> None:
    assert {"1", "2", "3", "4"} <= set(drawn().texts)
    twins = [point("a", 10, 0.5), point("b", 10, 0.5), point("c", 20, 0.6)]
    assert {"1, 2", "3"} <= set(drawn(points=twins).texts)


def test_dominated_points_are_hollow() -> None:
    picture = drawn()
    assert picture.marks("series-0", fill="series-0") == 2
    assert picture.marks("series-1", fill="series-1") == 1
    assert picture.marks("series-1", fill="page") == 1


def test_transparent_point_has_a_ring() -> None:
    ringed, plain = drawn().marks("text"), drawn(transparent=None).marks("text")
    assert ringed == plain + 1


def test_noise_floor_is_a_band() -> None:
    band = "opacity: 0.22"
    assert band in drawn().source
    assert band not in drawn(noise_floor=None).source


def test_picture_has_a_name_and_a_description() -> None:
    picture = drawn()
    assert picture.root.get("role") == "img"
    assert picture.root.get("aria-labelledby") == "p-title p-desc"
    title, description = list(picture.root)[:2]
    assert title.text == "top1 on test: size and performance"
    assert (description.text or "").startswith("4 points of digits-cnn in 2 families")


def test_picture_needs_nothing_from_outside_and_runs_nothing() -> None:
    picture = drawn()
    assert not picture.tags & {"script", "style", "image", "foreignObject", "a", "metadata"}
    source = picture.source.replace("http://www.w3.org/2000/svg", "")
    assert "http" not in source
    assert "href" in source
    assert picture.references - {""} <= set(picture.ids)


def test_colours_are_those_of_the_page() -> None:
    assert "#" not in drawn().source.replace('"#p-', "").replace("(#p-", "")


def test_ids_are_unique_and_begin_with_the_prefix() -> None:
    picture = drawn()
    assert len(picture.ids) == len(set(picture.ids))
    assert all(name.startswith("p-") for name in picture.ids)


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_hostile_names_are_text(name: str) -> None:
    text = hostile.TEXTS[name]
    points = [point(text, 10, 0.1, text), point(text, 20, 0.2, text, layer=text)]
    harmless = drawn(points=[{**p, "sample": "a", "family": "f"} for p in points])
    picture = drawn(points=points, metric=text, vectors=text, model=text)
    assert picture.tags == harmless.tags
    assert len(picture.texts) == len(harmless.texts)
    assert len(picture.source) < 2 * len(harmless.source)


@pytest.mark.parametrize("name", ["$x^2$", r"\frac{1}{2} $\alpha", "_private", "a\nb", "日本語 🙂"])
def test_names_are_no_formulas(name: str) -> None:
    (shown,) = [text for text in drawn(metric=name).texts if "is better" in text]
    assert shown == f"{' '.join(name.split())} (higher is better)"


def test_bytes_are_the_same_in_every_process() -> None:
    code = (
        "from conformance.report.pictures.curves import draw;"
        "from tests.report.compared import curve; print(draw(curve(), 'p'), end='')"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {draw(curve(), "p")}


@pytest.mark.parametrize(
    "points",
    [
        [point("a", 1, 0.5), point("b", 1, 0.5)],
        [point("a", 1, 0.5), point("b", 2**62, 0.5)],
        [point("a", 100, 1e90), point("b", 200, -1e90)],
        [point("a", 100, 1e-300), point("b", 200, 1.0000000000000002e-300)],
        [point(f"p{i}", 100 + i, i / 1000, f"family {i}") for i in range(1000)],
    ],
    ids=["equal", "far apart", "huge", "tiny", "a thousand families"],
)
def test_extreme_points_can_be_drawn(points: list) -> None:
    assert drawn(points=points, transparent=None).tags


def test_values_that_no_axis_can_hold_are_not_drawn() -> None:
    assert draw(curve(points=[point("a", 1, 1e308), point("b", 2, -1e308)]), "p") == ""


def test_of_many_points_none_is_numbered() -> None:
    many = [point(f"p{i}", 1000 + i, i / 1000) for i in range(NUMBERED + 1)]
    assert "37" not in drawn(points=many).texts
    assert "37" in drawn(points=many[:-1]).texts


def test_more_points_than_a_picture_holds_are_not_drawn() -> None:
    points = [point(f"p{i}", 1000 + i, 0.5) for i in range(MOST + 1)]
    assert draw(curve(points=points), "p") == ""


def test_families_beyond_forty_are_dots() -> None:
    points = [point(f"p{i}", 1000 + i, i / 100, f"family {i}") for i in range(FAMILIES + 3)]
    assert drawn(points=points).marks("muted", fill="muted") >= 3
    report = example.build(rate_performance=[curve(points=points)])
    assert "3 other families" in render_html(report)
