import functools
import os
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from conformance.report import render_html, render_markdown
from conformance.verdicts import Verdict
from tests.hang import no_hang
from tests.report import example, hostile

VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """The elements, attributes and text of a page; fails on a tag that is not closed."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.texts = []
        self.open = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", "".join(self.texts))

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def classes(self, tag):
        return [attributes.get("class", "") for attributes in self.all(tag)]


@pytest.fixture(scope="module")
def page():
    return Page(render_html(example.build()))


def test_verdict_reason_and_exit_code_come_first(page):
    text = page.text
    assert "Fail 2 of 62 required checks failed (1 fail, 1 malformed)" in text
    assert "still open: 1 undecided, 6 not run. Exit code 1." in text
    order = ["Exit code 1.", "m71234", "62 planned", "METRIC-DELTA-001", "Interval of top1"]
    order += ["Compression methods", "Original models", "Passed checks", "Environment"]
    places = [text.index(part) for part in order[:4]] + [text.rindex(part) for part in order[4:]]
    assert places == sorted(places)


def test_page_says_all_of_a_finding(page):
    for part in (
        "SAMPLE-DECODE-001 · digits-cnn/codebook",
        "The codebook index points past the end of the codebook.",
        "Where samples/codebook.npz byte 10312 (conv2.weight)",
        "Expected indices below 16",
        "Found index 203 of tensor conv2.weight at position 4,117",
        "Fix Write the indices again with the codebook they were made with.",
        "Basis MPEG Call for Test Data",
        '"largest_index": 203',
    ):
        assert part in re.sub(r"\s+", " ", " ".join(t.strip() for t in page.texts if t.strip()))


def test_sample_row_has_sizes_and_metric(page):
    text = " ".join(part.strip() for part in page.texts if part.strip())
    row = text[text.index("4-bit tensors") : text.index("90 % pruned")]
    for part in (
        "digits-cnn/int4",
        "tensors, lossy",
        "150.7 KiB",
        "18.8 KiB",
        "8.04",
        "12.44 %",
        "top1",
        "0.9722",
        "0.9528",
        "-0.0194",
        "drop ≤ 0.01 absolute",
        "[-0.036, -0.003]",
        "95 %, p = 0.04",
        "360",
        "Fail",
    ):
        assert part in row
    assert {"title": "19,204 bytes"} in page.all("abbr")
    assert "1,950 would decide" in text
    assert {"class": "inner end", "data-of": "top1"} in page.all("td")
    assert "Interval of top1: Bonett-Price adjusted Wald." in text
    assert "Compared with the original bit by bit: 8 tensors" in text


def test_identical_findings_that_were_not_run_are_one_card(page):
    assert page.classes("details").count("card not-run") == 1
    assert "6 findings of 6 checks" in page.text
    assert "digits-cnn/codebook/top1" in page.text


def test_page_needs_nothing_else(page):
    policy = next(m for m in page.all("meta") if "http-equiv" in m)
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "form"}
    assert all(link["href"].startswith("#") for link in page.all("a"))
    style = re.search(r"<style>(.*?)</style>", render_html(example.build()), re.DOTALL)
    assert "url(" not in style.group(1)
    assert "@import" not in style.group(1)


def test_page_can_be_read_by_everyone(page):
    assert page.all("html") == [{"lang": "en"}]
    assert all("scope" in header for header in page.all("th"))
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    referred = {
        attributes.get(name)
        for _, attributes in page.elements
        for name in ("aria-labelledby", "aria-describedby")
    }
    assert referred - {None} <= set(identifiers)
    assert {link["href"][1:] for link in page.all("a")} <= set(identifiers)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_enough_contrast(scheme):
    style = re.search(r"<style>(.*?)</style>", render_html(example.build()), re.DOTALL).group(1)
    block = style.split(":root {")[1 if scheme == "light" else 2].split("}")[0]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    pairs = [(name, ground) for name in ("text", "muted", "link") for ground in ("page", "band")]
    pairs += [(name, f"{name}-tint") for name in ("good", "bad", "open", "note")]
    pairs += [("text", f"{name}-tint") for name in ("good", "bad", "open", "note")]
    for ink, ground in pairs:
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def contrast(one, other):
    """Contrast ratio by WCAG 2.2."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_hostile_text_stays_text(name):
    harmless = Page(render_html(hostile.build("harmless")))
    page = Page(render_html(hostile.build(hostile.TEXTS[name])))
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in harmless.elements]
    for tag, attributes in page.elements:
        assert set(attributes) <= {
            "class", "id", "title", "scope", "rowspan", "colspan", "open", "role", "tabindex",
            "href", "name", "content", "http-equiv", "charset", "lang",
            "aria-hidden", "aria-label", "aria-labelledby", "aria-describedby", "data-of",
        }, tag  # fmt: skip
    assert all(link["href"].startswith("#") for link in page.all("a"))


