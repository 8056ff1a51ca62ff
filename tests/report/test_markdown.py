import re

import pytest
from markdown_it import MarkdownIt

from conformance.report import render_markdown
from tests.report import example, hostile

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def tokens(report):
    return MARKDOWN.parse(render_markdown(report))


def headings(report):
    found = tokens(report)
    return [found[i + 1].content for i, token in enumerate(found) if token.type == "heading_open"]


def test_headings_stand_in_the_order_of_the_page():
    assert headings(example.build()) == [
        "Fail: Handwritten digits: a small convolutional network",
        "Findings",
        "Fail (1)",
        "Malformed (1)",
        "Undecided (1)",
        "Not run (6)",
        "Samples",
        "Compression methods",
        "Original models",
        "Passed checks",
        "Environment and timing",
    ]


def test_first_lines_are_verdict_reason_and_exit_code():
    lines = render_markdown(example.build()).splitlines()
    assert lines[0].startswith("# Fail: ")
    assert lines[2] == (
        "**2 of 62 required checks failed (1 fail, 1 malformed); "
        "still open: 1 undecided, 6 not run.** Exit code 1."
    )


def test_finding_says_where_expected_found_and_how_to_mend():
    text = render_markdown(example.build())
    start = text.index("- **SAMPLE-DECODE-001** digits-cnn/codebook: The codebook index")
    lines = text[start:].split("\n\n")[0].splitlines()
    assert [line.split(":")[0] for line in lines[1:]] == [
        "  - Where",
        "  - Expected",
        "  - Found",
        "  - Fix",
        "  - Basis",
    ]


def test_every_row_of_a_table_has_as_many_cells_as_its_head():
    text = render_markdown(example.build())
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1


def test_sample_table_has_a_row_per_metric():
    rows = [
        line
        for line in render_markdown(example.build()).splitlines()
        if line.startswith("| digits-cnn/")
    ]
    assert len(rows) == 8
    assert "| 150.7 KiB | 18.8 KiB | 7.81 | 8.04 | 12.44 % |" in rows[4]
    assert rows[4].endswith("| Fail |")
    assert "| lossless |" in rows[7]


def test_findings_that_were_not_run_for_one_reason_are_folded():
    text = render_markdown(example.build())
    assert text.count("The sample could not be decoded") == 1
    assert "digits-cnn/codebook, digits-cnn/codebook/top1: The sample" in text


@pytest.mark.parametrize("name", sorted(set(hostile.TEXTS) - {"long"}))
def test_hostile_text_changes_nothing_of_the_structure(name):
    def structure(text):
        return [token.type for token in tokens(hostile.build(text))]

    assert structure(hostile.TEXTS[name]) == structure("harmless")


@pytest.mark.parametrize("name", hostile.TEXTS)
def test_no_html_and_no_link_of_the_submitter_survives(name):
    html = MARKDOWN.render(render_markdown(hostile.build(hostile.TEXTS[name])))
    tags = set(re.findall(r"<([a-z0-9]+)", html))
    assert not tags & {"script", "a", "img", "style"}
    assert not re.search(r"<[^>]*\son\w+=", html)


def test_waiver_shows_its_reason():
    waiver = example.WAIVER
    finding = example.finding(
        "SAMPLE-SIZE-001", "m/a", "waived", message="Sizes differ.", evidence={"waiver": waiver}
    )
    text = render_markdown(example.build(findings=[finding], waivers=[waiver]))
    assert "  - Waived because: agreed\n" in text
    assert "**0 of 1 required check passed; 1 waived.**" in text
    assert "| SAMPLE-SIZE-001 | m/a | 0.9 | agreed | — |" in text
