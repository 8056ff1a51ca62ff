from __future__ import annotations

import pytest

from conformance.report.pictures.trees import draw, metric_keys
from tests.hang import no_hang
from tests.report import hostile
from tests.report.compared import chain, metric, step, tree
from tests.report.pictures.pictured import SVG, Drawing


def drawn(block: dict | None = None, **fields) -> Drawing:
    return Drawing(draw(block or tree(**fields), "t"))


def test_there_is_a_panel_for_the_metric_and_one_for_bytes() -> None:
    texts = drawn().texts
    assert {"top1 (higher is better)", "bytes so far", "round"} <= set(texts)
    assert "16 KiB" in texts


def test_kinds_have_their_own_marks() -> None:
    picture = drawn()
    assert picture.marks("series-0") == 2 * 3
    assert picture.marks("series-1") == 2
    assert picture.marks("bad") == 2


def test_every_metric_has_a_panel_up_to_three() -> None:
    steps = [
        step("base", "base", 0, metrics=[metric(0.5, name) for name in "abcde"]),
        step("next", "update", 1, "base", metrics=[metric(0.6, name) for name in "abcde"]),
    ]
    named = [text for text in drawn(steps=steps).texts if "is better" in text]
    assert named == [f"{name} (higher is better)" for name in "abc"]
    assert len(metric_keys(tree(steps=steps))) == 5


def lines_between_steps(picture: Drawing) -> list[tuple[int, int]]:
    """Return how often the pen is put down and drawn, of the first line with a gap or to a step."""
    wanted = "stroke: var(--muted); stroke-width: 0.9"
    paths = [e for e in picture.root.iter() if wanted in e.get("style", "")]
    return [(e.get("d", "").count("M"), e.get("d", "").count("L")) for e in paths]


def test_lines_lead_from_each_parent_to_each_child() -> None:
    assert lines_between_steps(drawn()) == [(5, 5), (5, 5)]
    alone = tree(steps=[step("base", "base", 0), step("x", "update", 1, "base")])
    assert lines_between_steps(drawn(alone)) == [(1, 1), (1, 1)]


def test_the_original_as_root_is_drawn() -> None:
    assert drawn(chain(3)).marks("text", fill="page") == 2
    assert drawn().marks("text", fill="page") == 0


def test_a_merge_stands_after_the_updates_of_its_round() -> None:
    picture = drawn()
    at = {
        series: [
            float(e.attrib["x"])
            for e in picture.root.iter(f"{SVG}use")
            if f"stroke: var(--{series})" in e.get("style", "")
        ]
        for series in ("series-0", "series-1")
    }
    one, other, following = at["series-0"][:3]
    assert one == other < at["series-1"][0] < following


@pytest.mark.parametrize("value", [None, "nan", "inf", 1e308])
def test_a_step_without_a_value_is_left_out_of_its_panel(value: object) -> None:
    steps = tree()["steps"]
    steps[1] = {**steps[1], "metrics": [metric(value)]}
    assert drawn(steps=steps).marks("series-0") == 2 * 3 - 1


def test_steps_without_any_metric_have_their_bytes() -> None:
    steps = [{**each, "metrics": []} for each in tree()["steps"]]
    assert "bytes so far" in drawn(steps=steps).texts


def test_parents_that_are_not_there_draw_no_line() -> None:
    orphan = drawn(steps=[step("a", "update", 1, "gone")])
    assert all(drawings == 0 for _, drawings in lines_between_steps(orphan))


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_hostile_names_are_text(name: str) -> None:
    text = hostile.TEXTS[name]
    steps = [step(text, "base", 0, metrics=[metric(0.5, text, text)])]
    assert drawn(steps=steps, model=text, root=text).tags == drawn().tags


def test_a_thousand_steps_are_drawn_quickly_and_without_numbers() -> None:
    draw(tree(), "t")
    block = chain(1000)
    with no_hang():
        picture = drawn(block)
    assert len(picture.source) < 600_000
    assert "777" not in picture.texts
