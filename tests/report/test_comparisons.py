"""Pages and validation of rate and performance, updates, layers and inference."""

from __future__ import annotations

import copy
import re

import pytest

from conformance.report import (
    InvalidReportError,
    render_html,
    render_markdown,
    validate_report,
)
from conformance.report.comparisons import UNFOLDED
from tests.report import compared, example, hostile
from tests.report.test_html import Page

ALL = {
    "rate_performance": [compared.curve()],
    "updates": [compared.tree()],
    "layered": [compared.layered()],
    "timing": {"seconds": 3, "compressed_inference": [compared.inference()]},
}


def build(**changes) -> dict:
    return example.build(**{**copy.deepcopy(ALL), **changes})


def words_of(page: Page) -> str:
    return " ".join(" ".join(part.split()) for part in page.texts if part.strip())


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render_html(build()))


@pytest.fixture(scope="module")
def text(page: Page) -> str:
    return words_of(page)


def test_report_with_every_block_is_valid() -> None:
    validate_report(build())


def test_blocks_are_there_even_if_they_are_empty() -> None:
    report = example.build()
    assert [report[name] for name in ("rate_performance", "updates", "layered")] == [[], [], []]
    pages = render_html(report) + render_markdown(report)
    assert not re.search("Rate and performance|Bytes so far|Inference with", pages)


@pytest.mark.parametrize(
    ("block", "path", "value"),
    [
        ("rate_performance", ("points", 0, "value"), "nan"),
        ("rate_performance", ("points", 0, "size"), 0),
        ("rate_performance", ("points", 0, "size"), 2**70),
        ("rate_performance", ("points",), []),
        ("rate_performance", ("direction",), "up"),
        ("rate_performance", ("reference",), None),
        ("updates", ("steps", 0, "kind"), "other"),
        ("updates", ("steps", 0, "round"), -1),
        ("updates", ("misapplications", "planned"), None),
        ("layered", ("layers", 0, "mode"), "keep"),
        ("layered", ("layers", 0, "size"), -1),
    ],
)
def test_what_the_schema_excludes_is_refused(block: str, path: tuple, value: object) -> None:
    report = build()
    place = report[block][0]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InvalidReportError) as caught:
        validate_report(report)
    assert caught.value.pointer.startswith(f"/{block}/0/{path[0]}")


def test_inference_is_validated() -> None:
    report = build()
    del report["timing"]["compressed_inference"][0]["original"]["seconds"]["low"]
    with pytest.raises(InvalidReportError):
        validate_report(report)


def test_table_of_points(text: str) -> None:
    row = text[text.index("Dominated by 1 coarse") :]
    assert row.startswith("Dominated by 1 coarse nnc 9.77 KiB 15.43 0.94 +0.0322 —")
    assert "3 scalable up to base layers 14.6 KiB 10.29 0.93 +0.0422 coarse" in text
    assert "4 scalable up to all layers 29.3 KiB 5.14 0.9722 0 —" in text


def test_transparent_point_and_noise_floor_are_named(text: str) -> None:
    said = "Transparent point: fine , parameter factor 7.72 ; noise floor 0.0028; original 0.9722."
    assert said in text
    none = words_of(
        Page(
            render_html(
                build(rate_performance=[compared.curve(transparent=None, noise_floor=None)])
            )
        )
    )
    assert "No point is transparent; noise floor not known, taken as 0" in none


def test_bjontegaard_deltas_or_why_there_are_none(text: str) -> None:
    assert "layers nnc -33.3 % +0.012" in text
    assert "nnc tensors — — tensors has 1 point" in text


def test_table_of_steps(text: str) -> None:
    assert "2 1 device-a update base 2.93 KiB 42.0 KiB 0.91 ✓ Pass" in text
    assert "3 1 device-b update base 2.93 KiB 42.0 KiB 0.91 ✗ Fail" in text
    assert "4 1 merged merge device-a, device-b 0 B 42.0 KiB 0.91 ✓ Pass" in text


