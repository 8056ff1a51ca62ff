"""Make hostile text harmless to render: clipped, and nothing that is markup.

Every rendering passes what the submitter chose through :func:`conformance.text.visible`; Markdown
through :func:`escape_markdown` as well (HTML is escaped by jinja2, XML by its writer).
"""

from __future__ import annotations

import re

from conformance.text import visible

_MARKDOWN = re.compile(r"[\\`*_\[\]<>&#|~$@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
# A comment splits the text, so that GitHub mails nobody who happens to be named in a submission.
_MARKDOWN_SPECIAL = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "@": "@<!-- -->"}


def clip(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of ``text``, and say how many there were."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text):,} characters, all of them in report.json)"


def escape_markdown(text: str) -> str:
    """Return one line of GitHub-flavoured Markdown, also inside a table, that reads as ``text``."""
    one_line = " ".join(visible(text).split())
    return _MARKDOWN.sub(_markdown_of, one_line)


def markdown_code(text: str) -> str:
    """Return one line of Markdown that shows ``text`` as code, in which nothing is markup."""
    one_line = " ".join(visible(text).splitlines())
    longest = max(map(len, re.findall("`+", one_line)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{one_line}{space}{fence}"


def _markdown_of(match: re.Match[str]) -> str:
    return _MARKDOWN_SPECIAL.get(match.group(), "\\" + match.group())
