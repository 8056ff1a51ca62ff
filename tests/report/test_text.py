import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from conformance.report.text import clip, escape_markdown
from conformance.text import labelled, one_line, visible

MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})
HOSTILE = [
    "<script>alert(1)</script>",
    "a|b||c",
    "**bold** _under_ ~~gone~~ `code`",
    "[click](javascript:alert(1))",
    "![picture](http://example.com/a.png)",
    "one\n\n# two\n- three\n> four\n```",
    "&lt;b&gt; &amp;",
    "<!-- hidden -->",
    "\\",
    "\\|",
    "$x^2$ #1 @everyone",
    "https://example.com/ www.example.com",
    "<https://example.com>",
    "a  b\tc\u00a0d",
]


def rendered(markdown):
    html = MARKDOWN.render(f"| head |\n|---|\n| x{markdown}x |\n")
    cells = re.findall(r"<td>(.*?)</td>", html, re.DOTALL)
    assert len(cells) == 1
    return cells[0]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_table_cell_stays_text(text):
    cell = rendered(escape_markdown(text)).replace("<!-- -->", "")
    assert "<" not in cell
    plain = cell.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
    assert plain.replace("&amp;", "&") == "x" + " ".join(text.split()) + "x"


@given(st.text(max_size=60))
def test_any_text_in_a_table_cell_stays_text(text):
    assert "<" not in rendered(escape_markdown(text)).replace("<!-- -->", "")


@given(st.text())
def test_escaped_markdown_is_one_line(text):
    assert len(escape_markdown(text).splitlines()) <= 1


def test_nobody_is_mentioned():
    assert not re.search(r"@\w", escape_markdown("thanks @everyone and a@example.com"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x00b", r"a\u0000b"),
        ("\x1b[31mred", r"\u001b[31mred"),
        ("abc\u202egnp.exe", r"abc\u202egnp.exe"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028line", r"line\u2028line"),
        ("\ud800", r"\ud800"),
        ("\uffff", r"\uffff"),
        ("\r\n", "\\u000d\n"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_characters_that_cannot_be_seen_are_written_out(text, shown):
    assert visible(text) == shown


@pytest.mark.parametrize("text", ["tab\tand\nnewline", "Ångström 数字 עברית 👩\u200d💻"])
def test_ordinary_text_of_any_script_is_left_alone(text):
    assert visible(text) == text


@given(st.text(st.characters()))
def test_visible_text_is_legal_xml(text):
    from xml.etree import ElementTree as ET

    element = ET.fromstring(f"<a>{ET.tostring(_element(visible(text)), encoding='unicode')}</a>")
    assert (element[0].text or "") == visible(text)


def _element(text):
    from xml.etree import ElementTree as ET

    element = ET.Element("b")
    element.text = text
    return element


def test_long_text_is_clipped_and_says_how_long_it_was():
    clipped = clip("x" * 1_000_000, 300)
    assert clipped.startswith("x" * 300 + "…")
    assert "1,000,000 characters" in clipped
    assert len(clipped) < 400


def test_text_of_just_the_limit_is_not_clipped():
    assert clip("x" * 300, 300) == "x" * 300


def test_one_line_stays_one() -> None:
    assert one_line("a\tb\nc\r\u2028d\x85\x1be") == r"a\tb\nc\u000d\u2028d\u0085\u001be"


def test_a_text_in_a_row_begins_no_line_of_its_own() -> None:
    text = labelled("head\nforged", [("found", "x\n  fix       forged"), ("fix", "")])
    assert text == "head\\nforged\n  found     x\\n  fix       forged"