def test_misapplications_are_counted(text: str) -> None:
    assert "Misapplied updates: 9 planned, 5 detected, 3 undetected , 1 neither." in text
    assert "The format carries no protection there" in text
    misapplications = {"planned": 5, "detected": 5, "undetected": 0}
    detected = words_of(
        Page(render_html(build(updates=[compared.tree(misapplications=misapplications)])))
    )
    assert "5 planned, 5 detected, 0 undetected ." in detected
    assert "no protection" not in detected


def test_updates_of_the_original_say_so() -> None:
    text = words_of(Page(render_html(build(updates=[compared.chain(2)]))))
    assert "Updates of the original of digits-cnn : 2 steps" in text
    assert "1 1 s0 update the original" in text


def test_table_of_layers(text: str) -> None:
    assert "base digits-cnn/scalable whole network 8.79 KiB 8.79 KiB top1 test 0.9722 0.91" in text
    assert "kl test 0.9722 0.5" in text
    assert "fine digits-cnn/scalable added — — No metric was measured." in text


def test_table_of_inference(text: str) -> None:
    assert (
        "int8-qdq test 360 7 20 ms 10 ms to 40 ms 5 ms 2.5 ms to 10 ms 0.25 "
        "8.00 MiB 8.00 MiB to 8.00 MiB 6.00 MiB 6.00 MiB to 6.00 MiB 0.75"
    ) in text


def test_inference_is_no_row_of_timing(text: str) -> None:
    assert "compressed_inference" not in text


@pytest.mark.parametrize("odd", ["nan", "inf", 0])
def test_odd_times_are_shown(odd: object) -> None:
    entry = compared.inference()
    for form in ("original", "compressed"):
        entry[form]["seconds"] = dict.fromkeys(("median", "low", "high"), odd)
    report = build(timing={"compressed_inference": [entry]})
    validate_report(report)
    assert "int8-qdq" in render_html(report)
    assert "int8-qdq" in render_markdown(report)


def test_samples_that_are_steps_say_so() -> None:
    steps = [compared.step("int8", "update", 1)]
    text = words_of(Page(render_html(build(updates=[compared.tree(root=None, steps=steps)]))))
    assert text.count("update: sizes are of this step alone") == 1


def test_pictures_stand_in_figures_with_legends(page: Page, text: str) -> None:
    figures = [a for a in page.classes("figure") if a == "picture"]
    assert len(figures) == len(page.all("svg")) == 2
    assert page.all("svg")[0]["role"] == "img"
    assert "● nnc ■ layers ○ hollow: dominated ◯ ringed: transparent" in text
    assert "■ base ● update ◆ merge ✕ a required check failed" in text


def test_page_with_pictures_needs_nothing_else(page: Page) -> None:
    outside = {"script", "link", "img", "iframe", "form", "image", "foreignobject", "object"}
    assert not {tag for tag, _ in page.elements} & outside
    html = render_html(build())
    assert "url(" not in html.replace("url(#curve-0-", "").replace("url(#tree-0-", "")
    assert len(re.findall("<style", html)) == 1


def test_ids_are_unique_and_every_reference_leads_somewhere(page: Page) -> None:
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    referred = {
        name
        for _, attributes in page.elements
        for key in ("aria-labelledby", "aria-describedby")
        for name in (attributes.get(key) or "").split()
    }
    links = {a["href"][1:] for tag, a in page.elements if tag in ("use", "a") and "href" in a}
    assert referred | links <= set(ids)


def test_all_headers_of_tables_have_a_scope(page: Page) -> None:
    assert all("scope" in header for header in page.all("th"))


def test_a_run_under_way_has_tables_and_no_pictures() -> None:
    page = Page(render_html(build(complete=False)))
    assert not page.all("svg")
    assert "Pictures are drawn once a run is complete." in page.text
    assert "device-a" in page.text