@pytest.mark.parametrize("name", ["control", "reordered", "surrogate"])
def test_no_hidden_character_reaches_the_page(name):
    page = render_html(hostile.build(hostile.TEXTS[name]))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u200b\u202a-\u202e\u2066-\u2069\ufeff]", page)
    page.encode()


def megabytes():
    long = "<A|" * 400_000
    finding = example.finding("SAMPLE-SIZE-001", long, "fail", message=long, evidence={"a": long})
    return example.build(findings=[finding])


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_megabytes_of_text_are_clipped(render):
    page = render(megabytes())
    assert len(page) < 100_000
    assert "1,200,000 characters, all of them in report.json" in page


def test_waiver_shows_reason_and_link():
    link = "https://example.com/minutes"
    waiver = {**example.WAIVER, "reason": "agreed at the meeting", "link": link}
    finding = example.finding(
        "SAMPLE-SIZE-001", "m/a", "waived", message="Sizes differ.", evidence={"waiver": waiver}
    )
    page = Page(render_html(example.build(findings=[finding], waivers=[waiver])))
    assert "Waived because" in page.text
    assert page.text.count("agreed at the meeting") == 3  # Card, evidence and table.
    links = [link for link in page.all("a") if link["href"] == waiver["link"]]
    assert len(links) == 2
    assert all("noopener" in link["rel"] for link in links)


def test_advisory_finding_says_that_it_does_not_count():
    finding = example.finding("SAMPLE-SIZE-001", "m/a", "fail", message="advisory")
    page = Page(render_html(example.build(findings=[finding])))
    assert "advisory: does not count for the verdict" in page.text


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_can_be_shown(verdict):
    report = example.build(
        findings=[example.finding("SAMPLE-SIZE-001", "m/a", verdict)],
        samples=[example.sample("a", [example.sample_metric(verdict, 0.5)])],
    )
    assert f"pill {verdict}" in Page(render_html(report)).classes("span")


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_partial_report_says_how_far_the_run_came(render):
    findings = [example.finding("SAMPLE-SIZE-001", f"m/{n}") for n in range(3)]
    findings += [
        example.finding("SAMPLE-SIZE-001", f"n/{n}", "not-run", message="Interrupted.")
        for n in range(4)
    ]
    text = render(example.build(findings=findings, complete=False))
    assert "This report is partial: the run was interrupted after 3 of 7 checks" in text
    assert "it says nothing about the other 4." in text
    assert "Incomplete" in text


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_complete_report_is_not_called_partial(render):
    assert "partial" not in re.sub(
        r"<style>.*</style>", "", render(example.build()), flags=re.DOTALL
    )


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_report_about_an_unreadable_submission_can_be_shown(render):
    finding = example.finding("SUBMISSION-SCHEMA-001", "submission", "malformed", message="No JSON")
    report = example.build(
        submission_block={}, findings=[finding], models=[], samples=[], environment={}, timing={}
    )
    text = render(report)
    assert "a submission that could not be read" in text
    assert "No JSON" in text
    assert "None" not in text.replace("None was read.", "").replace("None.", "")


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_rendering_twice_gives_the_same_text(render):
    assert render(example.build()) == render(example.build())


@functools.cache
def large():
    findings = [
        example.finding("METRIC-DELTA-001", f"m/s{n}/top1", verdict, message=f"Number {n}.")
        for n in range(2000)
        for verdict in [list(Verdict)[n % len(Verdict)]]
    ]
    samples = [example.sample(f"s{n}", [example.sample_metric()]) for n in range(400)]
    return example.build(findings=findings, samples=samples)


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_two_thousand_findings_render_quickly(render):
    report = large()
    render(example.build())
    with no_hang():
        render(report)


def test_of_a_long_list_of_findings_only_the_first_are_open():
    cards = [a for a in Page(render_html(large())).all("details") if a.get("class") == "card fail"]
    assert len(cards) > 200
    assert sum("open" in card for card in cards) == 20


chromium = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(chromium is None, reason="Chromium is not installed")
@pytest.mark.parametrize("text", ["harmless", hostile.TEXTS["script"]], ids=["harmless", "hostile"])
def test_a_browser_lays_the_page_out(tmp_path, text):
    page = tmp_path / "report.html"
    page.write_text(render_html(hostile.build(text)), "utf-8")
    picture = tmp_path / "page.png"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    flags += ["--disable-background-networking", f"--user-data-dir={tmp_path / 'profile'}"]
    subprocess.run(
        [chromium, *flags, "--window-size=1400,2000", f"--screenshot={picture}", page.as_uri()],
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
    )
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000


def test_items_that_are_repeated_are_told_from_distinct_ones():
    report = example.build()
    metric = report["samples"][0]["metrics"][0]
    metric |= {"items": 360, "distinct_items": 60, "items_to_decide": 240}
    text = Page(render_html(report)).text
    assert "60 distinct" in text
    assert "240 would decide" in text
    assert "| 360 (60 distinct) |" in render_markdown(report)
    assert "distinct" not in render_markdown(example.build()).partition("## Samples")[2]