def test_long_tables_are_folded() -> None:
    short = Page(render_html(build(updates=[compared.chain(UNFOLDED)])))
    long = Page(render_html(build(updates=[compared.chain(UNFOLDED + 1)])))
    assert len(long.all("details")) == len(short.all("details")) + 1
    assert f"s{UNFOLDED}" in long.text
    markdown = render_markdown(build(updates=[compared.chain(UNFOLDED + 1)]))
    assert f"<details><summary>{UNFOLDED + 1} steps</summary>" in markdown


def tables(markdown: str) -> list[list[int]]:
    """Return the number of cells in every row of each table."""
    found: list[list[int]] = [[]]
    for line in markdown.splitlines():
        if line.startswith("|"):
            found[-1].append(len(re.findall(r"(?<!\\)\|", line)))
        elif found[-1]:
            found.append([])
    return [rows for rows in found if rows]


@pytest.mark.parametrize("name", ["harmless", *hostile.TEXTS])
def test_tables_of_markdown_have_whole_rows(name: str) -> None:
    markdown = render_markdown(hostile_comparisons(hostile.TEXTS.get(name, name)))
    for rows in tables(markdown):
        assert len(set(rows)) == 1, rows


def test_markdown_has_the_same_tables() -> None:
    markdown = render_markdown(build())
    for row in (
        "| 3 | scalable up to base | layers | 14.6 KiB | 10.29 | 0.93 | +0.0422 | coarse |",
        "| layers | nnc | -33.3 % | +0.012 |  |",
        "| 4 | 1 | merged | merge | device-a, device-b | 0 B | 42.0 KiB | 0.91 | Pass |",
        "| digits-cnn/scalable | base | whole | 8.79 KiB | 8.79 KiB | kl | test | 0.9722 | 0.5 |",
        "| int8-qdq | test | 360 | 7 | 20 ms (10 ms to 40 ms) | 5 ms (2.5 ms to 10 ms) | 0.25 |",
    ):
        assert row in markdown
    assert "<svg" not in markdown


def hostile_comparisons(text: str) -> dict:
    curve = compared.curve(
        model=text,
        metric=text,
        vectors=text,
        points=[
            compared.point(text, 10, 0.5, text, layer=text, dominated_by=[text]),
            compared.point(text, 20, 0.6, text),
        ],
        transparent={"sample": text, "layer": text, "parameter_factor": 2.0},
        bjontegaard=[
            {
                "anchor": text,
                "test": text,
                "rate_percent": None,
                "metric_difference": None,
                "reason": text,
            }
        ],
    )
    steps = [compared.step(text, "update", 1, text, metrics=[compared.metric(0.5, text, text)])]
    layered = compared.layered(text)
    layered["model"] = layered["layers"][0]["id"] = text
    layered["layers"][0]["metrics"] = [compared.metric(0.5, text, text)]
    return build(
        rate_performance=[curve],
        updates=[compared.tree(model=text, root=text, steps=steps)],
        layered=[layered],
        timing={"compressed_inference": [compared.inference(text, text)]},
    )


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_hostile_text_stays_text(name: str) -> None:
    harmless = Page(render_html(hostile_comparisons("harmless")))
    page = Page(render_html(hostile_comparisons(hostile.TEXTS[name])))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    attributes = {name for _, attributes in page.elements for name in attributes}
    assert not {each for each in attributes if each.startswith("on")}
    assert attributes <= {name for _, each in harmless.elements for name in each} | {"title"}


def test_pages_are_the_same_bytes_every_time() -> None:
    assert render_html(build()) == render_html(build())


@pytest.mark.parametrize("scheme", [1, 2, 3], ids=["light", "dark", "print"])
def test_every_series_has_a_colour_that_can_be_seen(scheme: int) -> None:
    from tests.report.test_html import contrast

    style = re.search(r"<style>(.*?)</style>", render_html(build()), re.DOTALL)
    assert style is not None
    block = style[1].split(":root {")[scheme].split("}")[0]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", block))
    page = {"#fff": "#ffffff"}.get(colours["page"], colours["page"])
    for number in range(8):
        # WCAG 2.2, 1.4.11: graphics need a contrast of 3.
        assert contrast(colours[f"series-{number}"], page) >= 3
